#include "storage/tables/index_scan.hpp"

#include <algorithm>

#include "datum/key_codec.hpp"
#include "storage/tables/look_ahead.hpp"
#include "storage/tables/reader.hpp"

namespace reqld::storage {

IndexScan::IndexScan(SnapshotReader& reader, const TableInfo& table, const IndexInfo& index,
                     const KeyRange& values, Direction direction, Reader::Limits limits, bool want_documents,
                     std::vector<Row>& out)
    : reader_(reader),
      table_(table),
      index_(index),
      values_(values),
      direction_(direction),
      limits_(limits),
      want_documents_(want_documents),
      out_(out) {}

bool IndexScan::comes_before(const Position& a, const Position& b) const {
  int order = a.value_key.compare(b.value_key);
  if (order == 0) order = a.rest.compare(b.rest);
  return forward() ? order < 0 : order > 0;
}

std::string IndexScan::encode_position(const Position& position) const {
  std::string out;
  append_u32(static_cast<std::uint32_t>(position.value_key.size()), out);
  return out + position.value_key + position.rest;
}

void IndexScan::seek_first(Cursor& cursor) {
  if (forward()) {
    cursor.seek(space_key(index_.space, std::string_view(values_.lower).substr(0, kMaxValueKeyBytes)));
    return;
  }
  if (values_.upper.empty()) return;  // a new cursor stands at the end of the index
  std::string end = values_.upper.size() <= kMaxValueKeyBytes
                        ? space_key(index_.space, values_.upper)
                        : prefix_successor(space_key(
                              index_.space, std::string_view(values_.upper).substr(0, kMaxValueKeyBytes)));
  // A value whose key the bound begins with ("up to and including x" is x and a zero byte) is below it, its
  // entries need not be.
  const auto next = reader_.snapshot().cursor({end, space_key(index_.space + 1)}, Direction::kForward);
  if (next->valid()) {
    const ParsedEntry entry = parse_entry(index_, next->key(), next->value());
    if (!entry.truncated && !above(entry.value_key))
      end = prefix_successor(space_key(index_.space, entry.value_key));
  }
  cursor.seek(end);
}

void IndexScan::seek_after(Cursor& cursor, const Position& position) {
  std::string key =
      space_key(index_.space, std::string_view(position.value_key).substr(0, kMaxValueKeyBytes));
  if (position.value_key.size() > kMaxValueKeyBytes) {
    cursor.seek(forward() ? key : prefix_successor(key));
    return;
  }
  key += position.rest;
  if (forward()) key.push_back('\0');
  cursor.seek(key);
}

std::optional<std::string> IndexScan::run(const std::optional<std::string>& resume) {
  if (!values_.upper.empty() && values_.lower >= values_.upper) return std::nullopt;
  const auto cursor = reader_.snapshot().cursor(whole_space(index_.space), direction_);
  if (resume) {
    const std::size_t length = resume->size() < 4 ? 0 : load_u32(*resume);
    if (resume->size() < 4 + length)
      throw StorageError({ErrorKind::kInvalid, "This is no position in an index."});
    resume_ = Position{resume->substr(4, length), resume->substr(4 + length)};
    seek_after(*cursor, *resume_);
  } else {
    seek_first(*cursor);
  }

  while (cursor->valid()) {
    const ParsedEntry entry = parse_entry(index_, cursor->key(), cursor->value());
    if (entry.truncated) {
      const bool done =
          forward() ? above(entry.value_key) : prefix_successor(entry.value_key) <= values_.lower;
      if (done) return std::nullopt;
      if (full() || !run_cluster(*cursor)) return encode_position(last_);
      continue;
    }
    if (below(entry.value_key)) {
      if (!forward()) return std::nullopt;
      cursor->seek(prefix_successor(space_key(index_.space, entry.value_key)));
      continue;
    }
    if (above(entry.value_key)) {
      if (forward()) return std::nullopt;
      cursor->seek(space_key(index_.space, entry.value_key));
      continue;
    }
    if (full()) return encode_position(last_);
    if (want_documents_) look_ahead(*cursor);
    std::optional<Datum> value;
    std::optional<Datum> row;
    if (entry.inexact) {
      row = row_of(entry.primary_key);
      const std::vector<IndexedValue> values = index_values(index_, *row);
      const auto first = std::find_if(values.begin(), values.end(),
                                      [&](const IndexedValue& v) { return v.key == entry.value_key; });
      if (values.end() - first > static_cast<std::ptrdiff_t>(entry.number)) value = first[entry.number].value;
    }
    emit(entry.value_key, entry.rest, entry.primary_key, std::move(value), std::move(row));
    cursor->next();
  }
  return std::nullopt;
}

// With a cursor of its own, so that nothing but time depends on it.
void IndexScan::look_ahead(const Cursor& cursor) {
  if (looked_ahead_ > 0) {
    --looked_ahead_;
    return;
  }
  if (limits_.max_rows <= rows_ + 1) return;
  if (!ahead_) {
    ahead_ = reader_.snapshot().cursor(whole_space(index_.space), direction_);
    ahead_->seek(cursor.key());
    if (!ahead_->valid()) return;
  }
  const std::size_t most = std::min(kPrefetchKeys, limits_.max_rows - rows_);
  LookAhead rows;
  for (; rows.size() < most && ahead_->valid(); ahead_->next()) {
    const ParsedEntry entry = parse_entry(index_, ahead_->key(), ahead_->value());
    if (entry.truncated || above(entry.value_key) || below(entry.value_key)) break;
    rows.add(table_.space, entry.primary_key);
  }
  looked_ahead_ = rows.size() > 0 ? rows.size() - 1 : 0;
  rows.prefetch(reader_.snapshot());
}

// Reads on to the end of the cluster, so it may be called again for the next one. Answers false when rows of
// it had to be left out.
bool IndexScan::run_cluster(Cursor& cursor) {
  const std::string prefix(cursor.key().substr(0, kSpaceBytes + kMaxValueKeyBytes));
  const std::size_t wanted = std::max<std::size_t>(limits_.max_rows, rows_ + 1) - rows_;
  const auto order = [this](const Candidate& a, const Candidate& b) {
    return comes_before(a.position, b.position);
  };
  std::vector<Candidate> best;  // a heap with the last one at its top, never more than wanted + 1
  std::string of_row;
  std::vector<IndexedValue> values;
  for (bool first = true; cursor.valid() && cursor.key().substr(0, prefix.size()) == prefix; cursor.next()) {
    const ParsedEntry entry = parse_entry(index_, cursor.key(), cursor.value());
    if (first || of_row != entry.primary_key) {
      first = false;
      of_row = entry.primary_key;
      values = index_values(index_, row_of(entry.primary_key));
      std::erase_if(values, [&](const IndexedValue& v) { return v.stored_key() != entry.value_key; });
    }
    if (entry.number >= values.size())
      throw StorageError({ErrorKind::kCorrupt, "Index `" + index_.name + "` of table `" + table_.name +
                                                   "` has an entry that its row does not."});
    const IndexedValue& value = values[entry.number];
    if (below(value.key) || above(value.key)) continue;
    Candidate candidate{{value.key, std::string(entry.rest)}, value.value};
    if (resume_ && !comes_before(*resume_, candidate.position)) continue;
    best.push_back(std::move(candidate));
    std::push_heap(best.begin(), best.end(), order);
    if (best.size() > wanted + 1) {
      std::pop_heap(best.begin(), best.end(), order);
      best.pop_back();
    }
  }
  std::sort_heap(best.begin(), best.end(), order);
  const std::size_t number_bytes = index_.multi || index_.geo ? 4 : 0;
  for (Candidate& c : best) {
    if (full()) return false;
    const std::string_view rest = c.position.rest;
    emit(c.position.value_key, rest, rest.substr(0, rest.size() - number_bytes), std::move(c.value),
         std::nullopt);
  }
  return true;
}

void IndexScan::emit(std::string_view value_key, std::string_view rest, std::string_view primary_key,
                     std::optional<Datum> value, std::optional<Datum> row) {
  make_room(out_, rows_, limits_.max_rows);
  Row& out = out_.emplace_back();
  out.key.assign(primary_key);
  if (want_documents_) {
    out.document = row ? std::move(*row) : row_of(primary_key);
    document_bytes_ += out.document.encoded_size();
  }
  if (!value) {
    std::string_view bytes = value_key;
    value = decode_key(bytes);
    if (!value)
      throw StorageError({ErrorKind::kCorrupt, "An entry of index `" + index_.name + "` is damaged."});
  }
  out.index_value = std::move(*value);
  value_bytes_ += value_key.size();
  ++rows_;
  last_.value_key.assign(value_key);
  last_.rest.assign(rest);
}

Datum IndexScan::row_of(std::string_view primary_key) {
  const auto row = reader_.snapshot().get(KeyBuffer(table_.space, primary_key));
  if (!row)
    throw StorageError({ErrorKind::kCorrupt, "Index `" + index_.name + "` of table `" + table_.name +
                                                 "` has an entry without a row."});
  return copier_.copy(*row, want_documents_ && limits_.max_rows > rows_ ? limits_.max_rows - rows_ : 1,
                      [this] { return reader_.blob_source(); });
}

}  // namespace reqld::storage
