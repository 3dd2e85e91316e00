// r.http from the language's side: values, errors, paging, cancellation. What goes over the wire is tests/http_fetch's concern.

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <thread>

#include "tests/http_fetch/test_server.hpp"
#include "tests/reql/support/in_process.hpp"

using namespace reqld::reql;
using reqld::http_fetch::test::Exchange;
using reqld::http_fetch::test::TestServer;

namespace {

std::string http(const std::string& url, const std::string& optargs = "{}") {
  return "[153,[\"" + url + "\"]," + optargs + "]";
}

void reply_json(Exchange& e, const std::string& text, const std::string& headers = "") {
  e.reply(200, text, "Content-Type: application/json\r\n" + headers);
}

// Pages /1, /2, /3 of two items each, linked by Link headers.
void three_pages(Exchange& e) {
  const std::string base = "http://" + e.headers["host"];
  const int page = std::stoi(e.path.substr(1));
  const std::string link = page < 3 ? "Link: <" + base + "/" + std::to_string(page + 1) + ">; rel=\"next\"\r\n" : "";
  const std::string n = std::to_string(page);
  reply_json(e, "[" + n + "1," + n + "2]", link);
}

// The function (v1) => body.
std::string page_function(const std::string& body, int limit) {
  return R"({"page":[69,[[2,[1]],)" + body + R"(]],"page_limit":)" + std::to_string(limit) + "}";
}

// v1('body')('next')
const std::string kBodyNext = R"([170,[[170,[[10,[1]],"body"]],"next"]])";

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace

TEST_CASE("bodies become values by their content type") {
  InProcess process;
  std::string type;
  std::string body;
  TestServer server([&](Exchange& e) { e.reply(200, body, type.empty() ? "" : "Content-Type: " + type + "\r\n"); });
  const auto get = [&](const std::string& t, const std::string& b, const std::string& optargs = "{}") {
    type = t;
    body = b;
    return process.value(http(server.url(), optargs));
  };
  CHECK(get("application/json", R"({"a":[1,null]})") == R"({"a":[1,null]})");
  CHECK(get("text/plain", "[1]") == R"("[1]")");
  CHECK(get("image/png", "abc") == R"({"$reql_type$":"BINARY","data":"YWJj"})");
  CHECK(get("text/javascript", "call([1,2]);") == "[1,2]");
  CHECK(get("text/javascript", "no json") == R"("no json")");
  CHECK(get("text/plain", "[1]", R"({"result_format":"json"})") == "[1]");
  CHECK(get("application/json", "[1]", R"({"result_format":"binary"})") == R"({"$reql_type$":"BINARY","data":"WzFd"})");
  CHECK(get("application/json", "[1]", R"({"method":"HEAD"})") == "null");
}

TEST_CASE("what goes wrong is a missing value, which default replaces") {
  InProcess process;
  TestServer server([](Exchange& e) { e.path == "/json" ? reply_json(e, "{bad") : e.reply(404, "gone"); });
  for (const char* path : {"/", "/json"}) {
    const Reply reply = process.run(http(server.url(path)));
    CHECK(reply.type == ReplyType::kRuntimeError);
    CHECK(reply.error == ErrorCode::kNonExistence);
    CHECK(process.value("[92,[" + http(server.url(path)) + ",\"fallback\"]]") == "\"fallback\"");
  }
}

TEST_CASE("an array that is too long for array_limit is refused") {
  InProcess process;
  TestServer server([](Exchange& e) { reply_json(e, R"({"a":[1,2,3,4,5]})"); });
  const Reply reply = process.run(http(server.url()), R"({"array_limit":4})");
  CHECK(reply.error == ErrorCode::kNonExistence);
  CHECK(reply.rows.find("Array over size limit `4`.") != std::string::npos);
  CHECK(process.value(http(server.url())) == R"({"a":[1,2,3,4,5]})");
}

TEST_CASE("link-next follows the Link headers") {
  InProcess process;
  TestServer server(three_pages);
  const auto pages = [&](int limit) {
    const Reply reply = process.run(http(server.url("/1"), R"({"page":"link-next","page_limit":)" + std::to_string(limit) + "}"));
    CHECK(reply.type == ReplyType::kSequence);
    return reply.rows;
  };
  CHECK(pages(-1) == "11,12,21,22,31,32");
  CHECK(pages(2) == "11,12,21,22");
  CHECK(pages(0) == "");
  CHECK(process.value("[52,[" + http(server.url("/1"), R"({"page":"link-next","page_limit":3})") + "]]") == "\"STREAM\"");
}

TEST_CASE("pages are fetched when their rows are wanted") {
  InProcess process;
  TestServer server(three_pages);
  const std::string all = http(server.url("/1"), R"({"page":"link-next","page_limit":-1})");
  CHECK(process.run("[71,[" + all + ",2]]").rows == "11,12");
  CHECK(server.requests() == 1);
  CHECK(process.run("[71,[" + all + ",3]]").rows == "11,12,21");
  CHECK(server.requests() == 3);
}

TEST_CASE("a page that is no array is one row, and a function finds the next") {
  InProcess process;
  TestServer server([](Exchange& e) {
    const int page = std::stoi(e.path.substr(1));
    const std::string next = page < 3 ? "\"http://" + e.headers["host"] + "/" + std::to_string(page + 1) + "\"" : "null";
    reply_json(e, R"({"n":)" + std::to_string(page) + R"(,"next":)" + next + "}");
  });
  const std::string numbers = "[31,[" + http(server.url("/1"), page_function(kBodyNext, -1)) + ",\"n\"]]";
  CHECK(process.run(numbers).rows == "1,2,3");
}

TEST_CASE("a paging function sees parameters and headers, and may change the parameters") {
  InProcess process;
  TestServer server([](Exchange& e) { reply_json(e, "\"" + e.path + "\"", "X-More: yes\r\nLink: <http://x/>; rel=next\r\n"); });
  // {url: …/b, params: {n: v1('params')('n').add(1), h: v1('header')('x-more'), l: v1('header')('link')('rel="next"')}}
  const std::string body = R"({"url":")" + server.url("/b") +
                           R"(","params":{"n":[24,[[170,[[170,[[10,[1]],"params"]],"n"]],1]],)"
                           R"("h":[170,[[170,[[10,[1]],"header"]],"x-more"]],)"
                           R"("l":[170,[[170,[[170,[[10,[1]],"header"]],"link"]],"rel=\"next\""]]}})";
  const std::string optargs = R"({"params":{"n":1,"k":"v"},)" + page_function(body, 3).substr(1);
  const Reply reply = process.run(http(server.url("/a"), optargs));
  CHECK(reply.rows ==
        R"("/a?k=v&n=1","/b?h=yes&k=v&l=http%3A%2F%2Fx%2F&n=2","/b?h=yes&k=v&l=http%3A%2F%2Fx%2F&n=3")");
}

TEST_CASE("a paging function that answers nonsense ends the query") {
  InProcess process;
  TestServer server([](Exchange& e) { reply_json(e, "1"); });
  for (const char* body : {"5", R"({"url":1})", R"({"params":1})", R"({"params":{"a":true}})"}) {
    const Reply reply = process.run(http(server.url(), page_function(body, -1)));
    CHECK(reply.type == ReplyType::kRuntimeError);
    CHECK(reply.error == ErrorCode::kQueryLogic);
    CHECK(reply.backtrace == Backtrace{std::string("page")});
  }
  const Reply broken = process.run(http(server.url(), page_function(R"([12,["inside"]])", -1)));
  CHECK(broken.error == ErrorCode::kUser);
  CHECK(broken.backtrace == Backtrace{std::string("page"), 1});
}

TEST_CASE("an error on a later page is an error of the term") {
  InProcess process;
  TestServer server([](Exchange& e) {
    if (e.path == "/2") return e.reply(404, "gone");
    three_pages(e);
  });
  const Reply reply = process.run("[43,[" + http(server.url("/1"), R"({"page":"link-next","page_limit":-1})") + "]]");
  CHECK(reply.error == ErrorCode::kNonExistence);
  CHECK(reply.backtrace == Backtrace{0});
}

TEST_CASE("cookies of one page are sent for the next") {
  InProcess process;
  TestServer server([](Exchange& e) {
    if (e.path != "/1") return reply_json(e, "\"" + e.headers["cookie"] + "\"");
    reply_json(e, "1", "Set-Cookie: k=v; Path=/\r\nLink: <http://" + e.headers["host"] + "/2>; rel=\"next\"\r\n");
  });
  CHECK(process.run(http(server.url("/1"), R"({"page":"link-next","page_limit":2})")).rows == R"(1,"k=v")");
}

TEST_CASE("paging options are checked before anything is fetched") {
  InProcess process;
  TestServer server([](Exchange& e) { reply_json(e, "1"); });
  for (const char* optargs : {R"({"page":"link-next"})", R"({"page":"other","page_limit":1})",
                              R"({"page":"link-next","page_limit":-2})", R"({"page":1,"page_limit":1})",
                              R"({"page":"link-next","page_limit":1.5})"}) {
    const Reply reply = process.run(http(server.url(), optargs));
    CHECK(reply.type == ReplyType::kRuntimeError);
    CHECK(reply.error == ErrorCode::kQueryLogic);
  }
  CHECK(server.requests() == 0);
}

TEST_CASE("cancelling a query ends its request") {
  InProcess process;
  TestServer server([](Exchange& e) { e.wait_for_close(30000); });
  const auto query = process.query("[1," + http(server.url()) + ",{}]");
  auto reply = std::async(std::launch::async, [&] {
    BlockingSuspender suspender;
    return query->start(suspender);
  });
  REQUIRE(eventually([&] { return server.requests() == 1; }));
  query->cancel();
  REQUIRE(reply.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
  CHECK(reply.get().type == ReplyType::kRuntimeError);
}
