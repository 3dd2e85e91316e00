#include "server/worker_pool.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>

namespace reqld::server {
namespace {

/// A reactor that has something to do goes before a scan: a point read beside scans on every core then took 0.4 to 2.9 ms
/// at p99 instead of 3.8 to 4.4. More would keep scans from the cores where there are many point reads.
constexpr int kNice = 5;

}  // namespace

WorkerPool::WorkerPool(unsigned threads, unsigned waiting_threads)
    : computing_threads_(threads), most_threads_(threads + waiting_threads) {
  const std::lock_guard lock(mutex_);
  while (threads_.size() < computing_threads_) start_thread();
}

void WorkerPool::start_thread() {
  const std::string name = "worker-" + std::to_string(threads_.size());
  threads_.emplace_back([this] { work(); });
  pthread_setname_np(threads_.back().native_handle(), name.c_str());
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void WorkerPool::push(PoolTask& task) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(&task);
  waiting_.store(queue_.size(), std::memory_order_relaxed);
  // While it stops, the threads that there are are being waited for.
  if (!stopping_ && active_ + queue_.size() > threads_.size() && threads_.size() < limit()) start_thread();
  // Under the lock: once it is let go a coroutine may end, and with it the server and this pool.
  changed_.notify_one();
}

void WorkerPool::work() {
  // On Linux this is of the thread only; where it is refused the scheduler is just less kind to the reactors.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || (!queue_.empty() && active_ < limit()); });
    if (queue_.empty()) return;
    PoolTask& task = *queue_.front();
    queue_.pop_front();
    waiting_.store(queue_.size(), std::memory_order_relaxed);
    ++active_;
    lock.unlock();
    task.run_on_pool();
    if (disk_waits_.often()) disk_waits_.done(1);
    lock.lock();
    --active_;
  }
}

}  // namespace reqld::server
