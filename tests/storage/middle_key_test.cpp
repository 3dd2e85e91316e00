#include <doctest/doctest.h>

#include <random>
#include <string>

#include "storage/tables/keyspace.hpp"

using namespace reqld::storage;

TEST_CASE("the middle of two keys lies between them") {
  std::mt19937 random(5);
  const auto key = [&](const std::string& prefix) {
    std::string out = prefix;
    for (std::size_t n = random() % 12; n > 0; --n) out.push_back(static_cast<char>(random() % (random() % 2 == 0 ? 3 : 256)));
    return out;
  };
  int found = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string prefix = key("");
    std::string first = key(prefix), last = key(prefix);
    if (last < first) std::swap(first, last);
    const auto middle = middle_key(first, last);
    if (!middle) continue;
    ++found;
    REQUIRE(first < *middle);
    REQUIRE(*middle <= last);
  }
  CHECK(found > 50'000);
}

TEST_CASE("the middle of two keys halves what is between them") {
  CHECK(*middle_key("row000", "row900") > "row4");
  CHECK(*middle_key("row000", "row900") < "row6");
  CHECK(middle_key("a", std::string("a\0\0\0\0\0\0\0\4", 9)) == std::string("a\0\0\0\0\0\0\0\2", 9));
  for (const auto& [first, last] : {std::pair("a", "a"), std::pair("b", "a"), std::pair("", "")}) CHECK_FALSE(middle_key(first, last));
  CHECK_FALSE(middle_key("a", std::string("a\0", 2)));
  CHECK_FALSE(middle_key(std::string("a\1", 2), std::string("a\1\0\0\0\0\0\0\0\1", 10)));
}
