// Redirects, repeated attempts, time, size, addresses.
#include <random>

#include "fetch_fixture.hpp"

using namespace reqld::http_fetch;
using namespace reqld::http_fetch::test;

namespace {

/// /redirect/N goes to /redirect/N-1; /redirect/0 answers with method and body. `?301` picks the status.
void redirects(Exchange& e) {
  std::size_t mark = e.path.find('?');
  std::string status = mark == std::string::npos ? "302" : e.path.substr(mark + 1);
  int left = std::stoi(e.path.substr(10));
  if (left == 0) return e.reply(200, e.method + ":" + e.body);
  e.redirect("/redirect/" + std::to_string(left - 1) + "?" + status, std::stoi(status));
}

AddressPolicy deny(std::vector<std::string> list) {
  auto result = AddressPolicy::parse({}, list);
  REQUIRE(result.ok());
  return *result;
}

}  // namespace

TEST_CASE("redirects are followed up to their number") {
  TestServer server(redirects);
  auto fetcher = make_fetcher();
  CHECK(fetch(*fetcher, get(server.url("/redirect/1")))->body == "GET:");
  CHECK(fetch(*fetcher, get(server.url("/redirect/1")))->effective_url == server.url("/redirect/0?302"));
  CHECK(message_of(fetch(*fetcher, get(server.url("/redirect/3")))) ==
        no_answer("GET", server.url("/redirect/3"), "Number of redirects hit maximum amount"));
  Request r = get(server.url("/redirect/3"));
  r.max_redirects = 3;
  CHECK(fetch(*fetcher, r)->body == "GET:");
  r.max_redirects = 0;
  CHECK(message_of(fetch(*fetcher, r)) == "Error in HTTP GET of `" + r.url +
                                              "`: status code "
                                              "302.\nheader:\n{\n\t\"content-length\":\t\"0\","
                                              "\n\t\"location\":\t\"/redirect/2?302\"\n}\nbody:\nnull");
}

TEST_CASE("methods across redirects") {
  TestServer server(redirects);
  auto fetcher = make_fetcher();
  auto answer = [&](Method method, const std::string& status) {
    Request r = get(server.url("/redirect/1?" + status));
    r.method = method;
    r.body = "x";
    return fetch(*fetcher, r);
  };
  for (std::string status : {"301", "302", "303"}) CHECK(answer(Method::kPost, status)->body == "GET:");
  for (std::string status : {"307", "308"}) CHECK(answer(Method::kPost, status)->body == "POST:x");
  for (std::string status : {"301", "302", "307", "308"}) {
    CHECK(message_of(answer(Method::kPut, status)) ==
          no_answer("PUT", server.url("/redirect/1?" + status),
                    "Send failed since rewinding of the data stream failed"));
  }
  for (Method method : {Method::kPut, Method::kPatch, Method::kDelete})
    CHECK(answer(method, "303")->body == "GET:");
}

TEST_CASE("a loop of redirects ends") {
  TestServer server([](Exchange& e) { e.redirect("/loop"); });
  auto fetcher = make_fetcher();
  Request r = get(server.url("/loop"));
  r.max_redirects = 20;
  CHECK(message_of(fetch(*fetcher, r)).find("Number of redirects hit maximum amount") != std::string::npos);
  CHECK(server.requests() == 21);
}

TEST_CASE("only http and https, also after a redirect") {
  TestServer server([](Exchange& e) { e.redirect(e.path.substr(1)); });
  auto fetcher = make_fetcher();
  for (std::string url : {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x",
                          "dict://127.0.0.1/x", "smb://127.0.0.1/x", "telnet://127.0.0.1/"}) {
    CAPTURE(url);
    CHECK(message_of(fetch(*fetcher, get(url))) == no_answer("GET", url, "Unsupported protocol"));
    CHECK(message_of(fetch(*fetcher, get(server.url("/" + url)))) ==
          no_answer("GET", server.url("/" + url), "Unsupported protocol"));
  }
}

TEST_CASE("bad URLs") {
  auto fetcher = make_fetcher();
  for (std::string url :
       {"", "not a url at all", "http://", "http://127.0.0.1:99999/", "http://127.0.0.1/a b"}) {
    CAPTURE(url);
    CHECK(message_of(fetch(*fetcher, get(url))) ==
          no_answer("GET", url, "URL using bad/illegal format or missing URL"));
  }
}

TEST_CASE("transient answers are tried again, and only the last one counts") {
  std::atomic<int> failures{0};
  TestServer server([&](Exchange& e) {
    int status = std::stoi(e.path.substr(1));
    failures-- > 0 ? e.reply(status, "try again", "X-Failed: 1\r\n") : e.reply(200, "fine:" + e.body);
  });
  auto fetcher = make_fetcher();
  for (int status : {408, 500, 502, 503, 504}) {
    failures = 4;
    Outcome outcome = fetch(*fetcher, get(server.url("/" + std::to_string(status))));
    REQUIRE_MESSAGE(outcome.ok(), outcome.error().message);
    CHECK(outcome->body == "fine:");
    CHECK(find_header(outcome->headers, "x-failed").empty());
  }
  for (int status : {404, 429, 501}) {
    failures = 1;
    CHECK_FALSE(fetch(*fetcher, get(server.url("/" + std::to_string(status)))).ok());
  }
  failures = 5;
  CHECK(message_of(fetch(*fetcher, get(server.url("/503")))).ends_with("body:\n\"try again\""));
  for (Method method : {Method::kPost, Method::kPut}) {
    failures = 2;
    Request r = get(server.url("/503"));
    r.method = method;
    r.body = "data";
    CHECK(fetch(*fetcher, r)->body == "fine:data");
  }
  failures = 0;
  int before = server.requests();
  Request none = get(server.url("/200"));
  none.attempts = 0;
  CHECK(message_of(fetch(*fetcher, none)) ==
        no_answer("GET", none.url, "could not perform, no attempts allowed"));
  CHECK(server.requests() == before);
  none.attempts = static_cast<std::uint64_t>(-1);
  CHECK(fetch(*fetcher, none).ok());
}

TEST_CASE("no server, no answer, half an answer") {
  std::string closed_url;
  {
    TestServer gone([](Exchange&) {});
    closed_url = gone.url();
  }
  TestServer server([](Exchange& e) {
    if (e.path == "/short") e.raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    if (e.path == "/junk") e.raw("I do not speak HTTP\r\n\r\n");
    if (e.path != "/ok") return e.hang_up();
    e.reply(200, "ok");
  });
  auto fetcher = make_fetcher();
  CHECK(message_of(fetch(*fetcher, get(closed_url))) ==
        no_answer("GET", closed_url, "could not connect to server"));
  auto message = [&](const std::string& path) { return message_of(fetch(*fetcher, get(server.url(path)))); };
  const std::string nothing = "Server returned nothing (no headers, no data)";
  CHECK(message("/drop") == no_answer("GET", server.url("/drop"), nothing));
  CHECK(message("/short") == no_answer("GET", server.url("/short"), "Transferred a partial file"));
  CHECK(message("/junk").find("header:\nnull") != std::string::npos);
  CHECK(server.requests() == 3);
  // On a kept connection, too, a request that the server took is not sent twice.
  CHECK(fetch(*fetcher, get(server.url("/ok"))).ok());
  CHECK(message("/drop") == no_answer("GET", server.url("/drop"), nothing));
  CHECK(server.requests() == 5);
}

TEST_CASE("a name that does not resolve") {
  auto fetcher = make_fetcher();
  Outcome outcome = fetch(*fetcher, get("http://no-such-host.invalid/"));
  REQUIRE_FALSE(outcome.ok());
  CHECK((outcome.error().kind == ErrorKind::kTransport || outcome.error().kind == ErrorKind::kTimeout));
}

TEST_CASE("timeouts are of the whole request and not tried again") {
  TestServer server([](Exchange& e) {
    if (e.path == "/silent") return e.wait_for_close();
    if (e.path == "/503") {
      e.wait_for_close(60);
      return e.reply(503, "");
    }
    e.raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (!e.closed) {
      e.raw("x");
      e.wait_for_close(5);
    }
  });
  auto fetcher = make_fetcher();
  for (std::string path : {"/silent", "/drip", "/503"}) {
    CAPTURE(path);
    Request r = get(server.url(path));
    r.timeout = 200ms;
    auto start = std::chrono::steady_clock::now();
    Outcome outcome = fetch(*fetcher, r);
    CHECK(message_of(outcome) == "Error in HTTP GET of `" + r.url + "`: timed out after 0.200 seconds.");
    CHECK(outcome.error().kind == ErrorKind::kTimeout);
    CHECK(std::chrono::steady_clock::now() - start >= 190ms);
  }
  int before = server.requests();
  Request none = get(server.url("/silent"));
  none.timeout = 0ms;
  CHECK(message_of(fetch(*fetcher, none)) ==
        "Error in HTTP GET of `" + none.url + "`: timed out after 0.000 seconds.");
  CHECK(server.requests() == before);
}

TEST_CASE("bodies and headers have a limit") {
  TestServer server([](Exchange& e) {
    if (e.path == "/header") {
      e.raw("HTTP/1.1 200 OK\r\n");
      while (!e.closed) e.raw("X-Filler: " + std::string(1000, 'x') + "\r\n");
      return;
    }
    if (e.path == "/announced") {
      e.raw("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nx");
      return e.wait_for_close();
    }
    e.raw("HTTP/1.1 200 OK\r\n\r\n");
    while (!e.closed) e.raw(std::string(65536, 'x'));
  });
  Options options;
  options.max_body_bytes = 1 << 20;
  auto fetcher = make_fetcher(options);
  for (std::string path : {"/endless", "/announced"}) {
    Outcome outcome = fetch(*fetcher, get(server.url(path)));
    CHECK(message_of(outcome) ==
          no_answer("GET", server.url(path), "the response body is larger than the limit of 1048576 bytes"));
    CHECK(outcome.error().kind == ErrorKind::kTooLarge);
  }
  CHECK(fetch(*fetcher, get(server.url("/header"))).error().kind == ErrorKind::kTooLarge);
  Request small = get(server.url("/endless"));
  small.max_body_bytes = 10;
  CHECK(message_of(fetch(*fetcher, small)).find("limit of 10 bytes") != std::string::npos);
}

TEST_CASE("a large body arrives whole") {
  std::string bytes(5 << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 24);
  TestServer server([&](Exchange& e) { e.reply(200, bytes, "Content-Type: image/png\r\n"); });
  auto fetcher = make_fetcher();
  Outcome outcome = fetch(*fetcher, get(server.url()));
  REQUIRE(outcome.ok());
  CHECK(outcome->body == bytes);
}

TEST_CASE("the memory for all bodies together has a limit") {
  TestServer server([](Exchange& e) { e.reply(200, std::string(300000, 'x')); });
  Options options;
  options.max_buffered_bytes = 200000;
  auto fetcher = make_fetcher(options);
  CHECK(fetch(*fetcher, get(server.url())).error().kind == ErrorKind::kTooLarge);
  TestServer fitting([](Exchange& e) { e.reply(200, std::string(150000, 'x')); });
  for (int i = 0; i < 5; ++i) CHECK(fetch(*fetcher, get(fitting.url())).ok());
}

TEST_CASE("whatever a server sends, every request ends") {
  const std::vector<std::string> answers = {
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLink: <http://h/2>; rel=\"next\"\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b; Path=/\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"n\"\r\nContent-Length: "
      "0\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Encoding: gzip\r\nContent-Length: "
      "2\r\n\r\nxx"};
  std::mutex mutex;
  std::mt19937 random(20240607);
  TestServer server([&](Exchange& e) {
    std::string answer;
    {
      std::lock_guard lock(mutex);
      answer = answers[random() % answers.size()];
      for (std::size_t changes = random() % 4; changes > 0; --changes) {
        std::size_t at = random() % answer.size();
        switch (random() % 4) {
          case 0:
            answer[at] = static_cast<char>(random());
            break;
          case 1:
            answer.erase(at, random() % 9);
            break;
          case 2:
            answer.insert(at, answer.substr(random() % answer.size(), random() % 20));
            break;
          default:
            answer.resize(at + 1);
        }
      }
    }
    e.raw(answer);
    e.hang_up();
  });
  Outcomes outcomes;
  auto fetcher = make_fetcher();
  constexpr int kCount = 1000;
  for (int i = 0; i < kCount; ++i) {
    Request r = get(server.url());
    r.timeout = 3s;
    r.method = static_cast<Method>(i % 6);
    if (i % 6 >= 2) r.body = "body";
    if (i % 5 == 0) r.auth = Auth{i % 2 ? Auth::Type::kBasic : Auth::Type::kDigest, "u", "p"};
    fetcher->submit(r, outcomes.callback());
    if (i % 16 == 15) outcomes.wait(static_cast<std::size_t>(i) - 8);
  }
  outcomes.wait(kCount);
}

TEST_CASE("the address policy is checked at connect time") {
  TestServer server([](Exchange& e) { e.reply(200, "secret"); });
  Options options;
  options.address_policy = deny({"127.0.0.0/8", "::1/128"});
  auto fetcher = make_fetcher(options);
  for (std::string host :
       {"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "[::ffff:127.0.0.1]"}) {
    CAPTURE(host);
    Outcome outcome = fetch(*fetcher, get(server.url("/", host)));
    REQUIRE_FALSE(outcome.ok());
    CHECK(outcome.error().kind == ErrorKind::kDenied);
  }
  CHECK(message_of(fetch(*fetcher, get(server.url()))) ==
        no_answer("GET", server.url(),
                  "connecting to 127.0.0.1 is denied by the address policy of this server"));
  CHECK(server.accepted() == 0);
  CHECK(fetcher->counters().connections_opened == 0);
}

TEST_CASE("a redirect to a denied address is denied") {
  TestServer secret([](Exchange& e) { e.reply(200, "secret"); });
  TestServer server([&](Exchange& e) { e.redirect(secret.url("/", e.path.substr(1))); });
  Options options;
  options.address_policy = deny({"127.0.0.2/31", "::1"});
  auto fetcher = make_fetcher(options);
  Outcome outcome = fetch(*fetcher, get(server.url("/127.0.0.2")));
  REQUIRE_FALSE(outcome.ok());
  CHECK(outcome.error().kind == ErrorKind::kDenied);
  CHECK(outcome.error().message.find("connecting to 127.0.0.2 is denied") != std::string::npos);
  CHECK(fetch(*fetcher, get(server.url("/127.0.0.1")))->body == "secret");
  // Of the two addresses of localhost the one that is not denied is used.
  CHECK(fetch(*fetcher, get(server.url("/localhost")))->body == "secret");
}
