// Numbers for /metrics: each written by one thread, read by any.
#pragma once

#include <atomic>
#include <cstdint>

namespace reqld::server {

/// A counter with a single writer: no locked instruction.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(get() + n, std::memory_order_relaxed); }
  void sub(std::uint64_t n = 1) { value_.store(get() - n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Of one reactor.
struct ReactorCounters {
  Counter connections_opened;
  Counter connections_open;
  Counter handshakes_failed;
  Counter queries;         ///< START messages
  Counter continues;       ///< CONTINUE messages
  Counter running;         ///< queries on a coroutine now
  Counter open_cursors;    ///< tokens that are not finished
  Counter client_errors;   ///< CLIENT_ERROR replies
  Counter failed_queries;  ///< COMPILE_ERROR and RUNTIME_ERROR replies
  Counter bytes_received;
  Counter bytes_sent;
  Counter queued_output_bytes;
};

/// The sum over the reactors, at about one moment.
struct ServerCounters {
  std::uint64_t connections_opened = 0;
  std::uint64_t connections_open = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t handshakes_failed = 0;
  std::uint64_t queries = 0;
  std::uint64_t continues = 0;
  std::uint64_t running = 0;
  std::uint64_t open_cursors = 0;
  std::uint64_t client_errors = 0;
  std::uint64_t failed_queries = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t queued_output_bytes = 0;
  std::uint64_t waiting_for_worker = 0;
};

}  // namespace reqld::server
