#include "storage/activity.hpp"

namespace reqld::storage {

std::size_t thread_number() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return number;
}

RowCounts TableActivity::counts() const {
  RowCounts sum;
  for (const Part& part : parts_) {
    sum += {.rows_read = part.rows_read.load(std::memory_order_relaxed),
            .bytes_read = part.bytes_read.load(std::memory_order_relaxed),
            .rows_written = part.rows_written.load(std::memory_order_relaxed),
            .bytes_written = part.bytes_written.load(std::memory_order_relaxed)};
  }
  return sum;
}

}  // namespace reqld::storage
