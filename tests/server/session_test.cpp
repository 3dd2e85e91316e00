#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/test_client.hpp"

using namespace reqld::server;
using namespace reqld::server::testing;
using namespace std::chrono_literals;

TEST_CASE("queries are answered, many per read") {
  TestServer server;
  auto client = server.log_in();
  CHECK(client.ask(1, "[1,7]") == R"({"t":1,"r":[7]})");
  CHECK(server.host.last_user() == "admin");
  std::string all;
  for (std::uint64_t token = 0; token < 1000; ++token)
    all += TestClient::framed(token, "[1," + std::to_string(token) + "]");
  client.send_bytes(all);
  for (std::uint64_t token = 0; token < 1000; ++token)
    CHECK(client.reply(token) == R"({"t":1,"r":[)" + std::to_string(token) + "]}");
  CHECK(server.counters().queries == 1001);
  CHECK(eventually([&] { return server.host.alive() == 0; }));
}

TEST_CASE("a conversation may be cut anywhere") {
  TestServer server;
  const std::string frames = TestClient::framed(1, "[1,1]") + TestClient::framed(2, R"(["x",2])") +
                             TestClient::framed(3, R"([1,["big",20000]])") + TestClient::framed(4, "");
  for (std::size_t cut = 0; cut <= frames.size(); ++cut) {
    auto client = server.log_in();
    client.send_bytes(std::string_view(frames).substr(0, cut));
    client.send_bytes(std::string_view(frames).substr(cut));
    CHECK(client.reply(1) == R"({"t":1,"r":[1]})");
    CHECK(client.reply(2).find("Expected a query type as a number") != std::string::npos);
    CHECK(client.reply(3).size() == 20000 + 16);
    CHECK(client.reply(4) == R"({"t":16,"r":["Client is buggy (failed to deserialize query)."],"b":[]})");
  }
}

TEST_CASE("one byte at a time") {
  TestServer server;
  auto client = server.log_in();
  for (const char c : TestClient::framed(9, R"([1,["big",10]])")) client.send_bytes({&c, 1});
  CHECK(client.reply(9) == R"({"t":1,"r":["xxxxxxxxxx"]})");
}

TEST_CASE("large queries and large replies") {
  TestServer server;
  auto client = server.log_in();
  for (const std::size_t size : {200'000u, 5'000'000u, 40'000'000u}) {
    std::string body = "[1,5,{\"padding\":\"" + std::string(size, 'y') + "\"}]";
    client.query(1, body);
    client.query(2, "[1,6]");
    CHECK(client.reply(1) == R"({"t":1,"r":[5]})");
    CHECK(client.reply(2) == R"({"t":1,"r":[6]})");
    CHECK(client.ask(3, R"([1,["big",)" + std::to_string(size) + "]]").size() == size + 16);
  }
}

TEST_CASE("handshake and query in one piece") {
  TestServer server;
  auto client = server.connect();
  const std::uint32_t length = 6;
  client.send_bytes(std::string("\x20\x2d\x0c\x40") + std::string(reinterpret_cast<const char*>(&length), 4) +
                    "secret" + "\xc7\x70\x69\x7e" + TestClient::framed(7, "[1,3]"));
  CHECK(client.read_text() == "SUCCESS");
  CHECK(client.reply(7) == R"({"t":1,"r":[3]})");
}

TEST_CASE("a wrong key is answered and the connection closed") {
  TestServer server;
  auto client = server.connect();
  client.send_bytes(std::string("\x20\x2d\x0c\x40\x03\0\0\0key\xc7\x70\x69\x7e", 15));
  CHECK(client.read_to_end() == std::string("ERROR: Incorrect authorization key.\n\0", 37));
  CHECK(eventually([&] { return server.counters().handshakes_failed == 1; }));
}

TEST_CASE("V0_3 is answered in order") {
  TestServer server;
  auto client = server.connect();
  client.send_bytes(std::string("\x3e\xe8\x75\x5f\x06\0\0\0secret\xc7\x70\x69\x7e", 18));
  CHECK(client.read_text() == "SUCCESS");
  std::string all;
  for (std::uint64_t token = 0; token < 50; ++token) {
    all += TestClient::framed(token, token % 3 == 0   ? R"([1,"suspend"])"
                                     : token % 3 == 1 ? R"([1,["heavy",1]])"
                                                      : "[1,1]");
  }
  client.send_bytes(all);
  for (std::uint64_t token = 0; token < 50; ++token) CHECK(client.reply(token) == R"({"t":1,"r":[1]})");
}

TEST_CASE("replies come in whatever order queries finish") {
  TestServer server;
  auto client = server.log_in();
  client.query(1, R"([1,"block"])");
  client.query(2, R"([1,"suspend"])");
  CHECK(client.reply(2) == R"({"t":1,"r":[1]})");
  client.query(3, R"([1,["heavy",5]])");
  client.query(4, "[1,4]");
  CHECK(client.reply(4) == R"({"t":1,"r":[4]})");
  CHECK(client.reply(3) == R"({"t":1,"r":[5]})");
  server.host.release_blocked();
  CHECK(client.reply(1) == R"({"t":1,"r":["unblocked"]})");
}

TEST_CASE("yielding on the reactor lets others in") {
  TestServer server({.reactors = 1});
  auto client = server.log_in();
  CHECK(client.ask(1, R"([1,["yield",1000]])") == R"({"t":1,"r":[1000]})");
}

TEST_CASE("queries about to read rows meet, those of one connection") {
  TestServer server({.reactors = 1});
  auto client = server.log_in();
  // One alone has nobody to wait for.
  CHECK(client.ask(1, R"([1,["read",7]])") == R"({"t":1,"r":[7]})");
  CHECK(server.host.take_prefetched().empty());

  constexpr std::uint64_t kQueries = 40;
  std::string all;
  for (std::uint64_t token = 0; token < kQueries; ++token)
    all += TestClient::framed(token, R"([1,["read",)" + std::to_string(token) + "]]");
  client.send_bytes(all);
  for (std::uint64_t token = 0; token < kQueries; ++token)
    CHECK(client.reply(token) == R"({"t":1,"r":[)" + std::to_string(token) + "]}");
  std::size_t rows = 0;
  for (const auto& keys : server.host.take_prefetched()) {
    CHECK(keys.size() > 1);
    CHECK(keys.size() <= reqld::storage::kPrefetchKeys);
    rows += keys.size();
  }
  // All but, maybe, the last of each read.
  CHECK(rows >= kQueries);
  CHECK(eventually([&] { return server.host.alive() == 0; }));
}

TEST_CASE("queries about to read rows meet, those of many connections") {
  TestServer server({.reactors = 1});
  constexpr std::size_t kClients = 8;
  std::vector<TestClient> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.push_back(server.log_in());
  // Until the loop finds more than one of them ready.
  CHECK(eventually([&] {
    for (std::uint64_t token = 0; token < 50; ++token) {
      for (auto& client : clients) client.query(token, R"([1,["read",5]])");
      for (auto& client : clients) CHECK(client.reply(token) == R"({"t":1,"r":[5]})");
    }
    return !server.host.take_prefetched().empty();
  }));
}

TEST_CASE("queries that read many rows meet again and again") {
  TestServer server({.reactors = 1});
  auto client = server.log_in();
  constexpr std::uint64_t kQueries = 2 * reqld::storage::kPrefetchKeys + 1;
  std::string all;
  for (std::uint64_t token = 0; token < kQueries; ++token) all += TestClient::framed(token, R"([1,["reads",100000]])");
  client.send_bytes(all);
  std::set<std::uint64_t> answered;
  for (std::uint64_t i = 0; i < kQueries; ++i) {
    const Frame frame = client.read_frame();
    CHECK(frame.json == R"({"t":1,"r":[100000]})");
    answered.insert(frame.token);
  }
  CHECK(answered.size() == kQueries);
}

TEST_CASE("a query that waits to read can be stopped, and its connection lost") {
  TestServer server({.reactors = 1});
  {
    auto client = server.log_in();
    client.send_bytes(TestClient::framed(1, R"([1,["read",1]])") + TestClient::framed(1, "[3]") +
                      TestClient::framed(2, R"([1,["read",2]])") + TestClient::framed(3, "[4]"));
    // Stopped: an answer to the query and one to the STOP.
    CHECK(client.reply(1) == R"({"t":2,"r":[],"n":[]})");
    CHECK(client.reply(1) == R"({"t":2,"r":[],"n":[]})");
    CHECK(client.reply(2) == R"({"t":1,"r":[2]})");
    CHECK(client.reply(3) == R"({"t":4,"r":[]})");
  }
  for (int i = 0; i < 50; ++i) {
    auto client = server.log_in();
    client.send_bytes(TestClient::framed(1, R"([1,["read",1]])") + TestClient::framed(2, R"([1,["read",2]])"));
  }
  CHECK(eventually([&] { return server.host.alive() == 0; }));
  CHECK(eventually([&] { return server.counters().connections_open == 0; }));
}

TEST_CASE("a stream is continued to its end") {
  TestServer server;
  auto client = server.log_in();
  CHECK(client.ask(1, R"([1,["stream",3]])") == R"({"t":3,"r":[0],"n":[]})");
  CHECK(client.ask(1, "[1,1]") == R"({"t":16,"r":["ERROR: duplicate token 1"],"b":[]})");
  CHECK(client.ask(1, "[2]") == R"({"t":3,"r":[1],"n":[]})");
  CHECK(client.ask(1, "[4]") == R"({"t":16,"r":["ERROR: duplicate token 1"],"b":[]})");
  CHECK(client.ask(1, "[2]") == R"({"t":2,"r":[2],"n":[]})");
  CHECK(client.ask(1, "[2]") == R"({"t":16,"r":["Token 1 not in stream cache."],"b":[]})");
  CHECK(client.ask(1, "[3]") == R"({"t":16,"r":["Token 1 not in stream cache."],"b":[]})");
  CHECK(client.ask(1, "[1,1]") == R"({"t":1,"r":[1]})");
}

TEST_CASE("CONTINUEs sent ahead are answered one after the other") {
  TestServer server;
  auto client = server.log_in();
  client.send_bytes(TestClient::framed(1, R"([1,["stream",3]])") + TestClient::framed(1, "[2]") +
                    TestClient::framed(1, "[2]") + TestClient::framed(1, "[2]"));
  CHECK(client.reply(1) == R"({"t":3,"r":[0],"n":[]})");
  CHECK(client.reply(1) == R"({"t":3,"r":[1],"n":[]})");
  CHECK(client.reply(1) == R"({"t":2,"r":[2],"n":[]})");
  CHECK(client.reply(1) == R"({"t":16,"r":["Token 1 not in stream cache."],"b":[]})");

  client.query(2, R"([1,"feed"])");
  CHECK(client.reply(2) == R"({"t":3,"r":[],"n":[]})");
  client.query(2, "[2]");
  client.query(2, "[2]");
  CHECK(eventually([&] { return server.host.waiting_feeds() == 1; }));
  server.host.publish();
  CHECK(client.reply(2) == R"({"t":3,"r":[1],"n":[]})");
  CHECK(eventually([&] { return server.host.waiting_feeds() == 1; }));
  server.host.publish();
  CHECK(client.reply(2) == R"({"t":3,"r":[2],"n":[]})");
}

TEST_CASE("a feed that wakes for nothing sends nothing") {
  TestServer server;
  auto client = server.log_in();
  client.ask(1, R"([1,"feed"])");
  client.query(1, "[2]");
  for (int i = 0; i < 3; ++i) {
    CHECK(eventually([&] { return server.host.waiting_feeds() == 1; }));
    server.host.disturb();
  }
  // Would come behind a reply of the feed's.
  CHECK(client.ask(2, "[1,7]").find("[7]") != std::string::npos);
  CHECK(eventually([&] { return server.host.waiting_feeds() == 1; }));
  server.host.publish();
  CHECK(client.reply(1).find("[1]") != std::string::npos);
  client.query(1, "[2]");
  CHECK(eventually([&] { return server.host.waiting_feeds() == 1; }));
  server.host.disturb();
  CHECK(client.ask(1, "[3]") == R"({"t":2,"r":[],"n":[]})");
}

TEST_CASE("STOP ends a stream, a waiting feed and a running query") {
  TestServer server;
  auto client = server.log_in();
  const std::string end = R"({"t":2,"r":[],"n":[]})";
  CHECK(client.ask(1, R"([1,["stream",9]])") == R"({"t":3,"r":[0],"n":[]})");
  CHECK(client.ask(1, "[3]") == end);
  CHECK(client.ask(1, "[2]") == R"({"t":16,"r":["Token 1 not in stream cache."],"b":[]})");

  client.ask(2, R"([1,"feed"])");
  client.query(2, "[2]");
  CHECK(eventually([&] { return server.host.waiting_feeds() == 1; }));
  CHECK(server.counters().running == 0);
  client.query(2, "[3]");
  CHECK(client.reply(2) == end);  // of the CONTINUE
  CHECK(client.reply(2) == end);  // of the STOP

  client.query(3, R"([1,"block"])");
  CHECK(eventually([&] { return server.host.blocked() == 1; }));
  client.query(3, "[3]");
  CHECK(client.reply(3) == end);
  CHECK(client.reply(3) == end);
  CHECK(client.ask(3, "[1,3]") == R"({"t":1,"r":[3]})");
  CHECK(eventually([&] { return server.host.alive() == 0; }));
  CHECK(server.counters().open_cursors == 0);
}

TEST_CASE("noreply queries answer nothing, NOREPLY_WAIT waits for them") {
  TestServer server;
  auto client = server.log_in();
  client.query(1, R"([1,"block",{"noreply":true}])");
  client.query(2, R"([1,["stream",5],{"noreply":true}])");
  client.query(3, R"([1,"throw",{"noreply":true}])");
  client.ask(4, R"([1,"feed"])");
  client.query(4, "[2]");  // a feed that waits does not hold it up
  client.query(5, "[4]");
  CHECK(client.ask(6, "[1,6]") == R"({"t":1,"r":[6]})");
  CHECK(client.quiet(20ms));
  client.query(7, R"([1,"block"])");  // a later one does not either
  CHECK(eventually([&] { return server.host.blocked() == 2; }));
  CHECK(client.ask(5, "[4]") == R"({"t":16,"r":["ERROR: duplicate token 5"],"b":[]})");
  server.host.release_blocked();
  std::vector<std::string> replies{client.read_frame().json, client.read_frame().json};
  std::sort(replies.begin(), replies.end());
  CHECK(replies[0] == R"({"t":1,"r":["unblocked"]})");
  CHECK(replies[1] == R"({"t":4,"r":[]})");
  CHECK(client.ask(8, "[4]") == R"({"t":4,"r":[]})");
}

TEST_CASE("SERVER_INFO") {
  TestServer server;
  auto client = server.log_in();
  CHECK(client.ask(1, "[5]") ==
        R"({"t":5,"r":[{"id":"00000000-0000-4000-8000-000000000001","name":"fake","proxy":false}]})");
}

TEST_CASE("a query that throws ends alone") {
  TestServer server;
  auto client = server.log_in();
  CHECK(client.ask(1, R"([1,"throw"])") == R"({"t":18,"e":1000000,"r":["Internal error: as asked"],"b":[]})");
  CHECK(client.ask(1, "[1,1]") == R"({"t":1,"r":[1]})");
}

TEST_CASE("an oversized query is answered, then the connection closed") {
  TestServer server;
  auto client = server.log_in();
  std::string bytes(12, '\0');
  reqld::protocol::write_frame_header(bytes.data(), 1, 2147483648u);
  client.send_bytes(bytes + "some of it");
  CHECK(client.reply(1) ==
        R"({"t":16,"r":["Query size (2147483648) greater than maximum (134217727)."],"b":[]})");
  CHECK(client.read_to_end().empty());
}

TEST_CASE("what is announced need not come") {
  TestServer server;
  auto client = server.log_in();
  std::string bytes(12, '\0');
  reqld::protocol::write_frame_header(bytes.data(), 1, 134217727u);
  client.send_bytes(bytes);
  CHECK(client.quiet(50ms));
  client.half_close();
  CHECK(client.read_to_end().empty());
}

TEST_CASE("a lost connection cancels its queries at once") {
  TestServer server;
  for (const bool reset : {false, true}) {
    auto client = server.log_in();
    for (std::uint64_t token = 0; token < 20; ++token) client.query(token, R"([1,"block"])");
    client.ask(100, R"([1,"feed"])");
    client.query(100, "[2]");
    client.ask(101, R"([1,["stream",5]])");
    CHECK(eventually([&] { return server.host.blocked() == 20 && server.host.waiting_feeds() == 1; }));
    if (reset) {
      client.reset();
    } else {
      client.half_close();
    }
    CHECK(eventually([&] { return server.host.alive() == 0; }));
    CHECK(eventually([&] { return server.counters().connections_open == 0; }));
    CHECK(server.counters().running == 0);
    CHECK(server.counters().open_cursors == 0);
  }
}

TEST_CASE("too many queries at once: nothing more is read until one ends") {
  TestServer server({.max_running_per_connection = 4});
  auto client = server.log_in();
  for (std::uint64_t token = 0; token < 10; ++token) client.query(token, R"([1,"block"])");
  client.query(99, "[1,99]");
  CHECK(eventually([&] { return server.host.blocked() == 4; }));
  CHECK(client.quiet(20ms));
  CHECK(server.host.blocked() == 4);
  std::size_t answered = 0;
  std::size_t simple = 0;
  while (answered < 11) {
    while (client.quiet(5ms)) server.host.release_blocked();
    const Frame frame = client.read_frame();
    simple += frame.token == 99 ? 1 : 0;
    ++answered;
  }
  CHECK(simple == 1);
}

TEST_CASE("a client that goes while it is not read from is noticed") {
  TestServer server({.max_running_per_connection = 1});
  auto client = server.log_in();
  client.query(1, R"([1,"block"])");
  client.query(2, R"([1,"block"])");
  CHECK(eventually([&] { return server.host.blocked() == 1; }));
  client.half_close();
  CHECK(eventually([&] { return server.host.alive() == 0; }));
}

TEST_CASE("a client that does not read does not make the server grow") {
  TestServer server({.max_queued_output_bytes = 1 << 20});
  auto client = server.log_in();
  client.query(1, R"([1,["endless",100000]])");
  client.query(2, R"([1,"feed"])");
  for (int i = 0; i < 500; ++i) client.query(1, "[2]");
  CHECK(eventually([&] { return server.counters().queued_output_bytes > 1 << 20; }));
  for (int i = 0; i < 20; ++i) {
    CHECK(server.counters().queued_output_bytes < 2 << 20);
    std::this_thread::sleep_for(1ms);
  }
  std::size_t seen = 0;
  while (seen < 502) {
    client.read_frame();
    ++seen;
  }
  CHECK(eventually([&] { return server.counters().queued_output_bytes == 0; }));
  CHECK(client.ask(3, "[1,3]") == R"({"t":1,"r":[3]})");
}

TEST_CASE("limits of cursors, of running queries and of connections are told clearly") {
  TestServer server({.reactors = 1, .max_connections = 2, .max_open_per_connection = 2, .max_running = 3});
  auto client = server.log_in();
  client.ask(1, R"([1,["stream",5]])");
  client.ask(2, R"([1,["stream",5]])");
  CHECK(client.ask(3, "[1,1]") ==
        R"({"t":18,"e":2000000,"r":["Too many open cursors on this connection (the limit is 2)."],"b":[]})");
  client.ask(1, "[3]");
  client.ask(2, "[3]");

  auto second = server.log_in();
  client.query(1, R"([1,"block"])");
  client.query(2, R"([1,"block"])");
  second.query(1, R"([1,"block"])");
  CHECK(eventually([&] { return server.host.blocked() == 3; }));
  CHECK(second.ask(2, "[1,1]") ==
        R"({"t":18,"e":2000000,"r":["The server runs too many queries already; try again later."],"b":[]})");

  auto third = server.connect();
  const std::string refusal = third.read_to_end();
  CHECK(refusal ==
        std::string("ERROR: Too many connections: the server is configured for at most 2.\n") + '\0');
  CHECK(server.counters().connections_refused == 1);
}

TEST_CASE("a handshake that takes too long is given up") {
  TestServer server({.handshake_timeout = 50ms});
  auto client = server.connect();
  client.send_bytes("\xc3\xbd");
  CHECK(client.read_to_end().empty());
  auto other = server.log_in();
  std::this_thread::sleep_for(400ms);
  CHECK(other.ask(1, "[1,1]") == R"({"t":1,"r":[1]})");
}

TEST_CASE("half a magic number and goodbye") {
  TestServer server;
  auto client = server.connect();
  client.send_bytes("\xc3\xbd");
  client.half_close();
  CHECK(client.read_to_end().empty());
  auto silent = server.connect();
  silent.half_close();
  CHECK(silent.read_to_end().empty());
}

TEST_CASE("stopping lets running queries finish and cancels the others") {
  TestServer server;
  auto client = server.log_in();
  auto idle = server.log_in();
  auto greeting = server.connect();
  client.query(1, R"([1,["heavy",50]])");
  auto blocked = server.log_in();
  blocked.query(1, R"([1,"block"])");
  CHECK(eventually([&] { return server.host.blocked() == 1 && server.counters().running == 2; }));
  CHECK(server.stop(500ms));
  CHECK(client.reply(1) == R"({"t":1,"r":[50]})");
  CHECK(client.read_to_end().empty());
  CHECK(idle.read_to_end().empty());
  CHECK(greeting.read_to_end().empty());
  CHECK(blocked.read_to_end().empty());
  CHECK(server.host.alive() == 0);
}

TEST_CASE("stopping waits for whoever is about to wake a query") {
  TestServer server;
  auto client = server.log_in();
  client.ask(1, R"([1,"feed"])");
  client.query(1, "[2]");
  CHECK(eventually([&] { return server.host.waiting_feeds() == 1; }));
  // The feed is cancelled by the stop, and woken by a thread that is late.
  std::promise<void> go_on;
  std::atomic<bool> late{true};
  server.host.call_on_waking_thread([&] {
    go_on.get_future().wait();
    late = false;
  });
  std::thread stopper([&] {
    CHECK(server.stop());
    CHECK_FALSE(late);
  });
  CHECK(client.read_to_end().empty());
  CHECK(eventually([&] { return server.host.cancels() == 1 && server.counters().connections_open == 0; }));
  go_on.set_value();
  stopper.join();
}

TEST_CASE("stopping waits for a key under verification") {
  TestServer server;
  for (int i = 0; i < 20; ++i) {
    // V0_4, a key of three bytes, JSON.
    server.connect().send_bytes(std::string("\x20\x2d\x0c\x40\x03\x00\x00\x00key\xc7\x70\x69\x7e", 15));
  }
  CHECK(server.stop());
}
