#include "server/event_loop.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "server/event_loop_impl.hpp"

namespace reqld::server {

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() {
  impl_->io.run();
}

void EventLoop::stop() {
  // Twice: what the handler running now leaves behind (ended waits) is queued when it returns, maybe after
  // the first.
  boost::asio::post(impl_->io, [this] {
    deliver_messages();
    boost::asio::post(impl_->io, [this] { impl_->io.stop(); });
  });
}

void EventLoop::post(Message& message) {
  Message* head = inbox_.load(std::memory_order_relaxed);
  do {
    message.next_ = head;
  } while (
      !inbox_.compare_exchange_weak(head, &message, std::memory_order_acq_rel, std::memory_order_relaxed));
  // The first one in wakes the loop for all that follow.
  if (head == nullptr) boost::asio::post(impl_->io, [this] { deliver_messages(); });
}

void EventLoop::deliver_messages() {
  Message* newest = inbox_.exchange(nullptr, std::memory_order_acq_rel);
  Message* oldest = nullptr;
  while (newest != nullptr) {
    Message* const next = newest->next_;
    newest->next_ = oldest;
    oldest = newest;
    newest = next;
  }
  delivering_ = true;
  while (oldest != nullptr) {
    // Read first: a delivered message may be posted again, or be gone.
    Message* const next = oldest->next_;
    oldest->deliver();
    oldest = next;
  }
  delivering_ = false;
  if (after_messages_) after_messages_();
}

void EventLoop::call(std::function<void()> function) {
  boost::asio::post(impl_->io, std::move(function));
}

void EventLoop::call_after(std::chrono::milliseconds delay, std::function<void()> function) {
  auto timer = std::make_unique<boost::asio::steady_timer>(impl_->io, delay);
  boost::asio::steady_timer& waiting = *timer;
  waiting.async_wait(
      [timer = std::move(timer), function = std::move(function)](const boost::system::error_code& error) {
        if (!error) function();
      });
}

}  // namespace reqld::server
