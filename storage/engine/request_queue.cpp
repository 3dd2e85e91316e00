#include "storage/engine/request_queue.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace reqld::storage {
namespace {

timespec after(std::chrono::nanoseconds delay) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto at = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) + delay;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at);
  return {.tv_sec = seconds.count(), .tv_nsec = (at - seconds).count()};
}

}  // namespace

RequestQueue::RequestQueue() { ::sem_init(&wake_, 0, 0); }

RequestQueue::~RequestQueue() { ::sem_destroy(&wake_); }

void RequestQueue::add(EngineRequest& request) {
  EngineRequest* newest = newest_.load(std::memory_order_relaxed);
  do {
    request.before_ = newest == &asleep_ ? nullptr : newest;
  } while (!newest_.compare_exchange_weak(newest, &request, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (newest == &asleep_) ::sem_post(&wake_);
}

bool RequestQueue::take(std::vector<EngineRequest*>& requests) {
  requests.clear();
  if (newest_.load(std::memory_order_relaxed) == nullptr) return false;
  for (EngineRequest* r = newest_.exchange(nullptr, std::memory_order_acq_rel); r != nullptr; r = r->before_)
    requests.push_back(r);
  std::reverse(requests.begin(), requests.end());
  return true;
}

bool RequestQueue::sleep(std::optional<std::chrono::nanoseconds> timeout) {
  EngineRequest* nothing = nullptr;
  if (!newest_.compare_exchange_strong(nothing, &asleep_, std::memory_order_acq_rel)) return true;
  // A condition variable would cost a third system call: glibc's leaves its mutex marked as contended.
  const timespec until = timeout ? after(*timeout) : timespec{};
  bool in_time = true;
  while (in_time && !woken_.exchange(false) && newest_.load(std::memory_order_acquire) == &asleep_) {
    const int rc = timeout ? ::sem_clockwait(&wake_, CLOCK_MONOTONIC, &until) : ::sem_wait(&wake_);
    in_time = rc == 0 || errno != ETIMEDOUT;
  }
  EngineRequest* mark = &asleep_;
  return !newest_.compare_exchange_strong(mark, nullptr, std::memory_order_acq_rel) || in_time;
}

void RequestQueue::wake() {
  woken_.store(true);
  ::sem_post(&wake_);
}

}  // namespace reqld::storage
