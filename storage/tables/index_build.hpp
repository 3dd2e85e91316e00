// The online build of one index.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/database.hpp"
#include "storage/tables/records.hpp"

namespace reqld::storage {

class DatabaseImpl;
class JobWriter;
struct JobOutcome;

/// Goes through the table in runs: entries of many rows are computed from snapshots on the calling thread,
/// sorted, and put in by small jobs. From the moment the index exists every write maintains it and is noted,
/// so a job leaves out the entries of rows that were written after the snapshot and takes those from the row
/// as it is now. So at each commit every entry that is there is right; a run that a crash interrupts is
/// simply made again.
class IndexBuild {
 public:
  IndexBuild(DatabaseImpl& database, std::uint32_t space, BuildTask task);

  /// Does a few milliseconds' work. Answers false when the index is ready or gone.
  bool step();

 private:
  struct Entry {
    std::uint64_t at;  // of its key in keys_
    std::uint16_t length;
    std::uint16_t primary_key_at;  // within the key
    std::uint16_t primary_key_length;
    std::uint8_t value[2];
  };
  std::string_view key_of(const Entry& e) const { return {keys_.data() + e.at, e.length}; }

  bool find();
  void collect();
  bool insert();
  Result<void> insert_in(JobWriter& writer, JobOutcome& outcome, std::size_t end);

  DatabaseImpl& database_;
  const std::uint32_t space_;
  BuildTask task_;  // as of the end of the last whole run
  std::shared_ptr<const TableInfo> table_;
  std::shared_ptr<const IndexInfo> index_;

  // The present run.
  bool sorted_ = false;
  bool at_end_ = false;
  Sequence oldest_snapshot_ = 0;
  std::uint64_t rows_ = 0;
  std::string next_;
  std::string keys_;
  std::vector<Entry> entries_;
  std::size_t inserted_ = 0;
};

}  // namespace reqld::storage
