// The pool: connections, concurrency, cancellation, the queue, the end.
#include "http_fetch/fetcher.hpp"

#include "fetch_fixture.hpp"

using namespace reqld::http_fetch;
using namespace reqld::http_fetch::test;

namespace {

/// A server that answers /wait only once released, everything else at once.
class Gate {
 public:
  void handle(Exchange& e) {
    if (e.path == "/wait") {
      ++waiting;
      while (!open && !e.closed) e.wait_for_close(50);
      --waiting;
      if (e.closed) return;
    }
    e.reply(200, e.path);
  }
  TestServer::Handler handler() {
    return [this](Exchange& e) { handle(e); };
  }
  std::atomic<bool> open{false};
  std::atomic<int> waiting{0};
};

}  // namespace

TEST_CASE("connections are kept and used again") {
  TestServer server([](Exchange& e) { e.reply(200, std::to_string(e.connection)); });
  auto fetcher = make_fetcher();
  for (int i = 0; i < 20; ++i) CHECK(fetch(*fetcher, get(server.url()))->body == "1");
  CHECK(server.accepted() == 1);
  eventually([&] { return fetcher->counters().connections_opened == 1; });
  CHECK(fetcher->counters().completed == 20);
}

TEST_CASE("a POST never shares the fate of an old connection") {
  TestServer server([](Exchange& e) { e.reply(200, std::to_string(e.connection)); });
  auto fetcher = make_fetcher();
  Request r = get(server.url());
  CHECK(fetch(*fetcher, r)->body == "1");
  r.method = Method::kPost;
  CHECK(fetch(*fetcher, r)->body == "2");
}

TEST_CASE("a server that closes after its answer without saying so") {
  TestServer server([](Exchange& e) {
    e.reply(200, "bye");
    e.hang_up();
  });
  auto fetcher = make_fetcher();
  for (int i = 0; i < 50; ++i) {
    Outcome outcome = fetch(*fetcher, get(server.url()));
    REQUIRE_MESSAGE(outcome.ok(), outcome.error().message);
  }
}

TEST_CASE("bytes after an answer are not taken for the next one") {
  TestServer server([](Exchange& e) {
    if (e.path == "/204") return e.raw("HTTP/1.1 204 X\r\nContent-Length: 4\r\n\r\nbody");
    e.raw(
        "HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n/moreHTTP/1.1 200 X\r\nContent-Length: "
        "8\r\n\r\npoisoned");
  });
  auto fetcher = make_fetcher();
  for (int i = 0; i < 20; ++i) {
    CHECK(fetch(*fetcher, get(server.url("/204")))->status == 204);
    Outcome more = fetch(*fetcher, get(server.url("/more")));
    REQUIRE_MESSAGE(more.ok(), more.error().message);
    CHECK(more->body == "/more");
  }
}

TEST_CASE("five hundred at a time") {
  Gate gate;
  TestServer server(gate.handler());
  Outcomes outcomes;
  auto fetcher = make_fetcher();
  constexpr int kCount = 500;
  for (int i = 0; i < kCount; ++i) fetcher->submit(get(server.url("/wait")), outcomes.callback());
  eventually([&] { return gate.waiting == kCount; });
  CHECK(outcomes.size() == 0);
  gate.open = true;
  for (const Outcome& outcome : outcomes.wait(kCount)) CHECK(outcome.ok());
  CHECK(server.accepted() == kCount);
}

TEST_CASE("several threads submit, several threads fetch") {
  TestServer server([](Exchange& e) { e.reply(200, e.path); });
  Options options;
  options.threads = 3;
  Outcomes outcomes;
  auto fetcher = make_fetcher(options);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        FetchHandle handle = fetcher->submit(get(server.url("/" + std::to_string(t))), outcomes.callback());
        if (i % 10 == 0) handle.cancel();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Outcome& outcome : outcomes.wait(400))
    CHECK((outcome.ok() || outcome.error().kind == ErrorKind::kCancelled));
  CHECK(fetcher->counters().completed == 400);
}

TEST_CASE("cancelling a request in flight ends it at once and closes its connection") {
  Gate gate;
  TestServer server(gate.handler());
  Outcomes outcomes;
  auto fetcher = make_fetcher();
  FetchHandle handle = fetcher->submit(get(server.url("/wait")), outcomes.callback());
  eventually([&] { return gate.waiting == 1; });
  handle.cancel();
  CHECK(outcomes.wait(1)[0].error().kind == ErrorKind::kCancelled);
  eventually([&] { return gate.waiting == 0; });
  handle.cancel();
  CHECK(fetch(*fetcher, get(server.url("/x")))->body == "/x");
  CHECK(outcomes.size() == 1);
}

TEST_CASE("cancelling what is done, or an empty handle, does nothing") {
  TestServer server([](Exchange& e) { e.reply(200, ""); });
  FetchHandle().cancel();
  FetchHandle handle;
  {
    Outcomes outcomes;
    auto fetcher = make_fetcher();
    handle = fetcher->submit(get(server.url()), outcomes.callback());
    CHECK(outcomes.wait(1)[0].ok());
    handle.cancel();
    CHECK(fetch(*fetcher, get(server.url())).ok());
    CHECK(outcomes.size() == 1);
  }
  handle.cancel();
}

TEST_CASE("what does not fit waits, in time, and what does not fit the queue is refused") {
  Gate gate;
  TestServer server(gate.handler());
  Options options;
  options.max_in_flight = 2;
  options.max_queued = 3;
  Outcomes outcomes;
  Outcomes queued;
  auto fetcher = make_fetcher(options);
  for (int i = 0; i < 2; ++i) fetcher->submit(get(server.url("/wait")), outcomes.callback());
  eventually([&] { return gate.waiting == 2; });

  Request brief = get(server.url("/brief"));
  brief.timeout = 100ms;
  fetcher->submit(brief, queued.callback());
  FetchHandle unwanted = fetcher->submit(get(server.url("/unwanted")), queued.callback());
  fetcher->submit(get(server.url("/patient")), queued.callback());
  CHECK(message_of(fetch(*fetcher, get(server.url("/refused")))) ==
        no_answer("GET", server.url("/refused"), "too many HTTP requests are waiting on this server"));
  CHECK(fetcher->counters().refused == 1);

  CHECK(message_of(queued.wait(1)[0]).ends_with("timed out after 0.100 seconds."));
  unwanted.cancel();
  CHECK(queued.wait(2)[1].error().kind == ErrorKind::kCancelled);
  CHECK(server.requests() == 2);
  gate.open = true;
  CHECK(queued.wait(3)[2]->body == "/patient");
  CHECK(outcomes.wait(2)[0].ok());
}

TEST_CASE("a server that does not answer leaves room for others") {
  Gate gate;
  TestServer slow(gate.handler());
  TestServer other([](Exchange& e) { e.reply(200, "fast"); });
  Options options;
  options.max_in_flight = 4;
  options.max_in_flight_per_host = 3;
  Outcomes outcomes;
  auto fetcher = make_fetcher(options);
  for (int i = 0; i < 10; ++i) fetcher->submit(get(slow.url("/wait")), outcomes.callback());
  eventually([&] { return gate.waiting == 3; });
  for (int i = 0; i < 10; ++i) CHECK(fetch(*fetcher, get(other.url()))->body == "fast");
  CHECK(gate.waiting == 3);
  gate.open = true;
  for (const Outcome& outcome : outcomes.wait(10)) CHECK(outcome.ok());
}

TEST_CASE("the end of a Fetcher cancels what is in flight, waiting, and submitted meanwhile") {
  Gate gate;
  TestServer server(gate.handler());
  Options options;
  options.max_in_flight = 4;
  options.threads = 2;
  Outcomes outcomes;
  auto fetcher = make_fetcher(options);
  Fetcher* pool = fetcher.get();
  for (int i = 0; i < 19; ++i) fetcher->submit(get(server.url("/wait")), outcomes.callback());
  fetcher->submit(get(server.url("/wait")), [&](Outcome outcome) {
    CHECK_FALSE(outcome.ok());
    pool->submit(get(server.url("/late")), outcomes.callback());
  });
  eventually([&] { return gate.waiting == 4; });
  fetcher.reset();
  CHECK(outcomes.size() == 20);
  for (const Outcome& outcome : outcomes.wait(20)) CHECK(outcome.error().kind == ErrorKind::kCancelled);
}

TEST_CASE("a callback may submit the next request") {
  TestServer server([](Exchange& e) { e.reply(200, e.path); });
  Outcomes outcomes;
  auto fetcher = make_fetcher();
  std::function<void(int)> chain = [&](int left) {
    fetcher->submit(get(server.url("/" + std::to_string(left))), [&, left](Outcome outcome) {
      if (left > 0 && outcome.ok()) return chain(left - 1);
      outcomes.callback()(std::move(outcome));
    });
  };
  chain(30);
  CHECK(outcomes.wait(1)[0]->body == "/0");
}

TEST_CASE("options out of range") {
  Options options;
  options.threads = 0;
  CHECK(Fetcher::create(options).error().kind == ErrorKind::kInvalid);
}
