#include "datum/datum_map.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "random_datum.hpp"

using namespace reqld;

TEST_CASE("hash index: entries with one hash are told apart by their keys, through every growth") {
  for (const bool reserved : {false, true}) {
    HashIndex index;
    if (reserved) index.reserve(1000);
    for (std::size_t i = 0; i < 1000; ++i) {
      const auto is_key = [&](std::size_t entry) { return entry == i; };
      CHECK(index.find(i % 3, is_key) == std::nullopt);
      int added = 0;
      const auto add = [&] { ++added; };
      CHECK(index.find_or_add(i % 3, is_key, add) == i);
      CHECK(index.find_or_add(i % 3, is_key, add) == i);
      CHECK(added == 1);
    }
    for (std::size_t i = 0; i < 1000; ++i) {
      const auto is_key = [&](std::size_t entry) { return entry == i; };
      CHECK(index.find(i % 3, is_key) == i);
      CHECK(index.find((i + 1) % 3, is_key) == std::nullopt);
    }
  }
}

TEST_CASE("hash index: an entry that could not be added is not there") {
  HashIndex index;
  const auto is_key = [](std::size_t) { return true; };
  CHECK_THROWS_AS(index.find_or_add(7, is_key, [] { throw 1; }), int);
  CHECK(index.find(7, is_key) == std::nullopt);
  CHECK(index.find_or_add(7, is_key, [] {}) == 0);
}

TEST_CASE("datum set: each element once, in the order of the first") {
  DatumSet set;
  CHECK_FALSE(set.contains(Datum::number(1)));
  CHECK(set.insert(Datum::string("b")));
  CHECK(set.insert(Datum::number(1)));
  CHECK_FALSE(set.insert(Datum::string("b")));
  CHECK(set.insert(Datum::array({Datum::number(1), Datum::null()})));
  CHECK_FALSE(set.insert_copy(Datum::array({Datum::number(1), Datum::null()})));
  CHECK(set.size() == 3);
  CHECK(set.contains(Datum::number(1)));
  CHECK_FALSE(set.contains(Datum::string("1")));
  const std::vector<Datum> elements = set.take();
  REQUIRE(elements.size() == 3);
  CHECK(elements[0] == Datum::string("b"));
  CHECK(elements[1] == Datum::number(1));
  CHECK(set.size() == 0);
  CHECK_FALSE(set.contains(Datum::number(1)));
  CHECK(set.insert(Datum::number(1)));
}

TEST_CASE("datum set and map: as std::set and std::map, whatever the data") {
  testing::RandomDatum random(7);
  std::set<Datum> expected;
  std::map<Datum, int> counts;
  DatumSet set;
  DatumMap<int> map;
  for (int i = 0; i < 5000; ++i) {
    const Datum d = random.value(2);
    CHECK(set.contains(d) == expected.contains(d));
    const bool added = i % 2 == 0 ? set.insert(d) : set.insert_copy(d);
    CHECK(added == expected.insert(d).second);
    ++counts[d];
    ++map.at(d, [] { return 0; });
  }
  CHECK(set.size() == expected.size());
  CHECK(map.size() == counts.size());
  for (const auto& [key, count] : map.take()) CHECK(counts.at(key) == count);
  CHECK(map.size() == 0);
}
