#include "http_fetch/admission.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace reqld::http_fetch;

namespace {

Clock::time_point at(int seconds) {
  return Clock::time_point(std::chrono::seconds(seconds));
}

}  // namespace

TEST_CASE("requests start up to the limit and then wait, first come first served") {
  Admission admission(2, 2);
  std::array<Admission::Ticket, 4> t;
  for (auto& ticket : t) ticket.deadline = at(100);
  CHECK(admission.offer(t[0], "a"));
  CHECK(admission.offer(t[1], "a"));
  CHECK_FALSE(admission.offer(t[2], "a"));
  CHECK_FALSE(admission.offer(t[3], "a"));
  CHECK(admission.next() == nullptr);
  admission.remove(t[1]);
  CHECK(admission.next() == &t[2]);
  CHECK(admission.next() == nullptr);
  admission.remove(t[0]);
  admission.remove(t[2]);
  CHECK(admission.next() == &t[3]);
  admission.remove(t[3]);
  admission.remove(t[3]);
  CHECK(admission.running() == 0);
  CHECK(admission.waiting() == 0);
}

TEST_CASE("a host at its own limit leaves room for others") {
  Admission admission(3, 2);
  std::array<Admission::Ticket, 6> t;
  for (auto& ticket : t) ticket.deadline = at(100);
  CHECK(admission.offer(t[0], "slow"));
  CHECK(admission.offer(t[1], "slow"));
  CHECK_FALSE(admission.offer(t[2], "slow"));
  CHECK(admission.next() == nullptr);
  CHECK(admission.offer(t[3], "fast"));
  CHECK_FALSE(admission.offer(t[4], "fast"));
  admission.remove(t[3]);
  CHECK(admission.next() == &t[4]);
  admission.remove(t[0]);
  CHECK(admission.next() == &t[2]);
}

TEST_CASE("hosts take turns") {
  Admission admission(1, 1);
  std::array<Admission::Ticket, 6> t;
  for (auto& ticket : t) ticket.deadline = at(100);
  CHECK(admission.offer(t[0], "a"));
  CHECK_FALSE(admission.offer(t[1], "a"));
  CHECK_FALSE(admission.offer(t[2], "a"));
  CHECK_FALSE(admission.offer(t[3], "b"));
  CHECK_FALSE(admission.offer(t[4], "b"));
  Admission::Ticket* running = &t[0];
  std::string order;
  for (int i = 0; i < 4; ++i) {
    admission.remove(*running);
    running = admission.next();
    REQUIRE(running != nullptr);
    order += running >= &t[3] ? 'b' : 'a';
  }
  CHECK((order == "abab" || order == "baba"));
}

TEST_CASE("deadlines of those that wait") {
  Admission admission(1, 1);
  std::array<Admission::Ticket, 3> t;
  t[0].deadline = at(1);
  t[1].deadline = at(30);
  t[2].deadline = at(20);
  CHECK(admission.offer(t[0], "a"));
  CHECK_FALSE(admission.earliest_deadline());
  CHECK_FALSE(admission.offer(t[1], "a"));
  CHECK_FALSE(admission.offer(t[2], "b"));
  CHECK(admission.earliest_deadline() == at(20));
  CHECK(admission.expired(at(19)) == nullptr);
  CHECK(admission.expired(at(20)) == &t[2]);
  admission.remove(t[2]);
  CHECK(admission.expired(at(20)) == nullptr);
  CHECK(admission.waiting() == 1);
}
