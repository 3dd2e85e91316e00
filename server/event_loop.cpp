#include "server/event_loop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <thread>
#include <utility>

#include "server/watched_fd.hpp"

namespace reqld::server {
namespace {
constexpr int kLastRounds = 100;
}  // namespace

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_up_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  // Edge-triggered, so that each write is heard of once and nobody needs to read it away.
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  if (epoll_ < 0 || wake_up_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_up_, &event) != 0) {
    const int error = errno;
    if (epoll_ >= 0) close(epoll_);
    if (wake_up_ >= 0) close(wake_up_);
    throw std::system_error(error, std::generic_category(), "cannot create an event loop");
  }
}

EventLoop::~EventLoop() {
  while (wakers_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  close(epoll_);
  close(wake_up_);
}

void EventLoop::run() {
  while (!stopping_) turn();
  // What the last turn has left behind: waits that ended, sessions to settle. Not what posts itself for ever.
  for (int round = 0; round < kLastRounds && inbox_.load(std::memory_order_relaxed) != nullptr; ++round) {
    deliver_messages();
    if (after_turn_) after_turn_();
  }
}

void EventLoop::stop() {
  call([this] { stopping_ = true; });
}

void EventLoop::turn() {
  wait_for_events();
  while (more_ready()) {
    const epoll_event event = events_[next_event_++];
    if (event.data.ptr != nullptr) static_cast<WatchedFd*>(event.data.ptr)->ready(event.events);
  }
  if (!timers_.empty()) run_timers();
  deliver_messages();
  if (after_turn_) after_turn_();
}

void EventLoop::wait_for_events() {
  Message* nothing = nullptr;
  const bool sleeps = inbox_.compare_exchange_strong(nothing, &asleep_);
  const int timeout = sleeps ? milliseconds_to_sleep() : 0;
  const int count = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout);
  if (Message* mark = &asleep_; sleeps) inbox_.compare_exchange_strong(mark, nullptr);
  next_event_ = 0;
  events_seen_ = static_cast<std::size_t>(std::max(count, 0));
}

int EventLoop::milliseconds_to_sleep() const {
  if (timers_.empty()) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now()).count();
  return static_cast<int>(std::clamp<decltype(left)>(left, 0, std::numeric_limits<int>::max()));
}

bool EventLoop::watch(WatchedFd& fd, int number, std::uint32_t watched_events, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.ptr = &fd}};
  const int change = watched_events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  return epoll_ctl(epoll_, change, number, &event) == 0;
}

void EventLoop::forget(const WatchedFd& fd) {
  for (std::size_t i = next_event_; i < events_seen_; ++i) {
    if (events_[i].data.ptr == &fd) events_[i].data.ptr = nullptr;
  }
}

void EventLoop::post(Message& message) {
  // Once the message is in, it may be delivered, and the loop destroyed for all that its other users know: before
  // that it has to be told that somebody is not done with it.
  Message* head = inbox_.load(std::memory_order_relaxed);
  bool waker = false;
  do {
    if (head == &asleep_ && !std::exchange(waker, true)) wakers_.fetch_add(1, std::memory_order_relaxed);
    message.next_ = head == &asleep_ ? nullptr : head;
  } while (!inbox_.compare_exchange_weak(head, &message, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (!waker) return;
  // The first one in wakes the loop for all that follow.
  if (head == &asleep_) eventfd_write(wake_up_, 1);
  wakers_.fetch_sub(1, std::memory_order_release);
}

void EventLoop::deliver_messages() {
  if (inbox_.load(std::memory_order_relaxed) == nullptr) return;
  Message* newest = inbox_.exchange(nullptr, std::memory_order_acq_rel);
  Message* oldest = nullptr;
  while (newest != nullptr) {
    Message* const next = newest->next_;
    newest->next_ = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    // Read first: a delivered message may be posted again, or be gone.
    Message* const next = oldest->next_;
    oldest->deliver();
    oldest = next;
  }
}

void EventLoop::call(std::function<void()> function) {
  bool first = false;
  {
    const std::lock_guard lock(calls_mutex_);
    first = calls_.empty();
    calls_.push_back(std::move(function));
  }
  if (first) post(calls_message_);
}

void EventLoop::run_calls() {
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard lock(calls_mutex_);
    calls.swap(calls_);
  }
  for (const auto& function : calls) function();
}

void EventLoop::call_after(std::chrono::milliseconds delay, std::function<void()> function) {
  timers_.emplace(Clock::now() + delay, std::move(function));
}

void EventLoop::run_timers() {
  const auto now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) timers_.extract(timers_.begin()).mapped()();
}

}  // namespace reqld::server
