#include "storage/engine/request_queue.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <thread>
#include <vector>

namespace reqld::storage {
namespace {

using namespace std::chrono_literals;

struct Numbered final : EngineRequest {
  Numbered(int thread_number, int own_number) : EngineRequest(Durability::kSoft), thread(thread_number), number(own_number) {}
  Result<void> run(WriteTxn&) override { return {}; }
  void finished(Result<Sequence>) override {}
  const int thread;
  const int number;
};

TEST_CASE("requests come out in the order they were added, once") {
  RequestQueue queue;
  std::vector<EngineRequest*> taken;
  CHECK_FALSE(queue.take(taken));
  Numbered first(0, 0);
  Numbered second(0, 1);
  queue.add(first);
  queue.add(second);
  REQUIRE(queue.take(taken));
  CHECK(taken == std::vector<EngineRequest*>{&first, &second});
  CHECK_FALSE(queue.take(taken));
  CHECK(taken.empty());
}

TEST_CASE("a sleep ends with its time, and at once when there is something to do") {
  RequestQueue queue;
  CHECK_FALSE(queue.sleep(1ms));
  queue.wake();
  CHECK(queue.sleep(std::nullopt));
  CHECK_FALSE(queue.sleep(1ms));
  Numbered request(0, 0);
  queue.add(request);
  CHECK(queue.sleep(std::nullopt));
  std::vector<EngineRequest*> taken;
  CHECK(queue.take(taken));
  // Posts that nobody waited for do not end a later sleep.
  queue.wake();
  queue.wake();
  CHECK(queue.sleep(std::nullopt));
  CHECK_FALSE(queue.sleep(1ms));
}

TEST_CASE("a sleeping taker misses nothing of many threads, and keeps the order of each") {
  constexpr int kThreads = 3;
  constexpr int kEach = 20'000;
  RequestQueue queue;
  std::vector<std::thread> adders;
  std::vector<std::deque<Numbered>> requests(kThreads);
  std::atomic<int> answered{0};
  for (int t = 0; t < kThreads; ++t) {
    adders.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        queue.add(requests[static_cast<std::size_t>(t)].emplace_back(t, i));
        // So that the taker falls asleep now and then.
        while (i % 64 == 0 && answered.load() < i) std::this_thread::yield();
      }
    });
  }
  std::vector<int> next(kThreads, 0);
  std::vector<EngineRequest*> taken;
  for (int count = 0; count < kThreads * kEach;) {
    if (!queue.take(taken)) {
      REQUIRE(queue.sleep(60s));
      continue;
    }
    for (const EngineRequest* request : taken) {
      const auto& numbered = static_cast<const Numbered&>(*request);
      REQUIRE(numbered.number == next[static_cast<std::size_t>(numbered.thread)]++);
    }
    count += static_cast<int>(taken.size());
    answered.store(count);
  }
  for (std::thread& thread : adders) thread.join();
  CHECK_FALSE(queue.take(taken));
}

}  // namespace
}  // namespace reqld::storage
