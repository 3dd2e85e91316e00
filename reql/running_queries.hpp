// The queries under way, for the `jobs` table.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "reql/program.hpp"
#include "reql/query.hpp"

namespace reqld::reql {

/// One query between its START and its last reply.
struct RunningQuery {
  std::string id;  ///< set when somebody first looks
  const ClientInfo* client;
  Ref<const Program> program;
  std::chrono::steady_clock::time_point started;
  std::function<void()> cancel;
};

/// Thread-safe.
class RunningQueries {
 public:
  using Entry = std::list<RunningQuery>::iterator;

  Entry add(RunningQuery query) {
    const std::lock_guard lock(mutex_);
    queries_.push_front(std::move(query));
    return queries_.begin();
  }
  void remove(Entry entry) {
    std::list<RunningQuery> gone;
    const std::lock_guard lock(mutex_);
    gone.splice(gone.begin(), queries_, entry);
  }
  /// Calls `each` for every query; they cannot end meanwhile.
  template <typename F>
  void for_each(F&& each) {
    const std::lock_guard lock(mutex_);
    for (RunningQuery& query : queries_) each(query);
  }

 private:
  std::mutex mutex_;
  std::list<RunningQuery> queries_;
};

}  // namespace reqld::reql
