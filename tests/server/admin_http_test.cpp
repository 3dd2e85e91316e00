#include "server/admin_http.hpp"

#include <doctest/doctest.h>

#include <atomic>

#include "server/metrics.hpp"
#include "tests/server/test_client.hpp"

using namespace reqld::server;
using namespace reqld::server::testing;

namespace {

struct TestAdmin {
  TestAdmin() {
    auto opened = ListeningSocket::open({"127.0.0.1"}, 0);
    REQUIRE(opened.error.empty());
    port = opened.sockets.front().port();
    const ServerIdentity identity{
        .name = "<name>", .id = "the-id", .version = "1.2.3", .started = std::chrono::system_clock::now()};
    http = std::make_unique<AdminHttp>(
        std::move(opened.sockets),
        AdminHttp::Content{.page = [=] { return status_page({.connections_open = 5}, identity); },
                           .metrics = [=] { return metrics_text({.queries = 12}, identity); },
                           .healthy = [this] { return healthy.load(); }});
  }

  std::string get(const std::string& request) const {
    TestClient client(port);
    client.send_bytes(request);
    return client.read_to_end();
  }

  std::atomic<bool> healthy{true};
  std::uint16_t port = 0;
  std::unique_ptr<AdminHttp> http;
};

const std::string kEnd = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

}  // namespace

TEST_CASE("the HTTP port") {
  TestAdmin admin;
  const std::string page = admin.get("GET /" + kEnd);
  CHECK(page.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(page.find("&lt;name&gt;") != std::string::npos);
  CHECK(page.find("the-id") != std::string::npos);

  const std::string metrics = admin.get("GET /metrics?x=1" + kEnd);
  CHECK(metrics.find("Content-Type: text/plain; version=0.0.4") != std::string::npos);
  CHECK(metrics.find("\n# TYPE reqld_queries_total counter\nreqld_queries_total 12\n") != std::string::npos);
  CHECK(metrics.find("\nprocess_resident_memory_bytes ") != std::string::npos);

  CHECK(admin.get("GET /health" + kEnd).ends_with("\r\n\r\nok\n"));
  admin.healthy = false;
  CHECK(admin.get("GET /health" + kEnd).starts_with("HTTP/1.1 503 "));

  const std::string head = admin.get("HEAD /" + kEnd);
  CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK(admin.get("GET /nosuch" + kEnd).starts_with("HTTP/1.1 404 "));
  const std::string post = admin.get("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(post.starts_with("HTTP/1.1 405 "));
  CHECK(post.find("Allow: GET, HEAD") != std::string::npos);
  CHECK(admin.get("what is this\r\n\r\n").empty());
  CHECK(admin.get("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n").empty());
}

TEST_CASE("connections are kept, several requests on one") {
  TestAdmin admin;
  TestClient client(admin.port);
  for (int i = 0; i < 3; ++i) client.send_bytes("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
  client.send_bytes("GET /health" + kEnd);
  const std::string answers = client.read_to_end();
  std::size_t count = 0;
  for (std::size_t at = 0; (at = answers.find("200 OK", at)) != std::string::npos; ++at) ++count;
  CHECK(count == 4);
}

TEST_CASE("a client that says nothing does not keep the server from ending") {
  TestAdmin admin;
  TestClient client(admin.port);
  client.send_bytes("GET / HT");
  admin.http.reset();
  CHECK(client.read_to_end().empty());
}
