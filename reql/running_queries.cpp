#include "reql/running_queries.hpp"

#include <atomic>

namespace reqld::reql {

std::size_t RunningQueries::this_threads_shard() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t shard = threads.fetch_add(1, std::memory_order_relaxed) % kShards;
  return shard;
}

}  // namespace reqld::reql
