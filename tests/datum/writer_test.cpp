#include "datum/writer.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "datum/limits.hpp"
#include "random_datum.hpp"

using namespace reqld;
using reqld::testing::MemoryBlobs;
using reqld::testing::RandomDatum;
using reqld::testing::text_of;

namespace {

/// Writes `d` event by event, the fields of objects in random order.
void replay(const Datum& d, DatumWriter& writer, RandomDatum& random) {
  switch (d.type()) {
    case Type::kNull:
      return writer.null();
    case Type::kBool:
      return writer.boolean(d.as_bool());
    case Type::kNumber:
      return writer.number(d.as_number());
    case Type::kString:
      return writer.string(d.as_string());
    case Type::kArray:
      writer.begin_array();
      for (std::size_t i = 0; i < d.array_size(); ++i) replay(d.at(i), writer, random);
      return writer.end_array();
    case Type::kObject: {
      std::vector<std::size_t> order(d.object_size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      std::shuffle(order.begin(), order.end(), random.engine());
      writer.begin_object();
      for (const std::size_t i : order) {
        writer.name(d.name_at(i));
        replay(d.value_at(i), writer, random);
      }
      const DatumWriter::ObjectEnd end = writer.end_object();
      CHECK_FALSE(end.duplicate);
      return;
    }
    default:
      writer.value(d);
  }
}

}  // namespace

TEST_CASE("events in any order make the canonical form") {
  MemoryBlobs* blobs = new MemoryBlobs;
  const Ref<BlobSource> keep(blobs);
  RandomDatum random(11, {.extremes = true, .blobs = blobs});
  DatumWriter writer;
  for (int i = 0; i < 3000; ++i) {
    const Datum d = random.value();
    replay(d, writer, random);
    const Datum written = writer.finish();
    REQUIRE(written.encoded() == d.encoded());
    REQUIRE(written.has_extreme() == d.has_extreme());
    REQUIRE(written.has_blob() == d.has_blob());
    if (d.has_blob()) REQUIRE(written == d);
  }
}

TEST_CASE("the end of an object tells what is special about it") {
  DatumWriter writer;
  writer.begin_object();
  writer.name("b");
  writer.null();
  writer.name("a");
  writer.null();
  writer.name("b");
  writer.null();
  CHECK(writer.end_object().duplicate == "b");
  writer.clear();
  writer.begin_object();
  writer.name("$reql_type$");
  writer.string("X");
  CHECK(writer.end_object().reql_type);
  CHECK(text_of(*writer.copy_last_value().get("$reql_type$")) == "X");
  writer.replace_last_value(Datum::integer(5));
  CHECK(writer.finish().as_integer() == 5);
}

TEST_CASE("a replaced value stays in its place") {
  DatumWriter writer;
  writer.begin_array();
  writer.number(1);
  writer.begin_object();
  (void)writer.end_object();
  writer.replace_last_value(Datum::string("a string that is longer than the object was"));
  writer.number(3);
  writer.end_array();
  const Datum d = writer.finish();
  REQUIRE(d.array_size() == 3);
  CHECK(text_of(d.at(1)) == "a string that is longer than the object was");
  CHECK(d.at(2).as_integer() == 3);
  CHECK(validate_encoding(d.encoded()));
}

TEST_CASE("values are bounded, however they are made") {
  set_max_value_bytes(10'000);
  const std::string half(6'000, 'x');
  CHECK_THROWS_AS(Datum::string(half + half), DatumError);
  const Datum d = Datum::string(half);
  CHECK_THROWS_AS(Datum::array({d, d}), DatumError);
  ArrayBuilder array;
  array.add(d);
  CHECK_THROWS_AS(array.add(d), DatumError);
  ObjectBuilder object;
  object.set("a", d);
  object.set("b", d);
  CHECK_THROWS_AS((void)object.finish(), DatumError);
  DatumWriter writer;
  writer.begin_array();
  writer.string(half);
  CHECK_THROWS_AS(writer.string(half), DatumError);
  set_max_value_bytes(std::size_t{1} << 30);
}
