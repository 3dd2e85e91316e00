// Many connections at once, and clients that behave badly. How long: REQLD_STRESS_MS (default 500) per case.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/test_client.hpp"

using namespace reqld::server;
using namespace reqld::server::testing;

namespace {

std::chrono::milliseconds stress_time() {
  const char* const text = std::getenv("REQLD_STRESS_MS");
  return std::chrono::milliseconds(text != nullptr ? std::atoi(text) : 500);
}

std::string random_query(std::mt19937& random) {
  switch (random() % 8) {
    case 0:
      return R"([1,"suspend"])";
    case 1:
      return R"([1,["heavy",1]])";
    case 2:
      return R"([1,["yield",5]])";
    case 3:
      return R"([1,["big",)" + std::to_string(random() % 50'000) + "]]";
    case 4:
      return R"([1,["stream",3]])";
    default:
      return "[1," + std::to_string(random() % 1000) + "]";
  }
}

}  // namespace

TEST_CASE("64 connections with 16 outstanding queries each") {
  TestServer server;
  const auto until = std::chrono::steady_clock::now() + stress_time();
  std::atomic<std::uint64_t> answered{0};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      struct Connection {
        TestClient client;
        std::map<std::uint64_t, std::string> outstanding;
        std::uint64_t next_token = 1;
      };
      std::vector<Connection> connections;
      for (int i = 0; i < 16; ++i) connections.push_back({server.log_in(), {}, 1});
      const auto ask = [&](Connection& connection) {
        const std::string query = random_query(random);
        connection.client.query(connection.next_token, query);
        connection.outstanding.emplace(connection.next_token++, query);
      };
      for (auto& connection : connections) {
        for (int i = 0; i < 16; ++i) ask(connection);
      }
      bool more = true;
      while (more) {
        more = false;
        for (auto& connection : connections) {
          if (connection.outstanding.empty()) continue;
          more = true;
          const Frame frame = connection.client.read_frame();
          const auto query = connection.outstanding.find(frame.token);
          if (query == connection.outstanding.end()) {
            ++wrong;
            continue;
          }
          if (frame.json.starts_with(R"({"t":3,)")) {
            connection.client.query(frame.token, random() % 3 == 0 ? "[3]" : "[2]");
            continue;
          }
          const bool stream = query->second.find("stream") != std::string::npos;
          if (!frame.json.starts_with(stream ? R"({"t":2,)" : R"({"t":1,)")) ++wrong;
          ++answered;
          connection.outstanding.erase(query);
          if (std::chrono::steady_clock::now() < until) ask(connection);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(answered >= 4 * 16 * 16);
  CHECK(eventually([&] { return server.host.alive() == 0; }));
  CHECK(server.counters().running == 0);
  CHECK(server.counters().open_cursors == 0);
}

TEST_CASE("a storm of connections that vanish") {
  TestServer server;
  const auto until = std::chrono::steady_clock::now() + stress_time();
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(100 + t);
      while (std::chrono::steady_clock::now() < until) {
        auto client = server.connect();
        if (random() % 4 == 0) continue;
        try {
          client.log_in();
          std::string all;
          const unsigned count = random() % 20;
          for (unsigned i = 0; i < count; ++i) {
            all += TestClient::framed(i, random() % 4 == 0   ? R"([1,"block"])"
                                         : random() % 3 == 0 ? R"([1,"feed"])"
                                                             : random_query(random));
            if (random() % 2 == 0)
              all += TestClient::framed(random() % 20, random() % 2 == 0 ? "[2]" : "[3]");
            if (random() % 8 == 0) all += TestClient::framed(100 + i, "[4]");
          }
          if (random() % 3 == 0) all.resize(all.size() - std::min<std::size_t>(all.size(), random() % 30));
          client.send_bytes(all);
          if (random() % 2 == 0 && count > 5) {
            while (!client.quiet(std::chrono::milliseconds(1))) client.read_frame();
          }
          if (random() % 16 == 0) server.host.publish();
          if (random() % 16 == 0) server.host.release_blocked();
          if (random() % 2 == 0) client.reset();
        } catch (const std::runtime_error&) {
          // closed by the server: it has seen something it does not like, which is fine here
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(eventually([&] { return server.counters().connections_open == 0; }));
  CHECK(eventually([&] { return server.host.alive() == 0; }));
  CHECK(server.counters().running == 0);
  CHECK(server.counters().open_cursors == 0);
  CHECK(server.counters().queued_output_bytes == 0);
  auto client = server.log_in();
  CHECK(client.ask(1, "[1,1]") == R"({"t":1,"r":[1]})");
}

TEST_CASE("stopping in the middle of everything") {
  for (unsigned round = 0; round < 5; ++round) {
    TestServer server;
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(round * 10 + t);
        while (!stop) {
          try {
            auto client = server.log_in();
            for (std::uint64_t token = 0; token < 50; ++token) {
              client.query(token, token % 10 == 0   ? R"([1,"block"])"
                                  : token % 10 == 1 ? R"([1,"feed"])"
                                                    : random_query(random));
              if (token % 10 == 2) client.query(token - 1, "[2]");
            }
            while (true) client.read_frame();
          } catch (const std::runtime_error&) {
            if (stop) break;
          }
        }
      });
    }
    eventually([&] { return server.counters().queries > 100; });
    CHECK(server.stop(std::chrono::milliseconds(10 * round)));
    CHECK(server.host.alive() == 0);
    stop = true;
    for (auto& thread : threads) thread.join();
  }
}
