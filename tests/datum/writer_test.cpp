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

TEST_CASE("objects of one shape after the other are sorted, each for itself") {
  const std::vector<std::vector<std::string>> shapes = {
      {"c", "a", "b"},  {"c", "a", "b"},  {"z", "x", "y"}, {"b", "c", "a"}, {"a", "b", "c"}, {"c", "a", "b"}, {"c", "b"},
      {"nnnnnnnn2", "nnnnnnnn1", "nnnnnnnn"}, {"nnnnnnnn2", "nnnnnnnn", "nnnnnnnn1"}, {std::string("a\0", 2), "a", ""}, {"c", "a", "b"},
  };
  DatumWriter writer;
  writer.begin_array();
  for (const auto& names : shapes) {
    writer.begin_object();
    for (const std::string& name : names) {
      writer.name(name);
      writer.string("of " + name);
    }
    CHECK_FALSE(writer.end_object().duplicate);
  }
  writer.end_array();
  const Datum d = writer.finish();
  CHECK(validate_encoding(d.encoded()));
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    REQUIRE(d.at(i).object_size() == shapes[i].size());
    for (const std::string& name : shapes[i]) CHECK(text_of(*d.at(i).get(name)) == "of " + name);
  }
}

TEST_CASE("a name that is there twice is found behind an object of as many fields") {
  DatumWriter writer;
  const auto object = [&](const std::vector<std::string>& names) {
    writer.begin_object();
    for (const std::string& name : names) {
      writer.name(name);
      writer.string("of " + name);
    }
    return writer.end_object().duplicate;
  };
  writer.begin_array();
  CHECK_FALSE(object({"c", "a", "b"}));
  CHECK(object({"b", "a", "b"}) == "b");
  // As it came.
  const Datum last = writer.copy_last_value();
  REQUIRE(last.object_size() == 3);
  CHECK(last.name_at(0) == "b");
  CHECK(last.name_at(1) == "a");
  CHECK(last.name_at(2) == "b");
  CHECK(text_of(last.value_at(1)) == "of a");
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
