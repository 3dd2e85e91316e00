// Rates of what queries do, out of counts that only grow.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "storage/database.hpp"

namespace reqld::reql {

class RunningQueries;

/// The counts of one moment.
struct ActivitySample {
  std::chrono::steady_clock::time_point at;
  std::uint64_t queries = 0;
  storage::RowCounts rows;
  std::map<storage::Uuid, storage::RowCounts> tables;
};

/// Counts now, and what they were before.
class ActivitySpan {
 public:
  ActivitySpan(std::shared_ptr<const ActivitySample> before, std::shared_ptr<const ActivitySample> now)
      : before_(std::move(before)), now_(std::move(now)) {}

  std::uint64_t queries() const { return now_->queries; }
  double queries_per_second() const { return per_second(before_->queries, now_->queries); }
  const storage::RowCounts& rows() const { return now_->rows; }
  const storage::RowCounts& rows_before() const { return before_->rows; }
  /// Zero for a table that was not there.
  storage::RowCounts rows(const storage::Uuid& table) const { return of(*now_, table); }
  storage::RowCounts rows_before(const storage::Uuid& table) const { return of(*before_, table); }
  double per_second(std::uint64_t before, std::uint64_t now) const;

 private:
  static storage::RowCounts of(const ActivitySample& sample, const storage::Uuid& table);

  std::shared_ptr<const ActivitySample> before_;
  std::shared_ptr<const ActivitySample> now_;
};

/// One per Engine; thread-safe. Nothing is sampled unless somebody looks: a rate is that of the last second
/// or two where looks come so often, else that since the look before.
class ActivitySampler {
 public:
  ActivitySampler(storage::Database& database, RunningQueries& running);

  ActivitySpan look();

 private:
  std::shared_ptr<const ActivitySample> sample();

  storage::Database& database_;
  RunningQueries& running_;
  std::mutex mutex_;
  std::shared_ptr<const ActivitySample>
      previous_;  ///< at least a second older than `latest_`, but for the first
  std::shared_ptr<const ActivitySample> latest_;
};

}  // namespace reqld::reql
