// What the server remembers of its log.

#include "server/log.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace reqld::server;

namespace {

/// Nothing comes to stderr meanwhile.
class Quiet {
 public:
  Quiet() { CHECK(log::open({.to_stderr = false}).empty()); }
  ~Quiet() { CHECK(log::open({}).empty()); }
};

}  // namespace

TEST_CASE("the newest lines of the log are kept") {
  const Quiet quiet;
  log::warn("first\nof two");
  const auto line = log::recent().back();
  CHECK(line.level == "warn");
  CHECK(line.message == "first of two");
  CHECK(line.uptime_seconds > 0);
  log::debug("below the level");
  CHECK(log::recent().back().message == "first of two");

  for (int i = 0; i < 2000; ++i) log::info("{} {}", i, std::string(5000, 'x'));
  const auto lines = log::recent();
  CHECK(lines.size() == 1000);
  CHECK(lines.front().message.starts_with("1000 x"));
  CHECK(lines.back().message.size() < 3000);
  const auto not_later = [](const auto& a, const auto& b) { return a.at >= b.at; };
  CHECK(std::adjacent_find(lines.begin(), lines.end(), not_later) == lines.end());
}

TEST_CASE("a listener hears of each line, which is there by then") {
  const Quiet quiet;
  int heard = 0;
  log::set_listener([&] {
    ++heard;
    CHECK(log::recent().back().message == "heard");
  });
  log::error("heard");
  log::set_listener(nullptr);
  log::error("not heard");
  CHECK(heard == 1);
}
