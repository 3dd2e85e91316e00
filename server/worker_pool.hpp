// The threads that run heavy queries, so that the reactors stay free for sockets and light ones.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace reqld::server {

class Coroutine;

/// First come, first served. Thread-safe.
class WorkerPool {
 public:
  explicit WorkerPool(unsigned threads);
  /// What is queued is run first.
  ~WorkerPool();

  /// Has a worker resume `coroutine`.
  void push(Coroutine& coroutine);

  /// Whether nothing waits for a worker (as seen a moment ago).
  bool idle() const { return waiting_.load(std::memory_order_relaxed) == 0; }
  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Coroutine*> queue_;
  std::atomic<std::size_t> waiting_{0};
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace reqld::server
