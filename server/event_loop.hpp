// One thread's event loop: the descriptors whose readiness it watches (WatchedFd), timers, and a queue for other
// threads to wake it by.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace reqld::server {

class WatchedFd;

/// Something that another thread (or the loop's own) wants the loop to do. Intrusive: the caller owns it, and
/// it must not be posted again before it was delivered.
class Message {
 public:
  /// Called on the loop's thread.
  virtual void deliver() = 0;

 protected:
  Message() = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message() = default;

 private:
  friend class EventLoop;
  Message* next_ = nullptr;
};

/// Works in turns: what is ready, timers that have come, messages, and then the hook. Thread-safe where it says
/// so; everything else on the loop's thread, or before run().
class EventLoop {
 public:
  /// Throws std::system_error when the process has no descriptors left.
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs on the calling thread until stop().
  void run();

  /// Any thread. What was posted before is still delivered.
  void stop();

  /// Any thread. Messages of one thread are delivered in their order; many of them cost one wake-up.
  void post(Message& message);

  /// Any thread; allocates. Calls of one thread run in their order. One that never comes to its turn is
  /// destroyed with the loop.
  void call(std::function<void()> function);

  /// Whether descriptors were seen to be ready whose observers have not been called yet.
  bool more_ready() const { return next_event_ < events_seen_; }

  /// `hook` runs at the end of each turn.
  void set_after_turn(std::function<void()> hook) { after_turn_ = std::move(hook); }

  /// Runs `function` once after `delay`, unless the loop has stopped by then.
  void call_after(std::chrono::milliseconds delay, std::function<void()> function);

 private:
  friend class WatchedFd;
  using Clock = std::chrono::steady_clock;

  struct Calls final : Message {
    explicit Calls(EventLoop& owner) : loop(owner) {}
    void deliver() override { loop.run_calls(); }
    EventLoop& loop;
  };

  /// No message, only a mark.
  struct Asleep final : Message {
    void deliver() override {}
  };

  /// Has `fd` watched for `events` (of epoll; 0: not at all) instead of `watched_events`. False: the system
  /// has no room for it.
  bool watch(WatchedFd& fd, int number, std::uint32_t watched_events, std::uint32_t events);
  /// `fd` is to hear of nothing any more, not even of what has been seen already.
  void forget(const WatchedFd& fd);

  void turn();
  void wait_for_events();
  int milliseconds_to_sleep() const;
  void deliver_messages();
  void run_calls();
  void run_timers();

  int epoll_;
  int wake_up_;  ///< an eventfd: writing to it ends a sleep
  bool stopping_ = false;
  std::atomic<Message*> inbox_{nullptr};  ///< newest first; `asleep_`: nothing, and whoever posts has to wake the loop
  Asleep asleep_;
  std::atomic<unsigned> wakers_{0};  ///< threads that may be about to wake the loop
  std::array<epoll_event, 32> events_;
  std::size_t events_seen_ = 0;  ///< of this turn
  std::size_t next_event_ = 0;
  std::function<void()> after_turn_;
  std::multimap<Clock::time_point, std::function<void()>> timers_;
  Calls calls_message_{*this};
  std::mutex calls_mutex_;
  std::vector<std::function<void()>> calls_;
};

}  // namespace reqld::server
