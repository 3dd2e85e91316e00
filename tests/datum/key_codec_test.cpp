#include "datum/key_codec.hpp"

#include <doctest/doctest.h>

#include "random_datum.hpp"

using namespace reqld;
using reqld::testing::MemoryBlobs;
using reqld::testing::RandomDatum;

namespace {

int sign(int n) {
  return n < 0 ? -1 : n > 0 ? 1 : 0;
}

Datum pair(const Datum& a, const Datum& b) {
  return Datum::array({a, b});
}

std::string refused(const Datum& d) {
  try {
    (void)to_primary_key(d);
  } catch (const DatumError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("keys sort as values do, and none begins another") {
  MemoryBlobs* blobs = new MemoryBlobs;
  const Ref<BlobSource> keep(blobs);
  RandomDatum random(21, {.extremes = true, .blobs = blobs});
  std::vector<Datum> values;
  std::vector<std::string> keys;
  for (int i = 0; i < 700; ++i) {
    values.push_back(random.value(4));
    keys.push_back(to_key(values.back()));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t k = 0; k < values.size(); ++k) {
      const int order = sign(compare(values[i], values[k]));
      REQUIRE(sign(keys[i].compare(keys[k])) == order);
      if (order != 0) REQUIRE_FALSE(keys[k].starts_with(keys[i]));
    }
  }
}

TEST_CASE("neighbouring values keep their order inside arrays") {
  RandomDatum random(22);
  for (int i = 0; i < 20000; ++i) {
    const Datum a = Datum::string(random.bytes(3)), b = Datum::string(random.bytes(3));
    const Datum c = Datum::number(random.number()), d = Datum::number(random.number());
    for (const auto& [x, y] : {std::pair(pair(a, c), pair(b, d)), std::pair(pair(c, a), pair(d, b)),
                               std::pair(Datum::array({a}), pair(a, c)),
                               std::pair(Datum::array({pair(a, b), a}), Datum::array({pair(a, b), b}))}) {
      REQUIRE(sign(compare(x, y)) == sign(to_key(x).compare(to_key(y))));
    }
  }
}

TEST_CASE("a key decodes to an equal value and leaves the rest") {
  MemoryBlobs* blobs = new MemoryBlobs;
  const Ref<BlobSource> keep(blobs);
  RandomDatum random(23, {.extremes = true, .blobs = blobs});
  for (int i = 0; i < 5000; ++i) {
    const Datum d = random.value();
    const std::string key = to_key(d);
    const std::string longer = key + "rest";
    std::string_view rest = longer;
    const std::optional<Datum> back = decode_key(rest);
    REQUIRE(back);
    REQUIRE(*back == d);
    REQUIRE(rest == "rest");
    REQUIRE(to_key(*back) == key);
  }
}

TEST_CASE("what is no key is refused") {
  RandomDatum random(24);
  for (int i = 0; i < 30000; ++i) {
    std::string key = to_key(random.value(3));
    key[random.below(key.size())] = static_cast<char>(random.below(256));
    if (random.chance(0.5)) key.resize(random.below(key.size()) + 1);
    std::string_view rest = key;
    const std::optional<Datum> d = decode_key(rest);
    if (d)
      REQUIRE(to_key(*d) == key.substr(0, key.size() - rest.size()));
    else
      REQUIRE(rest == key);
  }
  std::string_view empty;
  CHECK_FALSE(decode_key(empty));
}

TEST_CASE("primary keys are refused with the recorded texts") {
  const std::string k70(70, 'k'), k60(60, 'k');
  CHECK(refused(Datum::string(std::string(127, 'k'))).empty());
  CHECK(refused(Datum::string(std::string(128, 'k'))) ==
        "Primary key too long (max 127 characters): \"" + std::string(128, 'k') + "\"");
  CHECK(refused(pair(Datum::string(k60), Datum::string(k60))).empty());
  CHECK(refused(pair(Datum::string(k70), Datum::string(k70))) ==
        "Primary key too long (max 127 characters): [\n\t\"" + k70 + "\",\n\t\"" + k70 + "\"\n]");
  CHECK(refused(Datum::null()) ==
        "Primary keys must be either a number, string, bool, pseudotype or array (got type NULL):\nnull");
  CHECK(refused(Datum::empty_object()) ==
        "Primary keys must be either a number, string, bool, pseudotype or array (got type OBJECT):\n{}");
  CHECK(refused(pair(Datum::integer(1), Datum::null())) ==
        "Array keys can only contain numbers, strings, bools,  pseudotypes, or arrays (got null of type "
        "NULL).");
  CHECK(refused(Datum::string(std::string("a\0b", 3))) ==
        "String \"a\\x00b\" (truncated) contains NULL byte at offset 1 in index key.");
  CHECK(refused(Datum::array({Datum::array({Datum::string(std::string("\0", 1))})}))
            .find("contains NULL byte at offset 0") != std::string::npos);
  ObjectBuilder point;
  point.set("type", Datum::string("Point"));
  point.set("coordinates", pair(Datum::integer(1), Datum::integer(2)));
  CHECK(refused(Datum::geometry(point.finish())) ==
        "Cannot use a geometry value as a key value in a primary or non-geospatial secondary index.");
  CHECK(refused(Datum::time(5, 0)).empty());
  CHECK(refused(Datum::boolean(true)).empty());
  CHECK(refused(Datum::minval()) != "");
  CHECK_NOTHROW(check_secondary_key(pair(Datum::minval(), Datum::string(std::string("\0", 1)))));
  CHECK_THROWS_WITH(
      check_secondary_key(Datum::empty_object()),
      "Secondary keys must be a number, string, bool, pseudotype, or array (got {} of type OBJECT).");
}

TEST_CASE("the successor of a prefix is above all that begins with it") {
  CHECK(prefix_successor("a") == "b");
  CHECK(prefix_successor(std::string("a\xff", 2)) == "b");
  CHECK(prefix_successor("\xff\xff").empty());
  CHECK(prefix_successor("").empty());
}
