// Shared by the network tests of http_fetch.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "http_fetch/fetcher.hpp"
#include "test_server.hpp"

namespace reqld::http_fetch::test {

using namespace std::chrono_literals;

inline std::unique_ptr<Fetcher> make_fetcher(Options options = {}) {
  auto result = Fetcher::create(std::move(options));
  REQUIRE(result.ok());
  return std::move(*result);
}

inline Request get(const std::string& url) {
  Request request;
  request.url = url;
  request.timeout = 20s;
  return request;
}

/// Collects outcomes of any number of requests.
class Outcomes {
 public:
  Callback callback() {
    return [this](Outcome outcome) {
      std::lock_guard lock(mutex_);
      all_.push_back(std::move(outcome));
      changed_.notify_all();
    };
  }
  /// Waits until there are `count`; fails the test after a minute.
  const std::vector<Outcome>& wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, 60s, [&] { return all_.size() >= count; }));
    return all_;
  }
  std::size_t size() {
    std::lock_guard lock(mutex_);
    return all_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Outcome> all_;
};

inline Outcome fetch(Fetcher& fetcher, Request request) {
  auto done = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> outcome = done->get_future();
  fetcher.submit(std::move(request), [done](Outcome o) { done->set_value(std::move(o)); });
  REQUIRE(outcome.wait_for(60s) == std::future_status::ready);
  return outcome.get();
}

/// Waits for a condition; fails the test after a minute.
inline void eventually(const std::function<bool()>& condition) {
  auto until = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) FAIL("waited for a minute");
    std::this_thread::sleep_for(1ms);
  }
}

inline std::string message_of(const Outcome& outcome) {
  REQUIRE_FALSE(outcome.ok());
  return outcome.error().message;
}

inline std::string no_answer(const std::string& method, const std::string& url, const std::string& reason) {
  return "Error in HTTP " + method + " of `" + url + "`: " + reason + ".\nheader:\nnull\nbody:\nnull";
}

}  // namespace reqld::http_fetch::test
