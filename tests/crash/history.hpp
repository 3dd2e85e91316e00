// Everything a workload committed, by sequence: what the keyspace must be after any of its commits.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine.hpp"

namespace reqld::crash {

/// A value is known by its size and a hash: 0 and 0 is "gone".
struct Fingerprint {
  std::uint64_t hash = 0;
  std::uint64_t size = 0;
  bool gone = true;
  bool operator==(const Fingerprint&) const = default;
};
Fingerprint fingerprint(std::string_view value);

/// The writes of one job, in order.
struct JobWrites {
  std::vector<std::pair<std::string, Fingerprint>> writes;
};

class History {
 public:
  /// Within a commit, in the order of the jobs. Thread-safe.
  void add(storage::Sequence sequence, const JobWrites& job);
  /// Call once after the last add() and before check().
  void seal();
  /// Forgets commits after `sequence`, for going on from there.
  std::unique_ptr<History> until(storage::Sequence sequence) const;

  storage::Sequence last() const;
  /// Compares a whole snapshot with the state after its sequence; the first difference in words.
  std::optional<std::string> check(storage::Snapshot& snapshot) const;
  std::optional<std::string> check(storage::Snapshot& snapshot, storage::Sequence sequence) const;

 private:
  struct Version {
    storage::Sequence sequence = 0;
    Fingerprint value;
  };
  mutable std::mutex mutex_;
  std::map<storage::Sequence, std::vector<JobWrites>> commits_;
  std::map<std::string, std::vector<Version>, std::less<>> keys_;
  std::map<storage::Sequence, std::uint64_t> live_keys_;  ///< after that commit
};

}  // namespace reqld::crash
