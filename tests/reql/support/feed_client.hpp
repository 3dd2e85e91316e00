// A feed of an in-process engine, read by a thread of the test's.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "datum/datum.hpp"
#include "datum/json.hpp"
#include "tests/reql/support/in_process.hpp"

namespace reqld::reql {

/// For one thread at a time.
class FeedClient {
 public:
  /// `term` is a feed. Errors come out of next(). `options` are those of the query, without braces.
  FeedClient(InProcess& process, const std::string& term, const std::string& options = "")
      : query_(process.query("[1," + term + ",{" + options + "}]")) {
    take(query_->start(suspender_));
  }
  ~FeedClient() { query_->cancel(); }

  /// The next element, waiting for it until `deadline`; nullopt when none came, or the feed has ended.
  std::optional<Datum> next(std::chrono::steady_clock::time_point deadline) {
    while (elements_.empty() && !error_) {
      const auto waiter = std::make_shared<Waiter>();
      if (!query_->ready([waiter] { waiter->wake(); }) && !waiter->wait(deadline)) return std::nullopt;
      take(query_->next(suspender_));
    }
    if (elements_.empty()) return std::nullopt;
    Datum element = std::move(elements_.front());
    elements_.pop_front();
    return element;
  }
  std::optional<Datum> next() { return next(std::chrono::steady_clock::now() + std::chrono::seconds(60)); }
  /// Whether there is something now.
  std::optional<Datum> poll() { return next(std::chrono::steady_clock::now()); }

  /// What ended it.
  const std::optional<std::string>& error() const { return error_; }
  std::size_t at_hand() const { return elements_.size(); }

 private:
  struct Waiter {
    void wake() {
      const std::lock_guard lock(mutex);
      woken = true;
      changed.notify_one();
    }
    bool wait(std::chrono::steady_clock::time_point deadline) {
      std::unique_lock lock(mutex);
      return changed.wait_until(lock, deadline, [this] { return woken; });
    }
    std::mutex mutex;
    std::condition_variable changed;
    bool woken = false;
  };

  void take(Reply reply) {
    if (reply.type != ReplyType::kPartial) {
      error_ = reply.rows;
      return;
    }
    const Datum rows = parse_json("[" + reply.rows + "]");
    for (std::size_t i = 0; i < rows.array_size(); ++i) elements_.push_back(rows.at(i).compact());
  }

  BlockingSuspender suspender_;
  std::unique_ptr<Query> query_;
  std::deque<Datum> elements_;
  std::optional<std::string> error_;
};

}  // namespace reqld::reql
