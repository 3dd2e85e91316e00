#include "server/worker_pool.hpp"

#include <pthread.h>

#include <string>

#include "server/coroutine.hpp"

namespace reqld::server {

WorkerPool::WorkerPool(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { work(); });
    pthread_setname_np(threads_.back().native_handle(), ("worker-" + std::to_string(i)).c_str());
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void WorkerPool::push(Coroutine& coroutine) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(&coroutine);
  waiting_.store(queue_.size(), std::memory_order_relaxed);
  // Under the lock: once it is let go the coroutine may end, and with it the server and this pool.
  changed_.notify_one();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Coroutine& coroutine = *queue_.front();
    queue_.pop_front();
    waiting_.store(queue_.size(), std::memory_order_relaxed);
    lock.unlock();
    coroutine.resume();
    lock.lock();
  }
}

}  // namespace reqld::server
