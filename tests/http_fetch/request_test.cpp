// What goes over the wire and what comes back.
#include "fetch_fixture.hpp"

using namespace reqld::http_fetch;
using namespace reqld::http_fetch::test;

namespace {

/// Answers with the request: method, path and chosen headers, one per line, then the body.
void echo(Exchange& e) {
  std::string text = e.method + " " + e.path + "\n";
  for (const auto& [name, value] : e.headers) {
    if (name != "host" && name != "accept-encoding") text += name + ": " + value + "\n";
  }
  e.reply(200, text + "\n" + e.body, "Content-Type: text/plain\r\n");
}

std::string echoed(Fetcher& fetcher, Request request) {
  Outcome outcome = fetch(fetcher, std::move(request));
  REQUIRE_MESSAGE(outcome.ok(), outcome.error().message);
  return outcome->body;
}

const std::string kAgent = "user-agent: " + Options{}.user_agent + "\n";

}  // namespace

TEST_CASE("a plain GET") {
  TestServer server(echo);
  auto fetcher = make_fetcher();
  Outcome outcome = fetch(*fetcher, get(server.url("/a%20b?x=1#frag")));
  REQUIRE(outcome.ok());
  CHECK(outcome->status == 200);
  CHECK(outcome->content_type == "text/plain");
  CHECK(outcome->body == "GET /a%20b?x=1\naccept: */*\n" + kAgent + "\n");
  CHECK(outcome->effective_url == server.url("/a%20b?x=1#frag"));
  CHECK(find_header(outcome->headers, "content-type") == "text/plain");
  CHECK(outcome->cookies.empty());
}

TEST_CASE("the scheme may be left out") {
  TestServer server(echo);
  auto fetcher = make_fetcher();
  CHECK(echoed(*fetcher, get("127.0.0.1:" + std::to_string(server.port()) + "/x")).starts_with("GET /x\n"));
}

TEST_CASE("methods, bodies and their content types") {
  TestServer server(echo);
  auto fetcher = make_fetcher();
  const std::string common = "accept: */*\n";
  auto request = [&](Method method) {
    Request r = get(server.url());
    r.method = method;
    return r;
  };
  SUBCASE("POST") {
    Request r = request(Method::kPost);
    std::vector<Param> form = {{"a", "x y"}, {"b", number_text(0.5)}};
    r.body = encode_form(form);
    CHECK(echoed(*fetcher, r) == "POST /\n" + common + "content-length: 13\n" +
                                     "content-type: application/x-www-form-urlencoded\n" + kAgent +
                                     "\na=x%20y&b=0.5");
  }
  SUBCASE("POST without data") {
    CHECK(echoed(*fetcher, request(Method::kPost)) ==
          "POST /\n" + common + "content-length: 0\ncontent-type: application/x-www-form-urlencoded\n" +
              kAgent + "\n");
  }
  SUBCASE("PUT, PATCH and DELETE with text") {
    for (Method method : {Method::kPut, Method::kPatch, Method::kDelete}) {
      Request r = request(method);
      r.body = std::string("ra\0w", 4);
      CHECK(echoed(*fetcher, r) == std::string(method_name(method)) + " /\n" + common +
                                       "content-length: 4\n" + kAgent + "\n" + *r.body);
    }
  }
  SUBCASE("PUT with JSON, and a content type of one's own in addition") {
    Request r = request(Method::kPut);
    r.body = "{}";
    r.body_is_json = true;
    CHECK(echoed(*fetcher, r) ==
          "PUT /\n" + common + "content-length: 2\ncontent-type: application/json\n" + kAgent + "\n{}");
    r.header_lines = {"Content-Type: text/x"};
    CHECK(echoed(*fetcher, r).find("content-type: application/json, text/x\n") != std::string::npos);
  }
  SUBCASE("PUT, PATCH and DELETE without data") {
    for (Method method : {Method::kPut, Method::kPatch, Method::kDelete}) {
      std::string text = echoed(*fetcher, request(method));
      CHECK(text.starts_with(std::string(method_name(method)) + " /\n"));
      CHECK(text.find("content-type") == std::string::npos);
      CHECK(text.ends_with("\n\n"));
    }
  }
  SUBCASE("HEAD") {
    Outcome outcome = fetch(*fetcher, request(Method::kHead));
    REQUIRE(outcome.ok());
    CHECK(outcome->body.empty());
    CHECK(outcome->content_type == "text/plain");
  }
  SUBCASE("a body of some megabytes is not held back by Expect: 100-continue") {
    for (Method method : {Method::kPut, Method::kPost}) {
      Request r = request(method);
      r.body = std::string(3 << 20, 'x');
      std::string text = echoed(*fetcher, r);
      CHECK(text.find("expect") == std::string::npos);
      CHECK(text.size() > r.body->size());
    }
  }
}

TEST_CASE("header lines go to libcurl as they are") {
  TestServer server(echo);
  auto fetcher = make_fetcher();
  auto with = [&](std::vector<std::string> lines) {
    Request r = get(server.url());
    r.header_lines = std::move(lines);
    return echoed(*fetcher, r);
  };
  CHECK(with({"X-One: 1", "x-two: b", "X-Empty:", "X-Blank: ", "X-Sent;", "nonsense"}) ==
        "GET /\naccept: */*\n" + kAgent + "x-one: 1\nx-sent: \nx-two: b\n\n");
  CHECK(with({"User-Agent: mine", "Accept:"}) == "GET /\nuser-agent: mine\n\n");
}

TEST_CASE("what would break out of its header line is refused") {
  TestServer server(echo);
  auto fetcher = make_fetcher();
  for (std::string line :
       {std::string("X: a\r\nInjected: 1"), std::string("X: a\nb"), std::string("X: a\0b", 6)}) {
    Request r = get(server.url());
    r.header_lines = {line};
    Outcome outcome = fetch(*fetcher, r);
    REQUIRE_FALSE(outcome.ok());
    CHECK(outcome.error().kind == ErrorKind::kInvalid);
  }
  Request r = get(server.url());
  r.auth = Auth{Auth::Type::kDigest, "u\r\nInjected: 1", "p"};
  CHECK_FALSE(fetch(*fetcher, r).ok());
  CHECK(message_of(fetch(*fetcher, get(std::string("http://127.0.0.1\0x/", 19)))).find("illegal format") !=
        std::string::npos);
  CHECK(server.requests() == 0);
}

TEST_CASE("URL parameters are appended; the error text shows the URL without them") {
  TestServer server([](Exchange& e) { e.path.starts_with("/echo") ? echo(e) : e.reply(404, ""); });
  auto fetcher = make_fetcher();
  Request r = get(server.url("/echo?z=0"));
  r.params = {{"a", "1 2"}};
  CHECK(echoed(*fetcher, r).starts_with("GET /echo?z=0&a=1%202\n"));
  r.url = server.url("/none");
  CHECK(message_of(fetch(*fetcher, r)) ==
        "Error in HTTP GET of `" + r.url +
            "`: status code 404.\nheader:\n{\n\t\"content-length\":\t\"0\"\n}\nbody:\nnull");
}

TEST_CASE("status codes outside 2xx are errors with header and body") {
  TestServer server([](Exchange& e) {
    int status = std::stoi(e.path.substr(1));
    e.reply(status, status == 304 ? "" : "oops", "Content-Type: text/plain\r\nX-\xc3\xa9: \xc3\xa9\r\n");
  });
  auto fetcher = make_fetcher();
  for (int status : {200, 201, 206, 299})
    CHECK(fetch(*fetcher, get(server.url("/" + std::to_string(status)))).ok());
  for (int status : {300, 400, 401, 404, 429, 501, 599}) {
    std::string url = server.url("/" + std::to_string(status));
    Outcome outcome = fetch(*fetcher, get(url));
    REQUIRE_FALSE(outcome.ok());
    CHECK(outcome.error().kind == ErrorKind::kStatus);
    CHECK(outcome.error().message == "Error in HTTP GET of `" + url + "`: status code " +
                                         std::to_string(status) +
                                         ".\nheader:\n{\n\t\"content-length\":\t\"4\",\n\t\"content-type\":"
                                         "\t\"text/plain\",\n\t\"x-\xc3\xa9\":"
                                         "\t\"\xc3\xa9\"\n}\nbody:\n\"oops\"");
  }
}

TEST_CASE("basic authentication is sent at once and not to another host") {
  TestServer other(echo);
  TestServer server([&](Exchange& e) {
    if (e.path == "/away") return e.redirect(other.url("/x"));
    e.headers["authorization"] == "Basic dTpw" ? e.reply(200, "in") : e.reply(401, "denied");
  });
  auto fetcher = make_fetcher();
  Request r = get(server.url());
  r.auth = Auth{Auth::Type::kBasic, "u", "p"};
  CHECK(fetch(*fetcher, r)->body == "in");
  CHECK(server.requests() == 1);
  // The next user of the same handle and connection has none of it.
  CHECK(message_of(fetch(*fetcher, get(server.url()))).find("status code 401") != std::string::npos);
  r.url = server.url("/away");
  CHECK(echoed(*fetcher, r).find("authorization") == std::string::npos);
}

TEST_CASE("digest authentication answers the server's challenge") {
  TestServer server([](Exchange& e) {
    const std::string& given = e.headers["authorization"];
    bool ok = given.starts_with("Digest ") && given.find("username=\"u\"") != std::string::npos &&
              given.find("nonce=\"abc\"") != std::string::npos &&
              given.find("response=\"") != std::string::npos;
    ok ? e.reply(200, "in:" + e.body)
       : e.reply(401, "denied",
                 "WWW-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"abc\", algorithm=MD5\r\n");
  });
  auto fetcher = make_fetcher();
  for (Method method : {Method::kGet, Method::kPost, Method::kPut}) {
    Request r = get(server.url());
    r.method = method;
    if (method != Method::kGet) r.body = "data";
    r.auth = Auth{Auth::Type::kDigest, "u", "p"};
    Outcome outcome = fetch(*fetcher, r);
    REQUIRE_MESSAGE(outcome.ok(), outcome.error().message);
    CHECK(outcome->body == (method == Method::kGet ? "in:" : "in:data"));
  }
  CHECK(server.requests() == 6);
  CHECK(message_of(fetch(*fetcher, get(server.url()))).find("status code 401") != std::string::npos);
}

TEST_CASE("compressed and chunked bodies") {
  const std::string gzip(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x4c\x4a\x06\x00\xc2\x41\x24\x35\x03\x00\x00\x00", 23);
  TestServer server([&](Exchange& e) {
    if (e.path == "/gzip") return e.reply(200, gzip, "Content-Encoding: gzip\r\n");
    if (e.path == "/bad") return e.reply(200, "not gzip at all", "Content-Encoding: gzip\r\n");
    if (e.path == "/close") {
      e.raw("HTTP/1.1 200 OK\r\n\r\nuntil the end");
      return e.hang_up();
    }
    e.raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  });
  auto fetcher = make_fetcher();
  CHECK(fetch(*fetcher, get(server.url("/gzip")))->body == "abc");
  CHECK(fetch(*fetcher, get(server.url("/chunked")))->body == "abc");
  CHECK(fetch(*fetcher, get(server.url("/close")))->body == "until the end");
  CHECK_FALSE(fetch(*fetcher, get(server.url("/bad"))).ok());
  Request bomb = get(server.url("/gzip"));
  bomb.max_body_bytes = 2;
  CHECK(message_of(fetch(*fetcher, bomb)) ==
        no_answer("GET", server.url("/gzip"), "the response body is larger than the limit of 2 bytes"));
}

TEST_CASE("cookies live within a request, and from page to page when passed on") {
  TestServer server([](Exchange& e) {
    if (e.path == "/set") return e.reply(302, "", "Set-Cookie: a=1; Path=/\r\nLocation: /show\r\n");
    if (e.path == "/page") return e.reply(200, "p:" + e.headers["cookie"], "Set-Cookie: b=2; Path=/\r\n");
    e.reply(200, "c:" + e.headers["cookie"]);
  });
  auto fetcher = make_fetcher();
  CHECK(fetch(*fetcher, get(server.url("/set")))->body == "c:a=1");
  CHECK(fetch(*fetcher, get(server.url("/show")))->body == "c:");
  Outcome page = fetch(*fetcher, get(server.url("/page")));
  CHECK(page->body == "p:");
  CHECK(page->cookies.size() == 1);
  Request next = get(server.url("/show"));
  next.cookies = page->cookies;
  Outcome shown = fetch(*fetcher, next);
  CHECK(shown->body == "c:b=2");
  CHECK(shown->cookies.size() == 1);
  CHECK(fetch(*fetcher, get(server.url("/show")))->body == "c:");
}
