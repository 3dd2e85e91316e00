// The threads that run heavy queries, and those that wait for the disk, so that the reactors stay free for
// sockets and light ones.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "server/disk_waits.hpp"

namespace reqld::server {

/// Something to do for a worker.
class PoolTask {
 public:
  /// Must not throw. May push itself again, and may be gone when it returns.
  virtual void run_on_pool() = 0;

 protected:
  ~PoolTask() = default;
};

/// First come, first served, by as many threads as there are to compute. While jobs often wait for the disk
/// more may run at once, each on a thread: the disk serves many reads at a time best. Thread-safe.
class WorkerPool {
 public:
  /// `waiting_threads` are started when they are first needed, and stay.
  explicit WorkerPool(unsigned threads, unsigned waiting_threads = 128);
  /// What is queued is run first.
  ~WorkerPool();

  /// Has a worker run `task`.
  void push(PoolTask& task);

  /// Whether nothing waits for a worker (as seen a moment ago).
  bool idle() const { return waiting_.load(std::memory_order_relaxed) == 0; }
  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  /// Whether a thread that is there to compute has nothing to do (likewise).
  bool has_free_thread() const { return waiting() + active_.load(std::memory_order_relaxed) < computing_threads_; }

  /// Of the jobs of this pool and of the reactors. While they are often, every job belongs on the pool.
  DiskWaits& disk_waits() { return disk_waits_; }

 private:
  void start_thread();
  void work();
  std::size_t limit() const { return disk_waits_.often() ? most_threads_ : computing_threads_; }

  const std::size_t computing_threads_;
  const std::size_t most_threads_;
  DiskWaits disk_waits_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<PoolTask*> queue_;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::size_t> active_ = 0;  ///< threads that run a job; changed under the lock
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace reqld::server
