#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/event_loop.hpp"
#include "server/watched_fd.hpp"

using namespace reqld::server;
using namespace std::chrono_literals;

namespace {

/// Both ends of a connection; the near one is given away.
struct Ends {
  Ends() {
    int fds[2] = {-1, -1};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    near = fds[0];
    far = fds[1];
  }
  ~Ends() { hang_up(); }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  void say(std::size_t bytes) const {
    const std::vector<char> text(bytes, 'x');
    REQUIRE(send(far, text.data(), bytes, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes));
  }
  void hang_up() {
    if (far >= 0) close(far);
    far = -1;
  }

  int near = -1;
  int far = -1;
};

/// Calls functions, and counts.
struct Observer final : FdObserver {
  void on_readable(bool alive) override {
    ++(alive ? readable : ended);
    if (when_readable) when_readable();
  }
  void on_writable(bool alive) override {
    ++(alive ? writable : ended);
    if (when_writable) when_writable();
  }

  int readable = 0;
  int writable = 0;
  int ended = 0;
  std::function<void()> when_readable;
  std::function<void()> when_writable;
};

void read_all(int fd) {
  std::array<char, 256> room;
  while (recv(fd, room.data(), room.size(), 0) > 0) {
  }
}

struct Numbered final : Message {
  void deliver() override { to->push_back(number); }
  std::vector<int>* to = nullptr;
  int number = 0;
};

}  // namespace

TEST_CASE("messages of many threads wake the loop, those of one in their order") {
  constexpr int kThreads = 4;
  constexpr int kMessages = 5000;
  EventLoop loop;
  std::vector<int> delivered;
  std::vector<std::vector<Numbered>> messages;
  for (int t = 0; t < kThreads; ++t) {
    auto& own = messages.emplace_back(std::vector<Numbered>(kMessages));
    for (int i = 0; i < kMessages; ++i) {
      own[static_cast<std::size_t>(i)].to = &delivered;
      own[static_cast<std::size_t>(i)].number = t * kMessages + i;
    }
  }
  loop.set_after_turn([&] {
    // Again and again, which must not keep it from ending.
    if (delivered.size() == kThreads * kMessages) loop.stop();
  });
  std::thread runs([&] { loop.run(); });
  std::vector<std::thread> threads;
  for (auto& own : messages) {
    threads.emplace_back([&loop, &own] {
      for (Numbered& message : own) loop.post(message);
    });
  }
  for (auto& thread : threads) thread.join();
  runs.join();
  REQUIRE(delivered.size() == kThreads * kMessages);
  std::array<int, kThreads> last;
  last.fill(-1);
  for (const int number : delivered) {
    int& before = last[static_cast<std::size_t>(number / kMessages)];
    CHECK(number % kMessages == before + 1);
    before = number % kMessages;
  }
}

TEST_CASE("one message at a time wakes a loop that sleeps") {
  EventLoop loop;
  std::thread runs([&] { loop.run(); });
  for (int i = 0; i < 2000; ++i) {
    std::atomic<bool> done{false};
    loop.call([&] {
      done.store(true);
      done.notify_one();
    });
    done.wait(false);
  }
  loop.stop();
  runs.join();
}

TEST_CASE("calls and timers come in order, and none after the loop has stopped") {
  EventLoop loop;
  std::vector<int> order;
  loop.call([&] {
    order.push_back(1);
    loop.call_after(30ms, [&] {
      order.push_back(5);
      loop.call_after(1h, [&] { order.push_back(-1); });
      loop.call([&] { order.push_back(6); });
      loop.stop();
      loop.call([&] { order.push_back(7); });
    });
    loop.call_after(1ms, [&] { order.push_back(4); });
    // In the next turn, where timers come first.
    loop.call([&] { order.push_back(3); });
    loop.call_after(0ms, [&] { order.push_back(2); });
  });
  loop.run();
  CHECK(order == std::vector{1, 2, 3, 4, 5, 6, 7});
  loop.call([&] { order.push_back(-1); });  // destroyed with the loop
}

TEST_CASE("the hook ends each turn") {
  EventLoop loop;
  std::vector<char> seen;
  Ends ends;
  WatchedFd fd(loop, ends.near);
  Observer observer;
  observer.when_readable = [&] {
    seen.push_back('r');
    loop.stop();
  };
  loop.set_after_turn([&] { seen.push_back('.'); });
  fd.wait_readable(observer);
  loop.call([&] {
    seen.push_back('c');
    ends.say(1);
  });
  loop.run();
  CHECK(std::string(seen.begin(), seen.end()) == "c.r.");
}

TEST_CASE("a descriptor is ready once for each wait, as long as something is left to read") {
  EventLoop loop;
  Ends ends;
  WatchedFd fd(loop, ends.near);
  Observer observer;
  observer.when_readable = [&] {
    if (observer.readable < 3) return fd.wait_readable(observer);
    read_all(fd.fd());
    fd.wait_readable(observer);
    loop.call_after(20ms, [&] { loop.stop(); });
  };
  fd.wait_readable(observer);
  ends.say(10);
  loop.run();
  CHECK(observer.readable == 3);
  CHECK(observer.ended == 0);
  fd.close();
}

TEST_CASE("both waits of a descriptor are answered") {
  EventLoop loop;
  Ends ends;
  WatchedFd fd(loop, ends.near);
  Observer observer;
  SUBCASE("one after the other") {
    observer.when_writable = [&] { ends.say(1); };
    observer.when_readable = [&] { loop.stop(); };
  }
  SUBCASE("in one turn") {
    ends.say(1);
    observer.when_writable = [&] { loop.stop(); };
  }
  SUBCASE("of a broken connection") {
    ends.hang_up();
    observer.when_writable = [&] { loop.stop(); };
  }
  fd.wait_readable(observer);
  fd.wait_writable(observer);
  loop.run();
  CHECK(observer.readable == 1);
  CHECK(observer.writable == 1);
  CHECK(observer.ended == 0);
}

TEST_CASE("what nobody waits for does not keep the loop awake") {
  EventLoop loop;
  Ends ends;
  WatchedFd fd(loop, ends.near);
  Observer observer;
  int turns = 0;
  loop.set_after_turn([&] { ++turns; });
  observer.when_readable = [&] { loop.call_after(30ms, [&] { loop.stop(); }); };
  SUBCASE("bytes") { ends.say(5); }
  SUBCASE("room to write") {
    ends.say(5);
    fd.wait_writable(observer);
  }
  SUBCASE("a connection that has broken") {
    ends.say(5);
    ends.hang_up();
  }
  fd.wait_readable(observer);
  loop.run();
  CHECK(observer.readable == 1);
  CHECK(turns < 10);
}

TEST_CASE("a descriptor that was not waited for is heard of again") {
  EventLoop loop;
  Ends ends;
  WatchedFd fd(loop, ends.near);
  Observer observer;
  observer.when_readable = [&] {
    if (observer.readable == 2) return loop.stop();
    // Long enough for the loop to have turned its back on it.
    loop.call_after(20ms, [&] { fd.wait_readable(observer); });
  };
  ends.say(5);
  fd.wait_readable(observer);
  loop.run();
  CHECK(observer.readable == 2);
}

TEST_CASE("closing ends the waits, later") {
  EventLoop loop;
  Ends ends;
  WatchedFd fd(loop, ends.near);
  Observer observer;
  int ended_in_call = -1;
  fd.wait_readable(observer);
  fd.wait_writable(observer);
  observer.when_writable = [&] {
    if (!fd.is_open()) return;
    fd.wait_writable(observer);
    fd.close();
    ended_in_call = observer.ended;
    loop.stop();
  };
  loop.run();
  CHECK(ended_in_call == 0);
  CHECK(observer.ended == 2);
  CHECK(observer.readable == 0);
  CHECK_FALSE(fd.is_open());
}

TEST_CASE("one that is destroyed in a turn hears nothing more of that turn") {
  EventLoop loop;
  Ends ends[2];
  std::array<std::unique_ptr<WatchedFd>, 2> fds;
  std::array<Observer, 2> observers;
  int heard = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    fds[i] = std::make_unique<WatchedFd>(loop, ends[i].near);
    ends[i].say(1);
  }
  SUBCASE("while it waits") {
    for (std::size_t i = 0; i < 2; ++i) {
      observers[i].when_readable = [&, i] {
        ++heard;
        if (heard == 1) fds[1 - i]->close();
        if (heard == 2) loop.stop();
      };
    }
  }
  SUBCASE("while it does not wait") {
    // Both are watched still, and ready in each turn; whoever is heard of first takes the other away.
    for (std::size_t i = 0; i < 2; ++i) {
      observers[i].when_readable = [&, i] {
        if (++heard != 2) return;
        fds[0].reset();
        fds[1].reset();
        loop.stop();
      };
    }
  }
  for (std::size_t i = 0; i < 2; ++i) fds[i]->wait_readable(observers[i]);
  loop.run();
  CHECK(heard == 2);
}
