// What is read and written of a table, counted.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace reqld::storage {

/// Numbers the threads of the process, in the order in which they first ask: for data in parts, so that
/// threads do not wait for each other. Ask anew after anything that may suspend.
std::size_t thread_number();

/// Bytes are those of documents as stored, without binaries that are stored out of line.
struct RowCounts {
  std::uint64_t rows_read = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t rows_written = 0;  ///< or erased
  std::uint64_t bytes_written = 0;

  RowCounts& operator+=(const RowCounts& other) {
    rows_read += other.rows_read;
    bytes_read += other.bytes_read;
    rows_written += other.rows_written;
    bytes_written += other.bytes_written;
    return *this;
  }
};

/// The counts of one table since the database was opened. Thread-safe. Small as long as nothing is counted: a server may
/// have thousands of tables that nobody uses.
class TableActivity {
 public:
  TableActivity() = default;
  TableActivity(const TableActivity&) = delete;
  TableActivity& operator=(const TableActivity&) = delete;
  ~TableActivity() { delete parts_.load(std::memory_order_relaxed); }

  void read(std::uint64_t rows, std::uint64_t bytes) {
    Part& part = this_threads_part();
    part.rows_read.fetch_add(rows, std::memory_order_relaxed);
    part.bytes_read.fetch_add(bytes, std::memory_order_relaxed);
  }
  void wrote(std::uint64_t rows, std::uint64_t bytes) {
    Part& part = this_threads_part();
    part.rows_written.fetch_add(rows, std::memory_order_relaxed);
    part.bytes_written.fetch_add(bytes, std::memory_order_relaxed);
  }
  RowCounts counts() const;

 private:
  static constexpr std::size_t kParts = 8;
  struct alignas(64) Part {
    std::atomic<std::uint64_t> rows_read{0};
    std::atomic<std::uint64_t> bytes_read{0};
    std::atomic<std::uint64_t> rows_written{0};
    std::atomic<std::uint64_t> bytes_written{0};
  };
  using Parts = std::array<Part, kParts>;
  Part& this_threads_part() {
    Parts* parts = parts_.load(std::memory_order_acquire);
    if (parts == nullptr) [[unlikely]]
      parts = make_parts();
    return (*parts)[thread_number() % kParts];
  }
  Parts* make_parts();

  std::atomic<Parts*> parts_{nullptr};
};

}  // namespace reqld::storage
