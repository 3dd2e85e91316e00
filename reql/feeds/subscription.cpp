#include "reql/feeds/subscription.hpp"

#include <utility>

namespace reqld::reql {

void Subscription::notify(std::unique_lock<std::mutex>& lock) {
  if (!wake_) return;
  const std::function<void()> wake = std::exchange(wake_, nullptr);
  lock.unlock();
  wake();
}

bool Subscription::push(FeedChangeRef change) {
  const std::lock_guard lock(mutex_);
  if (changes_.size() >= capacity_) {
    // As recorded: what could not be kept is dropped with all that waits, and counted.
    skipped_ += changes_.size() + 1;
    changes_.clear();
  } else {
    changes_.push_back(std::move(change));
  }
  return !std::exchange(unannounced_, true);
}

std::optional<Subscription::Clock::time_point> Subscription::announce() {
  std::unique_lock lock(mutex_);
  unannounced_ = false;
  if (delay_.count() == 0) {
    notify(lock);
    return std::nullopt;
  }
  if (crowded()) {
    due_at_ = Clock::now();
    notify(lock);
    return std::nullopt;
  }
  if (due_at_) return std::nullopt;
  return due_at_ = Clock::now() + delay_;
}

void Subscription::abort() {
  std::unique_lock lock(mutex_);
  aborted_ = true;
  notify(lock);
}

void Subscription::lose(std::size_t changes) {
  const std::lock_guard lock(mutex_);
  skipped_ += changes_.size() + changes;
  changes_.clear();
}

bool Subscription::wake_at(Clock::time_point when) {
  const std::lock_guard lock(mutex_);
  wake_at_ = when;
  if (alarm_at_ && *alarm_at_ <= when) return false;
  alarm_at_ = when;
  return true;
}

std::optional<Subscription::Clock::time_point> Subscription::alarm(Clock::time_point now) {
  std::unique_lock lock(mutex_);
  if (alarm_at_ && now >= *alarm_at_) alarm_at_ = wake_at_ && *wake_at_ > now ? wake_at_ : std::nullopt;
  const std::optional<Clock::time_point> again = alarm_at_;
  if (due(now)) notify(lock);
  return again;
}

bool Subscription::due(Clock::time_point now) const {
  if (aborted_ || (wake_at_ && now >= *wake_at_)) return true;
  if (changes_.empty() && skipped_ == 0) return false;
  return !due_at_ || crowded() || now >= *due_at_;
}

// As recorded: however long changes are to be gathered for, they are told before the queue runs over.
bool Subscription::crowded() const { return skipped_ > 0 || changes_.size() > capacity_ / 2; }

bool Subscription::take(std::deque<FeedChangeRef>& out, std::size_t& skipped) {
  const std::lock_guard lock(mutex_);
  wake_at_.reset();
  skipped = 0;
  // Being asked early (by another part of the feed) ends no waiting.
  if (due_at_ && !aborted_ && !crowded() && Clock::now() < *due_at_) return true;
  due_at_.reset();
  skipped = std::exchange(skipped_, 0);
  if (out.empty()) {
    out.swap(changes_);
  } else {
    for (FeedChangeRef& change : changes_) out.push_back(std::move(change));
    changes_.clear();
  }
  return !aborted_;
}

bool Subscription::ready(const std::function<void()>& wake) {
  const std::lock_guard lock(mutex_);
  if (aborted_ || (delay_.count() == 0 && (!changes_.empty() || skipped_ > 0))) return true;
  if ((due_at_ || wake_at_) && due(Clock::now())) return true;
  wake_ = wake;
  return false;
}

}  // namespace reqld::reql
