#include "storage/tables/writer.hpp"

#include "storage/tables/row_copier.hpp"

namespace reqld::storage {

namespace {

Error no_such_table(const TableInfo& table) {
  return {ErrorKind::kNotFound, "Table `" + table.name + "` has been dropped."};
}

// What a row would need beyond its large binaries; only asked for very large rows.
std::size_t size_without_large_binaries(const Datum& d, std::uint64_t threshold) {
  const std::size_t size = d.encoded_size();
  if (size < threshold) return size;
  std::size_t moved = 0;
  switch (d.type()) {
    case Type::kBinary:
      return d.inline_binary() && d.binary_size() >= threshold ? 17 : size;
    case Type::kArray:
      for (std::size_t i = 0; i < d.array_size(); ++i) {
        const Datum value = d.at(i);
        moved += value.encoded_size() - size_without_large_binaries(value, threshold);
      }
      return size - moved;
    case Type::kObject:
      for (std::size_t i = 0; i < d.object_size(); ++i) {
        const Datum value = d.value_at(i);
        moved += value.encoded_size() - size_without_large_binaries(value, threshold);
      }
      return size - moved;
    default:
      return size;
  }
}

}  // namespace

std::shared_ptr<const TableInfo> WriterTables::get(WriteTxn& txn, const TableInfo& table,
                                                   std::uint64_t stamp) {
  Loaded& loaded = loaded_[table.space];
  if (!loaded.table || loaded.stamp != stamp) {
    loaded.table = load_table(View(txn), table.id, parts_);
    loaded.stamp = stamp;
    if (!loaded.table)
      throw StorageError({ErrorKind::kCorrupt, "Table `" + table.name + "` has rows but no record."});
  }
  return loaded.table;
}

bool BuildNotes::noted_after(std::uint32_t index_space, const std::string& primary_key,
                             Sequence sequence) const {
  const auto index = notes_.find(index_space);
  if (index == notes_.end()) return false;
  const auto note = index->second.find(primary_key);
  return note != index->second.end() && note->second > sequence;
}

void BuildNotes::prune(std::uint32_t index_space, Sequence sequence) {
  const auto index = notes_.find(index_space);
  if (index != notes_.end())
    std::erase_if(index->second, [&](const auto& note) { return note.second <= sequence; });
}

JobWriter::JobWriter(WriterContext& context, WriteTxn& txn, JobOutcome& outcome)
    : context_(context),
      txn_(txn),
      outcome_(outcome),
      in_job_(context.blobs, txn),
      blobs_(context.blobs, txn, context.blob_threshold) {}

Result<JobWriter::Table*> JobWriter::open(const TableInfo& table) {
  for (const auto& [space, open] : tables_)
    if (space == table.space) return open.get();
  KeyBuffer key(kHeadSpace);
  key.append_u32(table.space);
  const auto record = txn_.get(key);
  if (!record) return no_such_table(table);
  auto open = std::make_unique<Table>();
  open->head = decode_head(*record);
  open->rows_before = open->head.rows;
  open->info = context_.tables.get(txn_, table, open->head.stamp);
  open->wanted = context_.wanted(*open->info);
  if (open->info->change_log)
    if (const auto log = txn_.get(log_head_key(table.space))) open->log = decode_log_head(*log);
  open->building = false;
  for (const auto& [name, index] : open->info->indexes) open->building |= !index->ready;
  return tables_.emplace_back(table.space, std::move(open)).second.get();
}

std::optional<Datum> JobWriter::read(const Table& table, std::string_view key) {
  const auto row = txn_.get(KeyBuffer(table.info->space, key));
  if (!row) return std::nullopt;
  Ref<Buffer> buffer = Buffer::copy(row->data(), row->size());
  if (row_has_blob(*row)) buffer->add_blob_source(blobs_.source());
  return Datum::from_encoded(buffer->data(), *buffer);
}

Result<std::optional<Datum>> JobWriter::get(const TableInfo& table, std::string_view key) {
  Result<Table*> open_table = open(table);
  if (!open_table) return open_table.error();
  if (key.size() > kMaxPrimaryKeyBytes) return std::optional<Datum>();
  last_table_ = *open_table;
  last_key_.assign(key);
  last_row_ = read(**open_table, key);
  return last_row_;
}

Result<RowWrite> JobWriter::put(const TableInfo& table, std::string_view key, const Datum& document) {
  Result<Table*> opened = open(table);
  if (!opened) return opened.error();
  Table& t = **opened;
  if (key.size() > kMaxPrimaryKeyBytes)
    return Error{ErrorKind::kKeyTooLong,
                 "A primary key is longer than " + std::to_string(kMaxPrimaryKeyBytes) + " bytes as stored."};
  if (document.type() != Type::kObject) return Error{ErrorKind::kInvalid, "A row is an object."};
  if (document.encoded_size() > kMaxRowBytes &&
      size_without_large_binaries(document, context_.blob_threshold) > kMaxRowBytes)
    return Error{ErrorKind::kInvalid, "A document is larger than " + std::to_string(kMaxRowBytes >> 20) +
                                          " MB, not counting binaries that are stored on their own."};

  std::optional<Datum> old_row;
  if (last_table_ == &t && last_key_ == key)
    old_row = std::move(last_row_);
  else
    old_row = read(t, key);
  last_table_ = nullptr;

  RowWrite write;
  write.new_row = blobs_.replace(old_row, document);
  std::string_view bytes = write.new_row.slice_bytes();
  if (bytes.empty()) {
    encoded_.clear();
    write.new_row.encode(encoded_);
    bytes = encoded_;
  }
  txn_.put(KeyBuffer(t.info->space, key), bytes);
  t.activity += {.rows_written = 1, .bytes_written = bytes.size()};
  if (!t.info->indexes.empty()) write_indexes(t, key, old_row, write.new_row);
  if (old_row)
    write.old_row = std::move(*old_row);
  else
    ++t.head.rows;
  publish(t, key, write);
  return write;
}

Result<RowWrite> JobWriter::erase(const TableInfo& table, std::string_view key) {
  Result<Table*> opened = open(table);
  if (!opened) return opened.error();
  Table& t = **opened;
  if (key.size() > kMaxPrimaryKeyBytes) return RowWrite{};
  std::optional<Datum> old_row;
  if (last_table_ == &t && last_key_ == key)
    old_row = std::move(last_row_);
  else
    old_row = read(t, key);
  last_table_ = nullptr;
  if (!old_row) return RowWrite{};

  if (!t.info->indexes.empty()) write_indexes(t, key, old_row, std::nullopt);
  blobs_.release(*old_row);
  txn_.del(KeyBuffer(t.info->space, key));
  t.activity += {.rows_written = 1};
  if (t.head.rows > 0) --t.head.rows;
  RowWrite write{std::move(*old_row), Datum()};
  publish(t, key, write);
  return write;
}

void JobWriter::write_indexes(const Table& table, std::string_view key, const std::optional<Datum>& old_row,
                              const std::optional<Datum>& new_row) {
  for (const auto& [name, index] : table.info->indexes) {
    old_entries_.clear();
    new_entries_.clear();
    if (old_row) append_entries(*index, *old_row, key, old_entries_);
    if (new_row) append_entries(*index, *new_row, key, new_entries_);
    auto o = old_entries_.begin();
    auto n = new_entries_.begin();
    while (o != old_entries_.end() || n != new_entries_.end()) {
      const int order = o == old_entries_.end() ? 1 : n == new_entries_.end() ? -1 : o->key.compare(n->key);
      if (order < 0) {
        txn_.del((o++)->key);
      } else {
        if (order > 0 || o->value_bytes() != n->value_bytes()) txn_.put(n->key, n->value_bytes());
        if (order == 0) ++o;
        ++n;
      }
    }
    if (!index->ready) context_.notes.note(index->space, key, txn_.sequence());
  }
}

void JobWriter::publish(Table& table, std::string_view key, const RowWrite& write) {
  if (!table.wanted && !table.log) return;
  table.changed = true;
  RowChange change{.at = context_.numbers.next(txn_.sequence()),
                   .job = 0,
                   .table = table.info,
                   .key = std::string(key),
                   .old_row = write.old_row,
                   .new_row = write.new_row};
  if (table.log) log(table, change);
  if (table.wanted) outcome_.changes.push_back(std::move(change));
}

void JobWriter::log(Table& table, const RowChange& change) {
  blobs_.retain(change.old_row);
  blobs_.retain(change.new_row);
  encode_logged_change(change, encoded_);
  txn_.put(log_key(table.info->space, change.at), encoded_);
  ++table.log->changes;
  table.log->bytes += logged_bytes(encoded_.size(), change.old_row, change.new_row);
}

Result<std::shared_ptr<const TableInfo>> JobWriter::current(const TableInfo& table) {
  Result<Table*> opened = open(table);
  if (!opened) return opened.error();
  return (*opened)->info;
}

void JobWriter::release_blobs(std::string_view row) {
  if (row_has_blob(row)) blobs_.release(Datum::from_encoded(row));
}

void JobWriter::finish() {
  for (const auto& [space, table] : tables_) {
    // A row that came and went leaves nothing to commit, but was there: without a write, its changes would
    // wait.
    if (table->head.rows != table->rows_before || table->changed)
      txn_.put(head_key(space), encode_head(table->head));
    if (table->info->activity && table->activity.rows_written > 0)
      outcome_.activity.emplace_back(table->info->activity, table->activity);
    if (table->log && table->changed) txn_.put(log_head_key(space), encode_log_head(*table->log));
  }
  blobs_.finish();
  if (blobs_.buried()) outcome_.background = true;
}

}  // namespace reqld::storage
