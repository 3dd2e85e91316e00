// A query's thread in tests: it waits by blocking.
#pragma once

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>

#include "reql/suspend.hpp"

namespace reqld::reql {

/// Runs queries on the thread that made it.
class BlockingSuspender : public Suspender {
 public:
  BlockingSuspender() : BlockingSuspender(std::chrono::hours(24)) {}

  void await(const std::function<void(std::function<void()> resume)>& start) override {
    // Shared: `resume` may still be returning when the wait is over.
    struct State {
      std::mutex mutex;
      std::condition_variable changed;
      bool resumed = false;
    };
    const auto state = std::make_shared<State>();
    start([state] {
      const std::lock_guard lock(state->mutex);
      state->resumed = true;
      state->changed.notify_one();
    });
    const auto resumed = [&] { return state->resumed; };
    std::unique_lock lock(state->mutex);
    if (state->changed.wait_for(lock, patience_, resumed)) return;
    lock.unlock();
    lose_patience();
    lock.lock();
    state->changed.wait(lock, resumed);
  }
  void move_to_pool() override {}
  const char* stack_floor() const override { return floor_; }
  void yield() override {}

 protected:
  explicit BlockingSuspender(std::chrono::milliseconds patience) : patience_(patience) {
    pthread_attr_t attributes;
    void* lowest = nullptr;
    std::size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) std::abort();
    pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    floor_ = static_cast<const char*>(lowest);
  }

  /// A wait has taken `patience`, and goes on.
  virtual void lose_patience() {}

 private:
  const std::chrono::milliseconds patience_;
  const char* floor_ = nullptr;
};

}  // namespace reqld::reql
