#include "storage/activity.hpp"

#include <memory>

namespace reqld::storage {

std::size_t thread_number() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return number;
}

TableActivity::Parts* TableActivity::make_parts() {
  auto made = std::make_unique<Parts>();
  Parts* expected = nullptr;
  // Another thread may have been first.
  return parts_.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel) ? made.release() : expected;
}

RowCounts TableActivity::counts() const {
  RowCounts sum;
  const Parts* const parts = parts_.load(std::memory_order_acquire);
  if (parts == nullptr) return sum;
  for (const Part& part : *parts) {
    sum += {.rows_read = part.rows_read.load(std::memory_order_relaxed),
            .bytes_read = part.bytes_read.load(std::memory_order_relaxed),
            .rows_written = part.rows_written.load(std::memory_order_relaxed),
            .bytes_written = part.bytes_written.load(std::memory_order_relaxed)};
  }
  return sum;
}

}  // namespace reqld::storage
