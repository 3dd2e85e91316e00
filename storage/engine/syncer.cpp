#include <pthread.h>

#include "storage/engine/engine_impl.hpp"

namespace reqld::storage {

Syncer::Syncer(Log& log, Sequence durable, const EngineOptions& options, std::function<void(Error)> failed)
    : log_(log),
      failed_(std::move(failed)),
      soft_delay_(options.soft_sync_seconds),
      skip_sync_(options.testing.skip_log_sync),
      appended_(durable),
      synced_(durable),
      committed_(durable),
      durable_(durable) {
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "syncer");
}

Syncer::~Syncer() {
  stop();
}

void Syncer::appended(Sequence sequence, bool now) {
  bool wake = now;
  {
    std::lock_guard lock(mutex_);
    if (appended_ == synced_) {
      first_unsynced_ = std::chrono::steady_clock::now();
      wake = true;
    }
    appended_ = sequence;
    if (now) wanted_ = sequence;
  }
  if (wake) wake_.notify_one();
}

void Syncer::committed(Sequence sequence, std::vector<std::pair<Sequence, EngineRequest*>> waiters) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    committed_ = std::max(committed_, sequence);
    for (const auto& waiter : waiters) {
      wanted_ = std::max(wanted_, waiter.first);
      waiters_.push_back(waiter);
    }
    // While a sync runs for these commits, its end looks after them.
    wake = !waiters_.empty();
    durable_.store(std::min(synced_, committed_), std::memory_order_release);
  }
  if (wake) wake_.notify_one();
}

void Syncer::fail(const Error& error) {
  {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = error;
  }
  wake_.notify_one();
}

std::optional<Error> Syncer::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

void Syncer::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Syncer::run() {
  std::vector<std::pair<EngineRequest*, Result<Sequence>>> ready;
  std::unique_lock lock(mutex_);
  for (;;) {
    const Sequence durable = std::min(synced_, committed_);
    durable_.store(durable, std::memory_order_release);
    while (!waiters_.empty() && (failure_ || waiters_.front().first <= durable)) {
      const auto [sequence, request] = waiters_.front();
      // A commit that was on disk before the failure is not its victim.
      if (sequence <= durable) {
        ready.emplace_back(request, sequence);
      } else {
        ready.emplace_back(request, *failure_);
      }
      waiters_.pop_front();
    }
    if (!ready.empty()) {
      lock.unlock();
      for (auto& [request, result] : ready) request->finished(std::move(result));
      ready.clear();
      lock.lock();
      continue;
    }
    const bool dirty = appended_ > synced_ && !failure_;
    if (dirty && (wanted_ > synced_ || stopping_ ||
                  std::chrono::steady_clock::now() - first_unsynced_ >= soft_delay_)) {
      const Sequence target = appended_;
      lock.unlock();
      auto synced = skip_sync_ ? Result<void>{} : log_.sync();
      if (!synced) failed_(synced.error());
      lock.lock();
      if (!synced) {
        if (!failure_) failure_ = synced.error();
        continue;
      }
      syncs_.fetch_add(1, std::memory_order_relaxed);
      synced_ = target;
      if (appended_ > synced_) first_unsynced_ = std::chrono::steady_clock::now();
      continue;
    }
    if (stopping_ && !dirty && waiters_.empty()) return;
    if (dirty) {
      const auto until =
          first_unsynced_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(soft_delay_);
      wake_.wait_until(lock, until);
    } else {
      wake_.wait(lock);
    }
  }
}

}  // namespace reqld::storage
