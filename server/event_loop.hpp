// One thread's event loop: Asio behind it, a queue for other threads to wake it by.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

namespace reqld::server {

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

/// Thread-safe where it says so; everything else on the loop's thread, or before run().
class EventLoop {
 public:
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

  /// Any thread; allocates.
  void call(std::function<void()> function);

  /// `hook` runs after each batch of messages.
  void set_after_messages(std::function<void()> hook) { after_messages_ = std::move(hook); }
  /// Whether a batch is under way, so that the hook is still to come.
  bool delivering() const { return delivering_; }

  /// Runs `function` once after `delay`, unless the loop has stopped by then.
  void call_after(std::chrono::milliseconds delay, std::function<void()> function);

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  void deliver_messages();

  std::unique_ptr<Impl> impl_;
  std::atomic<Message*> inbox_{nullptr};  ///< newest first
  std::function<void()> after_messages_;
  bool delivering_ = false;
};

}  // namespace reqld::server
