#include "storage/tables/index_build.hpp"

#include <algorithm>

#include "storage/tables/database_impl.hpp"
#include "storage/tables/index_keys.hpp"
#include "storage/tables/reader.hpp"

namespace reqld::storage {

namespace {

constexpr Reader::Limits kRowsPerStep{.max_rows = 2000, .max_bytes = 4u << 20};
constexpr std::size_t kRunEntries = 400'000;
constexpr std::size_t kRunBytes = 48u << 20;
constexpr std::size_t kEntriesPerJob = 1500;

}  // namespace

IndexBuild::IndexBuild(DatabaseImpl& database, std::uint32_t space, BuildTask task)
    : database_(database), space_(space), task_(std::move(task)), rows_(task_.rows), next_(task_.next) {}

// The catalog's newest version of the table and the index.
bool IndexBuild::find() {
  const std::shared_ptr<const Catalog> catalog = database_.catalog();
  table_ = catalog->tables.by_id(task_.table);
  if (!table_) return false;
  index_ = nullptr;
  for (const auto& [name, index] : table_->indexes)
    if (index->id == task_.index) index_ = index;
  return index_ != nullptr && !index_->ready;
}

bool IndexBuild::step() {
  if (!find()) return false;
  if (!sorted_) {
    collect();
    return true;
  }
  return insert();
}

void IndexBuild::collect() {
  const std::unique_ptr<Reader> reader = database_.reader();
  if (entries_.empty()) oldest_snapshot_ = reader->sequence();
  oldest_snapshot_ = std::min(oldest_snapshot_, reader->sequence());
  std::vector<Row> rows;
  const std::optional<std::string> more =
      reader->scan(*table_, {next_, {}}, Direction::kForward, kRowsPerStep, rows);
  std::vector<IndexEntry> made;
  for (const Row& row : rows) {
    made.clear();
    append_entries(*index_, row.document, row.key, made);
    for (const IndexEntry& entry : made) {
      const std::size_t number_bytes = index_->multi || index_->geo ? 4 : 0;
      entries_.push_back(
          {.at = keys_.size(),
           .length = static_cast<std::uint16_t>(entry.key.size()),
           .primary_key_at = static_cast<std::uint16_t>(entry.key.size() - number_bytes - row.key.size()),
           .primary_key_length = static_cast<std::uint16_t>(row.key.size()),
           .value = {entry.value[0], entry.value[1]}});
      keys_ += entry.key;
    }
  }
  rows_ += rows.size();
  index_->built_rows.set(rows_);
  at_end_ = !more;
  if (more) next_ = *more;
  if (!at_end_ && entries_.size() < kRunEntries && keys_.size() < kRunBytes) return;
  // Neighbours in the index go in together, so each of its pages is touched once per run.
  std::sort(entries_.begin(), entries_.end(),
            [this](const Entry& a, const Entry& b) { return key_of(a) < key_of(b); });
  sorted_ = true;
  inserted_ = 0;
}

bool IndexBuild::insert() {
  const std::size_t end = std::min(inserted_ + kEntriesPerJob, entries_.size());
  const Result<Sequence> done = database_.run_inner(
      [this, end](JobWriter& writer, JobOutcome& outcome) { return insert_in(writer, outcome, end); },
      Durability::kSoft);
  if (!done) {
    if (done.error().kind == ErrorKind::kNotFound) return false;
    throw StorageError(done.error());
  }
  inserted_ = end;
  if (inserted_ < entries_.size()) return true;
  if (at_end_) return false;
  task_.rows = rows_;
  task_.next = next_;
  entries_.clear();
  keys_.clear();
  sorted_ = false;
  return true;
}

Result<void> IndexBuild::insert_in(JobWriter& writer, JobOutcome& outcome, std::size_t end) {
  const auto current = writer.current(*table_);
  if (!current) return current.error();
  std::shared_ptr<const IndexInfo> index;
  for (const auto& [name, candidate] : (*current)->indexes)
    if (candidate->id == task_.index) index = candidate;
  if (!index || index->ready) return Error{ErrorKind::kNotFound, "The index has been dropped."};

  WriteTxn& txn = writer.txn();
  BuildNotes& notes = database_.build_notes();
  // The snapshots of later runs are newer.
  if (inserted_ == 0) notes.prune(space_, oldest_snapshot_);
  std::string primary_key;
  std::vector<IndexEntry> made;
  for (std::size_t i = inserted_; i < end; ++i) {
    const Entry& entry = entries_[i];
    primary_key.assign(key_of(entry).substr(entry.primary_key_at, entry.primary_key_length));
    if (!notes.noted_after(space_, primary_key, oldest_snapshot_)) {
      txn.put(key_of(entry), {reinterpret_cast<const char*>(entry.value), 2});
      continue;
    }
    // Whoever wrote the row has maintained its entries already, unless that job failed.
    const auto row = writer.get(**current, primary_key);
    if (!row) return row.error();
    if (!row.value()) continue;
    made.clear();
    append_entries(*index, *row.value(), primary_key, made);
    for (const IndexEntry& e : made) txn.put(e.key, e.value_bytes());
  }
  if (end < entries_.size()) return {};

  if (at_end_) {
    IndexInfo ready = *index;
    ready.ready = true;
    txn.put(index_record_key((*current)->id, ready.id), encode_index(ready));
    txn.del(task_key(kTaskBuild, space_));
    database_.touch_table(txn, **current, outcome);
  } else {
    txn.put(task_key(kTaskBuild, space_),
            encode_build_task({.table = task_.table, .index = task_.index, .rows = rows_, .next = next_}));
  }
  return {};
}

}  // namespace reqld::storage
