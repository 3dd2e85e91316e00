// Writes of one job: rows with their indexes, counts, blobs and changes.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/database.hpp"
#include "storage/tables/blobs.hpp"
#include "storage/tables/change_log.hpp"
#include "storage/tables/index_keys.hpp"
#include "storage/tables/records.hpp"

namespace reqld::storage {

/// What a job leaves to be done when its commit is visible. Lives as long as the job; filled anew by each run
/// of it.
struct JobOutcome {
  Sequence sequence = 0;
  std::vector<RowChange> changes;
  std::vector<Uuid> dbs;     ///< whose records changed
  std::vector<Uuid> tables;  ///< whose records changed, indexes included
  bool background = false;   ///< there may be work for the background thread
  std::vector<std::pair<std::shared_ptr<TableActivity>, RowCounts>>
      activity;          ///< to be counted once it is committed
  bool pending = false;  ///< it waits for its commit in DatabaseImpl's list; writer thread only
  std::atomic<bool> failed{false};

  bool anything() const { return !changes.empty() || !dbs.empty() || !tables.empty() || background; }
  void clear() {
    changes.clear();
    dbs.clear();
    tables.clear();
    activity.clear();
    background = false;
  }
};

/// The tables as the running transaction sees them; a change of a table's records changes its stamp, and so
/// what was loaded under the old one is loaded again. On the writer thread only.
class WriterTables {
 public:
  explicit WriterTables(SharedParts& parts) : parts_(parts) {}
  std::shared_ptr<const TableInfo> get(WriteTxn& txn, const TableInfo& table, std::uint64_t stamp);
  void forget(std::uint32_t space) { loaded_.erase(space); }

 private:
  struct Loaded {
    std::uint64_t stamp = 0;
    std::shared_ptr<const TableInfo> table;
  };
  SharedParts& parts_;
  std::unordered_map<std::uint32_t, Loaded> loaded_;
};

/// Which rows were written while an index is being built: a build step computes entries from a snapshot and
/// asks here which of them are out of date. Notes of jobs that failed do no harm. On the writer thread only.
class BuildNotes {
 public:
  void note(std::uint32_t index_space, std::string_view primary_key, Sequence sequence) {
    notes_[index_space].insert_or_assign(std::string(primary_key), sequence);
  }
  bool noted_after(std::uint32_t index_space, const std::string& primary_key, Sequence sequence) const;
  /// Forgets what was written up to `sequence`.
  void prune(std::uint32_t index_space, Sequence sequence);
  void forget(std::uint32_t index_space) { notes_.erase(index_space); }

 private:
  std::unordered_map<std::uint32_t, std::unordered_map<std::string, Sequence>> notes_;
};

/// Numbers the changes of a commit. A job that fails or runs again leaves gaps. On the writer thread only.
class ChangeNumbers {
 public:
  ChangePosition next(Sequence sequence) { return {sequence, ++at(sequence)}; }
  /// The last one given.
  ChangePosition last(Sequence sequence) { return {sequence, at(sequence)}; }

 private:
  std::uint32_t& at(Sequence sequence) {
    if (last_.sequence != sequence) last_ = {sequence, 0};
    return last_.ordinal;
  }
  ChangePosition last_;
};

/// What every job needs of the database.
struct WriterContext {
  WriterTables& tables;
  BuildNotes& notes;
  ChangeNumbers& numbers;
  BlobStore& blobs;
  std::uint64_t blob_threshold;
  std::function<bool(const TableInfo&)> wanted;  ///< by a change listener
};

class JobWriter final : public Writer {
 public:
  JobWriter(WriterContext& context, WriteTxn& txn, JobOutcome& outcome);

  WriteTxn& txn() override { return txn_; }
  Result<std::optional<Datum>> get(const TableInfo& table, std::string_view key) override;
  Result<RowWrite> put(const TableInfo& table, std::string_view key, const Datum& document) override;
  Result<RowWrite> erase(const TableInfo& table, std::string_view key) override;

  /// The table as this transaction sees it; kNotFound when it is dropped.
  Result<std::shared_ptr<const TableInfo>> current(const TableInfo& table);
  /// Lets go of the blobs of a row that is removed in another way than by erase().
  void release_blobs(std::string_view row);
  /// Writes what belongs to the whole job. Call once after it has succeeded.
  void finish();

 private:
  struct Table {
    std::shared_ptr<const TableInfo> info;
    TableHead head;
    std::uint64_t rows_before;
    std::optional<ChangeLogHead> log;
    bool wanted;
    bool building;
    bool changed = false;
    RowCounts activity;
  };
  Result<Table*> open(const TableInfo& table);
  std::optional<Datum> read(const Table& table, std::string_view key);
  void write_indexes(const Table& table, std::string_view key, const std::optional<Datum>& old_row,
                     const std::optional<Datum>& new_row);
  void publish(Table& table, std::string_view key, const RowWrite& write);
  void log(Table& table, const RowChange& change);

  WriterContext& context_;
  WriteTxn& txn_;
  JobOutcome& outcome_;
  BlobStore::InJob in_job_;
  BlobWriter blobs_;
  std::vector<std::pair<std::uint32_t, std::unique_ptr<Table>>> tables_;

  // The row that get() answered last: a put() of the same row need not read it again.
  const Table* last_table_ = nullptr;
  std::string last_key_;
  std::optional<Datum> last_row_;

  std::vector<IndexEntry> old_entries_, new_entries_;
  std::string encoded_;
};

}  // namespace reqld::storage
