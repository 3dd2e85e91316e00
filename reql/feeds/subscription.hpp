// The queue of one feed.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include "reql/feeds/feed_change.hpp"

namespace reqld::reql {

/// Filled by the hub, emptied by the feed's query. Thread-safe.
class Subscription {
 public:
  using Clock = std::chrono::steady_clock;

  /// `delay`: how long what comes first waits for more, until the query is told.
  Subscription(std::size_t capacity, std::chrono::microseconds delay) : capacity_(capacity), delay_(delay) {}

  /// Past the capacity changes are dropped and counted. True: nothing was there that is not announced yet.
  bool push(FeedChangeRef change);
  /// Tells the query of what was pushed. Answers when alarm() is to be called, if it is.
  std::optional<Clock::time_point> announce();
  /// What is watched is gone.
  void abort();
  /// So much was lost before it could be pushed.
  void lose(std::size_t changes);
  /// Answers when it is to be called again, if it is.
  std::optional<Clock::time_point> alarm(Clock::time_point now);
  /// The query wants to be told at `when`, whatever has come by then. Answers whether alarm() is to be called
  /// then, because no earlier call is due.
  bool wake_at(Clock::time_point when);

  /// Moves what has come behind `out`; `skipped` gets the number of changes lost before those. False: what is
  /// watched is gone.
  bool take(std::deque<FeedChangeRef>& out, std::size_t& skipped);
  /// Whether take() has something to tell. When not, `wake` is called once as soon as it has.
  bool ready(const std::function<void()>& wake);

 private:
  bool crowded() const;
  bool due(Clock::time_point now) const;
  void notify(std::unique_lock<std::mutex>& lock);

  const std::size_t capacity_;
  const std::chrono::microseconds delay_;
  std::mutex mutex_;
  std::deque<FeedChangeRef> changes_;
  std::size_t skipped_ = 0;
  bool aborted_ = false;
  bool unannounced_ = false;
  std::optional<Clock::time_point> due_at_;  ///< of what has come, where that waits
  std::optional<Clock::time_point> wake_at_;
  std::optional<Clock::time_point> alarm_at_;  ///< of the call that wake_at() asked for
  std::function<void()> wake_;
};

}  // namespace reqld::reql
