// A language of a few words, to test the server without the real one. The term of a START is one of:
//   a number            answers it
//   "suspend"           waits for another thread, then answers 1
//   ["heavy",n]         runs n milliseconds on the worker pool, then answers n
//   ["stream",n]        n batches of one row, the last one a sequence
//   "feed"              partials, each when FakeHost::publish is called; FakeHost::disturb wakes it for
//   nothing "block"             until cancelled or FakeHost::release_blocked
//   ["yield",n]         yields n times, then answers n
//   ["big",n]           a string of n characters
//   ["endless",n]       partials of n characters for ever
//   ["read",n]          is about to read a row with the key n, twice, then answers n
//   ["reads",n]         is about to read a row n times, then answers n
//   "throw"             throws a std::runtime_error
// With `"noreply":true` in the options it answers nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/query_host.hpp"
#include "storage/database.hpp"

namespace reqld::server::testing {

/// Calls functions from a thread of its own.
class OtherThread {
 public:
  OtherThread() : thread_([this] { run(); }) {}
  ~OtherThread() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void call(std::function<void()> function) {
    {
      const std::lock_guard lock(mutex_);
      functions_.push_back(std::move(function));
    }
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stop_ || !functions_.empty(); });
      if (functions_.empty()) return;
      const auto functions = std::exchange(functions_, {});
      lock.unlock();
      for (const auto& function : functions) function();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void()>> functions_;
  bool stop_ = false;
  std::thread thread_;
};

class FakeHost;

class FakeQuery final : public reql::Query {
 public:
  FakeQuery(FakeHost& host, std::string body);
  ~FakeQuery() override;

  bool noreply() const override { return body_.find("\"noreply\":true") != std::string::npos; }
  reql::Reply start(reql::Suspender& suspender) override;
  reql::Reply next(reql::Suspender& suspender) override;
  bool ready(std::function<void()> wake) override;
  void cancel() override;

  void publish();
  void disturb();
  void release();

 private:
  void wake();
  bool is(const char* word) const { return body_.find("\"" + std::string(word) + "\"") != std::string::npos; }
  long number() const {
    const std::size_t at = body_.find_first_of("0123456789-", is_list() ? body_.find("\",") : 3);
    return at == std::string::npos ? 0 : std::strtol(body_.c_str() + at, nullptr, 10);
  }
  bool is_list() const { return body_.starts_with("[1,["); }
  static reql::Reply atom(std::string rows) {
    reql::Reply reply;
    reply.rows = std::move(rows);
    return reply;
  }
  static reql::Reply partial(std::string rows) {
    reql::Reply reply = atom(std::move(rows));
    reply.type = reql::ReplyType::kPartial;
    return reply;
  }

  FakeHost& host_;
  std::string body_;
  std::mutex mutex_;
  std::function<void()> wake_;    // of a feed
  std::function<void()> resume_;  // of a blocked one
  long published_ = 0;
  long sent_ = 0;
  bool disturbed_ = false;
  bool released_ = false;
  std::atomic<bool> cancelled_{false};
};

class FakeHost final : public QueryHost {
 public:
  std::unique_ptr<reql::Query> make_query(const reql::ClientInfo& client, std::string body) override {
    {
      const std::lock_guard lock(mutex_);
      last_user_ = client.user;
    }
    return std::make_unique<FakeQuery>(*this, std::move(body));
  }
  protocol::Credentials credentials(const std::string& user) override {
    return user == "admin" ? admin_ : protocol::Credentials{};
  }
  std::string server_id() const override { return "00000000-0000-4000-8000-000000000001"; }
  std::string server_name() const override { return "fake"; }

  void prefetch(std::span<const storage::RowPlace> rows) override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string>& keys = prefetched_.emplace_back();
    for (const storage::RowPlace& row : rows) keys.emplace_back(row.key);
  }
  /// The keys of each time since the last call.
  std::vector<std::vector<std::string>> take_prefetched() {
    const std::lock_guard lock(mutex_);
    return std::exchange(prefetched_, {});
  }

  /// One more row on every feed.
  void publish() {
    const std::lock_guard lock(mutex_);
    for (FakeQuery* query : queries_) query->publish();
  }
  /// Wakes every feed, without a row.
  void disturb() {
    const std::lock_guard lock(mutex_);
    for (FakeQuery* query : queries_) query->disturb();
  }
  void release_blocked() {
    const std::lock_guard lock(mutex_);
    for (FakeQuery* query : queries_) query->release();
  }
  std::size_t alive() {
    const std::lock_guard lock(mutex_);
    return queries_.size();
  }
  /// Runs on the thread that wakes queries, and holds up what comes behind it.
  void call_on_waking_thread(std::function<void()> function) { other_.call(std::move(function)); }
  std::size_t blocked() const { return blocked_.load(); }
  std::size_t waiting_feeds() const { return waiting_feeds_.load(); }
  std::size_t cancels() const { return cancels_.load(); }
  std::string last_user() {
    const std::lock_guard lock(mutex_);
    return last_user_;
  }

 private:
  friend class FakeQuery;
  protocol::Credentials admin_ = protocol::make_credentials("secret", 16);
  std::mutex mutex_;
  std::set<FakeQuery*> queries_;
  std::string last_user_;
  std::vector<std::vector<std::string>> prefetched_;
  std::atomic<std::size_t> blocked_{0};
  std::atomic<std::size_t> waiting_feeds_{0};
  std::atomic<std::size_t> cancels_{0};
  OtherThread other_;
};

inline FakeQuery::FakeQuery(FakeHost& host, std::string body) : host_(host), body_(std::move(body)) {
  const std::lock_guard lock(host_.mutex_);
  host_.queries_.insert(this);
}

inline FakeQuery::~FakeQuery() {
  const std::lock_guard lock(host_.mutex_);
  host_.queries_.erase(this);
}

inline reql::Reply FakeQuery::start(reql::Suspender& suspender) {
  if (is("suspend")) {
    const int value =
        reql::await_value<int>(suspender, [&](auto done) { host_.other_.call([done] { done(1); }); });
    return atom(std::to_string(value));
  }
  if (is("heavy")) {
    suspender.move_to_pool();
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(number());
    while (std::chrono::steady_clock::now() < until && !cancelled_.load()) suspender.yield();
    // And once more from there.
    suspender.await([&](std::function<void()> resume) { host_.other_.call(std::move(resume)); });
    return atom(std::to_string(number()));
  }
  if (is("block")) {
    ++host_.blocked_;
    suspender.await([&](std::function<void()> resume) {
      std::unique_lock lock(mutex_);
      if (cancelled_.load() || released_) {
        lock.unlock();
        resume();
        return;
      }
      resume_ = std::move(resume);
    });
    --host_.blocked_;
    return atom("\"unblocked\"");
  }
  if (is("yield")) {
    for (long i = 0; i < number(); ++i) suspender.yield();
    return atom(std::to_string(number()));
  }
  if (is("read")) {
    const std::string key = std::to_string(number());
    for (int row = 0; row < 2; ++row) suspender.gather({nullptr, key});
    return atom(key);
  }
  if (is("reads")) {
    for (long row = 0; row < number(); ++row) suspender.gather({nullptr, body_});
    return atom(std::to_string(number()));
  }
  if (is("throw")) throw std::runtime_error("as asked");
  if (is("big")) return atom('"' + std::string(static_cast<std::size_t>(number()), 'x') + '"');
  if (is("feed")) return partial("");
  if (is("stream") || is("endless")) return next(suspender);
  return atom(std::to_string(number()));
}

inline reql::Reply FakeQuery::next(reql::Suspender&) {
  if (is("endless")) return partial('"' + std::string(static_cast<std::size_t>(number()), 'x') + '"');
  if (is("stream")) {
    reql::Reply reply = partial(std::to_string(sent_));
    if (++sent_ == number()) reply.type = reql::ReplyType::kSequence;
    return reply;
  }
  const std::lock_guard lock(mutex_);
  if (std::exchange(disturbed_, false)) {
    reql::Reply reply = partial("");
    reply.idle = true;
    return reply;
  }
  return partial(std::to_string(++sent_));
}

inline bool FakeQuery::ready(std::function<void()> wake) {
  if (!is("feed")) return true;
  const std::lock_guard lock(mutex_);
  if (sent_ < published_ || disturbed_ || cancelled_.load()) return true;
  wake_ = std::move(wake);
  ++host_.waiting_feeds_;
  return false;
}

inline void FakeQuery::publish() {
  {
    const std::lock_guard lock(mutex_);
    ++published_;
  }
  wake();
}

inline void FakeQuery::disturb() {
  {
    const std::lock_guard lock(mutex_);
    disturbed_ = true;
  }
  wake();
}

inline void FakeQuery::wake() {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    wake = std::exchange(wake_, nullptr);
  }
  if (wake) {
    --host_.waiting_feeds_;
    wake();
  }
}

inline void FakeQuery::release() {
  std::function<void()> resume;
  {
    const std::lock_guard lock(mutex_);
    released_ = true;
    resume = std::exchange(resume_, nullptr);
  }
  if (resume) host_.other_.call(std::move(resume));
}

inline void FakeQuery::cancel() {
  ++host_.cancels_;
  std::function<void()> wake;
  std::function<void()> resume;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    wake = std::exchange(wake_, nullptr);
    resume = std::exchange(resume_, nullptr);
  }
  if (wake) {
    --host_.waiting_feeds_;
    host_.other_.call(std::move(wake));
  }
  if (resume) host_.other_.call(std::move(resume));
}

}  // namespace reqld::server::testing
