#include "storage/tables/reader.hpp"

#include <algorithm>

#include "storage/tables/change_log.hpp"
#include "storage/tables/index_keys.hpp"
#include "storage/tables/index_scan.hpp"
#include "storage/tables/keyspace.hpp"
#include "storage/tables/look_ahead.hpp"
#include "storage/tables/row_copier.hpp"

namespace reqld::storage {

namespace {

void check_not_dropped(const TableInfo& table) {
  if (table.dropped && table.dropped->load(std::memory_order_acquire))
    throw StorageError({ErrorKind::kNotFound, "Table `" + table.name + "` has been dropped."});
}

void check_not_dropped(const IndexInfo& index) {
  if (index.dropped && index.dropped->load(std::memory_order_acquire))
    throw StorageError({ErrorKind::kNotFound, "Index `" + index.name + "` has been dropped."});
}

void count_read(const TableInfo& table, std::uint64_t rows, std::uint64_t bytes) {
  if (table.activity && rows > 0) table.activity->read(rows, bytes);
}

}  // namespace

SnapshotReader::SnapshotReader(Engine& engine, BlobStore& blobs) : blobs_(blobs) {
  blobs.epochs().enter(engine.last_sequence(), slot_);
  snapshot_ = engine.snapshot();
}

SnapshotReader::~SnapshotReader() = default;

BlobSource* SnapshotReader::blob_source() {
  if (!source_) source_ = blobs_.source(snapshot_->sequence());
  return source_.get();
}

std::optional<Datum> SnapshotReader::get(const TableInfo& table, std::string_view key) {
  check_not_dropped(table);
  if (key.size() > kMaxPrimaryKeyBytes) return std::nullopt;
  const auto row = snapshot_->get(KeyBuffer(table.space, key));
  if (!row) return std::nullopt;
  count_read(table, 1, row->size());
  Ref<Buffer> buffer = Buffer::copy(row->data(), row->size());
  if (row_has_blob(*row)) buffer->add_blob_source(blob_source());
  return Datum::from_encoded(buffer->data(), *buffer);
}

void SnapshotReader::prefetch(std::span<const RowPlace> rows) {
  LookAhead ahead;
  for (const RowPlace& row : rows) {
    ahead.add(row.table->space, row.key);
    if (ahead.full()) ahead.prefetch(*snapshot_);
  }
  ahead.prefetch(*snapshot_);
}

std::uint64_t SnapshotReader::count(const TableInfo& table) {
  check_not_dropped(table);
  KeyBuffer key(kHeadSpace);
  key.append_u32(table.space);
  const auto head = snapshot_->get(key);
  return head ? decode_head(*head).rows : 0;
}

std::optional<std::string> SnapshotReader::scan(const TableInfo& table, const KeyRange& keys,
                                                Direction direction, Limits limits, std::vector<Row>& out) {
  check_not_dropped(table);
  if (!keys.upper.empty() && keys.lower >= keys.upper) return std::nullopt;
  const auto cursor = snapshot_->cursor(range_in_space(table.space, keys.lower, keys.upper), direction);
  RowCopier copier;
  std::size_t rows = 0;
  std::size_t bytes = 0;
  for (; cursor->valid(); cursor->next()) {
    if (rows > 0 && (rows >= limits.max_rows || bytes >= limits.max_bytes)) {
      std::string bound = out.back().key;
      if (direction == Direction::kForward) bound.push_back('\0');
      count_read(table, rows, bytes);
      return bound;
    }
    make_room(out, rows, limits.max_rows);
    const std::string_view value = cursor->value();
    Row& row = out.emplace_back();
    row.key.assign(cursor->key().substr(kSpaceBytes));
    row.document = copier.copy(value, limits.max_rows > rows ? limits.max_rows - rows : 1,
                               [this] { return blob_source(); });
    ++rows;
    bytes += value.size();
  }
  count_read(table, rows, bytes);
  return std::nullopt;
}

std::optional<std::string> SnapshotReader::middle(const TableInfo& table, const KeyRange& keys) {
  check_not_dropped(table);
  const KeyRange range = range_in_space(table.space, keys.lower, keys.upper);
  const auto first = snapshot_->cursor(range, Direction::kForward);
  const auto last = snapshot_->cursor(range, Direction::kBackward);
  if (!first->valid() || !last->valid()) return std::nullopt;
  return middle_key(first->key().substr(kSpaceBytes), last->key().substr(kSpaceBytes));
}

std::optional<std::string> SnapshotReader::scan_index(const TableInfo& table, const IndexInfo& index,
                                                      const IndexRange& range, Direction direction,
                                                      const std::optional<std::string>& resume, Limits limits,
                                                      bool want_documents, std::vector<Row>& out) {
  check_not_dropped(table);
  check_not_dropped(index);
  IndexScan scan(*this, table, index, range.values, direction, limits, want_documents, out);
  auto position = scan.run(resume);
  if (want_documents) count_read(table, scan.rows(), scan.document_bytes());
  return position;
}

std::optional<std::string> SnapshotReader::scan_with_values(const TableInfo& table, const IndexInfo& index,
                                                            const KeyRange& keys, Limits limits,
                                                            std::vector<Row>& out) {
  check_not_dropped(table);  // first: its indexes went with it
  check_not_dropped(index);
  const std::size_t before = out.size();
  auto resume = scan(table, keys, Direction::kForward, limits, out);
  for (std::size_t i = before; i < out.size(); ++i) {
    std::vector<IndexedValue> values = index_values(index, out[i].document);
    if (!values.empty()) out[i].index_value = std::move(values.front().value);
  }
  return resume;
}

ChangeLogRead SnapshotReader::read_change_log(const std::shared_ptr<const TableInfo>& table,
                                              ChangePosition after, Limits limits,
                                              std::vector<RowChange>& out) {
  check_not_dropped(*table);
  const auto record = snapshot_->get(log_head_key(table->space));
  if (!record || after < decode_log_head(*record).trimmed) return ChangeLogRead::kGone;
  const KeyRange all = whole_log(table->space);
  std::string first = log_key(table->space, after);
  first.push_back('\0');
  const auto cursor = snapshot_->cursor({first, all.upper}, Direction::kForward);
  std::size_t bytes = 0;
  for (std::size_t n = 0; cursor->valid(); cursor->next(), ++n) {
    if (n > 0 && (n >= limits.max_rows || bytes >= limits.max_bytes)) return ChangeLogRead::kMore;
    RowChange& change = out.emplace_back();
    change.at = log_position(cursor->key());
    change.table = table;
    decode_logged_change(
        cursor->value(), [this] { return blob_source(); }, change);
    bytes += cursor->value().size();
  }
  return ChangeLogRead::kEnd;
}

}  // namespace reqld::storage
