#include "protocol/response.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "protocol/frame.hpp"

using namespace reqld::protocol;

namespace {

/// Takes everything out of a queue, `step` bytes at a time.
std::string drain(OutputQueue& queue, std::size_t step = 1 << 20) {
  std::string all;
  while (!queue.empty()) {
    iovec pieces[3];
    const std::size_t count = queue.gather(pieces);
    REQUIRE(count > 0);
    std::size_t sent = 0;
    for (std::size_t i = 0; i < count && sent < step; ++i) {
      const std::size_t take = std::min(pieces[i].iov_len, step - sent);
      all.append(static_cast<const char*>(pieces[i].iov_base), take);
      sent += take;
    }
    queue.consume(sent);
  }
  return all;
}

std::string encoded(Response response, std::uint64_t token = 5) {
  OutputQueue queue;
  append_response(queue, token, std::move(response));
  const std::string bytes = drain(queue);
  const auto frame = read_frame(bytes);
  REQUIRE(frame.status == FrameStatus::kComplete);
  CHECK(frame.token == token);
  CHECK(frame.need_bytes == bytes.size());
  return std::string(frame.body);
}

}  // namespace

TEST_CASE("replies have RethinkDB's layout") {
  CHECK(encoded({.type = 1, .rows = "3"}) == R"({"t":1,"r":[3]})");
  CHECK(encoded({.type = 2, .rows = ""}) == R"({"t":2,"r":[],"n":[]})");
  CHECK(encoded({.type = 3, .rows = "1,2", .notes = {1, 5}}) == R"({"t":3,"r":[1,2],"n":[1,5]})");
  CHECK(encoded({.type = 4}) == R"({"t":4,"r":[]})");
  CHECK(encoded({.type = 1, .rows = "1", .profile = "[{}]"}) == R"({"t":1,"r":[1],"p":[{}]})");
  CHECK(encoded({.type = 17, .rows = "\"x\""}) == R"({"t":17,"r":["x"],"b":[]})");
  CHECK(encoded({.type = 18, .error = 4100000, .rows = "\"x\"", .backtrace = {0, std::string("a\"b"), -1}}) ==
        R"({"t":18,"e":4100000,"r":["x"],"b":[0,"a\"b",-1]})");
  CHECK(encoded(error_response(16, 0, "ERROR: duplicate token 1\n")) ==
        R"({"t":16,"r":["ERROR: duplicate token 1\n"],"b":[]})");
}

TEST_CASE("control characters are escaped, others pass") {
  std::string text;
  append_json_string(text, std::string_view("a\0\x1f\t\"\\\xff\xc3\xa9", 9));
  CHECK(text == "\"a\\u0000\\u001f\\t\\\"\\\\\xff\xc3\xa9\"");
}

TEST_CASE("large rows are taken over, not copied") {
  OutputQueue queue;
  std::string rows(100'000, 'x');
  const char* const where = rows.data();
  append_response(queue, 1, {.type = 1, .rows = std::move(rows)});
  iovec pieces[8];
  REQUIRE(queue.gather(pieces) == 3);
  CHECK(pieces[1].iov_base == where);
}

TEST_CASE("a queue gives back what was put in, however it is taken out") {
  std::mt19937 random(7);
  for (const std::size_t step : {1u, 7u, 4096u, 100'000u}) {
    OutputQueue queue;
    std::string expected;
    std::string got;
    for (int round = 0; round < 300; ++round) {
      const std::size_t size = random() % (round % 10 == 0 ? 30'000 : 300);
      std::string piece(size, static_cast<char>('a' + random() % 26));
      expected += piece;
      if (random() % 2 == 0) {
        queue.append(std::move(piece));
      } else {
        queue.append(std::string_view(piece));
      }
      iovec first[1];
      if (random() % 4 == 0 && queue.gather(first) == 1) {
        const std::size_t take = std::min<std::size_t>(first[0].iov_len, random() % 500);
        got.append(static_cast<const char*>(first[0].iov_base), take);
        if (take > 0) queue.consume(take);
      }
      CHECK(queue.queued_bytes() == expected.size() - got.size());
    }
    got += drain(queue, step);
    CHECK(got == expected);
  }
}
