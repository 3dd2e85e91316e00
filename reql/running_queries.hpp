// The queries under way, for the `jobs` table.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "reql/program.hpp"
#include "reql/query.hpp"
#include "storage/activity.hpp"

namespace reqld::reql {

class RunningQueries;

/// One query between its START and its last reply. Lives in the query; listed from add() to its destruction.
class RunningQuery {
 public:
  RunningQuery() = default;
  RunningQuery(const RunningQuery&) = delete;
  RunningQuery& operator=(const RunningQuery&) = delete;
  ~RunningQuery();

  std::string id;  ///< set when somebody first looks
  const ClientInfo* client = nullptr;
  Ref<const Program> program;
  std::chrono::steady_clock::time_point started;
  std::function<void()> cancel;  ///< for the jobs table

 private:
  friend class RunningQueries;
  RunningQueries* list_ = nullptr;  ///< null: not listed
  std::size_t shard_ = 0;
  RunningQuery* next_ = nullptr;
  RunningQuery* previous_ = nullptr;
};

/// Thread-safe. In parts, so that the threads that serve connections do not wait for each other.
class RunningQueries {
 public:
  void add(RunningQuery& query) {
    query.list_ = this;
    query.shard_ = storage::thread_number() % kShards;
    Shard& shard = shards_[query.shard_];
    const std::lock_guard lock(shard.mutex);
    query.next_ = shard.first;
    if (shard.first) shard.first->previous_ = &query;
    shard.first = &query;
    ++shard.started;
  }
  void remove(RunningQuery& query) {
    Shard& shard = shards_[query.shard_];
    const std::lock_guard lock(shard.mutex);
    (query.previous_ ? query.previous_->next_ : shard.first) = query.next_;
    if (query.next_) query.next_->previous_ = query.previous_;
  }
  /// How many there have been in all.
  std::uint64_t started() {
    std::uint64_t started = 0;
    for (Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      started += shard.started;
    }
    return started;
  }
  /// How many clients have one.
  std::size_t clients() {
    std::set<std::pair<std::string, std::uint16_t>> clients;
    for_each([&](RunningQuery& query) { clients.emplace(query.client->peer_host, query.client->peer_port); });
    return clients.size();
  }
  /// Calls `each` for every query; they cannot end meanwhile.
  template <typename F>
  void for_each(F&& each) {
    for (Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      for (RunningQuery* query = shard.first; query; query = query->next_) each(*query);
    }
  }

 private:
  static constexpr std::size_t kShards = 16;
  struct alignas(64) Shard {
    std::mutex mutex;
    RunningQuery* first = nullptr;
    std::uint64_t started = 0;
  };

  std::array<Shard, kShards> shards_;
};

inline RunningQuery::~RunningQuery() {
  if (list_) list_->remove(*this);
}

}  // namespace reqld::reql
