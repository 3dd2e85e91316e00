#include "datum/datum.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "random_datum.hpp"

using namespace reqld;
using reqld::testing::MemoryBlobs;
using reqld::testing::RandomDatum;
using reqld::testing::text_of;

namespace {

Datum reencoded(const Datum& d) {
  return Datum::from_encoded(d.encoded());
}

int sign(int n) {
  return n < 0 ? -1 : n > 0 ? 1 : 0;
}

template <typename F>
std::string error_of(F f) {
  try {
    f();
  } catch (const DatumError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("scalars know their type and value") {
  CHECK(Datum().is_null());
  CHECK(Datum::boolean(true).as_bool());
  CHECK_FALSE(Datum::boolean(false).as_bool());
  CHECK(Datum::number(1.5).as_number() == 1.5);
  CHECK(Datum::integer(-7).as_integer() == -7);
  CHECK(type_name(Datum::time(1, 60).type()) == "PTYPE<TIME>");
  CHECK(Datum::time(1.5, -90).as_time().epoch_seconds == 1.5);
  CHECK(Datum::time(1.5, -90).as_time().zone_minutes == -90);
  CHECK(type_name(Type::kGeometry) == "PTYPE<GEOMETRY>");
  for (std::size_t n : {0, 1, 13, 14, 15, 16, 127, 128, 20000}) {
    const std::string s(n, 'x');
    const Datum d = Datum::string(s);
    CHECK(d.as_string() == s);
    CHECK(text_of(reencoded(d)) == s);
    CHECK((d.slice_data() == nullptr) == (n <= 14));
    const Datum b = Datum::binary(s);
    CHECK(b.binary_size() == n);
    CHECK(*b.inline_binary() == s);
    CHECK(b.binary_slice(2, 3) == s.substr(std::min<std::size_t>(2, n), 3));
  }
}

TEST_CASE("numbers take their shortest form") {
  const std::pair<double, std::size_t> kSizes[] = {
      {0, 2},          {127, 2},        {-128, 2}, {128, 3}, {-32768, 3},           {32768, 5},
      {2147483647, 5}, {2147483648, 9}, {-0.0, 9}, {0.5, 9}, {9007199254740992, 9}, {1e300, 9}};
  for (const auto& [value, size] : kSizes) {
    CHECK(Datum::number(value).encoded_size() == size);
    CHECK(reencoded(Datum::number(value)).as_number() == value);
    CHECK(validate_encoding(Datum::number(value).encoded()));
  }
  CHECK(std::signbit(reencoded(Datum::number(-0.0)).as_number()));
  CHECK(static_cast<Tag>(Datum::number(1e16).encoded()[0]) == Tag::kDouble);
}

TEST_CASE("errors read as recorded") {
  CHECK(error_of([] { (void)text_of(Datum::integer(1)); }) == "Expected type STRING but found NUMBER.");
  CHECK(error_of([] { (void)Datum().get("a"); }) == "Expected type OBJECT but found NULL.");
  CHECK(error_of([] { (void)Datum::binary("a").array_size(); }) ==
        "Expected type ARRAY but found PTYPE<BINARY>.");
  CHECK(error_of([] { (void)Datum::number(1.5).as_integer(); }) == "Number not an integer: 1.5");
  CHECK(error_of([] { (void)Datum::number(9007199254740994).as_integer(); }) ==
        "Number not an integer (>2^53): 9007199254740994");
  CHECK(error_of([] { (void)Datum::number(INFINITY); }) == "Non-finite number: inf");
  try {
    (void)Datum().as_number();
    FAIL("no error");
  } catch (const DatumError& e) {
    CHECK(e.kind() == DatumErrorKind::kNonExistence);
  }
}

TEST_CASE("objects find their fields") {
  ObjectBuilder builder;
  for (int i = 1999; i >= 0; --i) builder.set("field" + std::to_string(i), Datum::integer(i));
  builder.set("field7", Datum::string("again"));
  CHECK(builder.erase("field8"));
  CHECK_FALSE(builder.erase("field8"));
  CHECK(builder.size() == 1999);
  CHECK(builder.find("field7")->as_string() == "again");
  const Datum object = builder.finish();
  CHECK(builder.empty());
  CHECK(object.object_size() == 1999);
  for (int i = 0; i < 2000; ++i) {
    const auto value = object.get("field" + std::to_string(i));
    CHECK(value.has_value() == (i != 8));
    if (value && i != 7) CHECK(value->as_integer() == i);
  }
  CHECK_FALSE(object.get(""));
  CHECK_FALSE(object.get("zzz"));
  for (std::size_t i = 1; i < object.object_size(); ++i) CHECK(object.name_at(i - 1) < object.name_at(i));
  CHECK(Datum::empty_object().object_size() == 0);
  CHECK_FALSE(Datum::empty_object().get("a"));
  CHECK(Datum::empty_array().array_size() == 0);
}

TEST_CASE("containers of every width") {
  for (std::size_t n : {0, 1, 60, 130, 250, 300, 20000, 70000}) {
    ArrayBuilder builder;
    std::vector<Datum> values;
    for (std::size_t i = 0; i < n; ++i) {
      builder.add(Datum::integer(static_cast<std::int64_t>(i)));
      values.push_back(Datum::integer(static_cast<std::int64_t>(i)));
    }
    const Datum array = builder.finish();
    REQUIRE(array.array_size() == n);
    CHECK(validate_encoding(array.encoded()));
    CHECK(array.encoded() == Datum::array(values).encoded());
    for (std::size_t i = 0; i < n; i += 1 + n / 100)
      CHECK(array.at(i).as_integer() == static_cast<std::int64_t>(i));
  }
}

TEST_CASE("encode and decode are inverse, and the form is canonical") {
  MemoryBlobs* blobs = new MemoryBlobs;
  const Ref<BlobSource> keep(blobs);
  RandomDatum random(1, {.blobs = blobs});
  for (int i = 0; i < 4000; ++i) {
    const Datum d = random.value();
    const std::string encoded = d.encoded();
    REQUIRE(encoded.size() == d.encoded_size());
    REQUIRE(encoded_size_at(reinterpret_cast<const std::uint8_t*>(encoded.data())) == encoded.size());
    REQUIRE(validate_encoding(encoded));
    const Ref<Buffer> buffer = Buffer::copy(encoded.data(), encoded.size());
    if (d.has_blob()) buffer->add_blob_source(blobs);
    const Datum back = Datum::from_encoded(buffer->data(), *buffer);
    REQUIRE(back == d);
    REQUIRE(hash_value(back) == hash_value(d));
    REQUIRE(back.encoded() == encoded);
    REQUIRE(back.has_blob() == d.has_blob());
    if (d.has_blob()) REQUIRE(d.blob_source() == blobs);
    REQUIRE(d.compact() == d);
    // The order of insertion does not show.
    if (d.is(Type::kObject)) {
      std::vector<std::size_t> order(d.object_size());
      for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
      std::shuffle(order.begin(), order.end(), random.engine());
      ObjectBuilder builder;
      for (const std::size_t k : order) builder.set(d.name_at(k), d.value_at(k));
      REQUIRE(builder.finish().encoded() == encoded);
      REQUIRE(ObjectBuilder(d).finish().encoded() == encoded);
    }
  }
}

TEST_CASE("the order is total, and equal values hash alike") {
  MemoryBlobs* blobs = new MemoryBlobs;
  const Ref<BlobSource> keep(blobs);
  RandomDatum random(2, {.extremes = true, .blobs = blobs});
  std::vector<Datum> values;
  for (int i = 0; i < 150; ++i) values.push_back(random.value(3));
  for (const Datum& a : values) {
    REQUIRE(compare(a, a) == 0);
    for (const Datum& b : values) {
      const int order = compare(a, b);
      REQUIRE(sign(order) == -sign(compare(b, a)));
      if (order == 0) REQUIRE(hash_value(a) == hash_value(b));
      if (a.type() != b.type()) REQUIRE(sign(order) == (a.type() < b.type() ? -1 : 1));
      for (const Datum& c : values)
        if (order <= 0 && compare(b, c) <= 0) REQUIRE(compare(a, c) <= 0);
    }
  }
  CHECK(compare(Datum::number(-0.0), Datum::number(0)) == 0);
  CHECK(hash_value(Datum::number(-0.0)) == hash_value(Datum::number(0)));
  CHECK(compare(Datum::time(5, 0), Datum::time(5, 120)) == 0);
  CHECK(hash_value(Datum::array({Datum::time(5, 0)})) == hash_value(Datum::array({Datum::time(5, 120)})));
}

TEST_CASE("a blob is the same value as its bytes") {
  MemoryBlobs* blobs = new MemoryBlobs;
  const Ref<BlobSource> keep(blobs);
  RandomDatum random(3);
  std::string big(700'000, 'q');
  for (std::string bytes : {std::string(), std::string("a"), random.bytes(4000), big, big + "r"}) {
    const Datum blob = blobs->add(bytes), plain = Datum::binary(bytes);
    CHECK(blob == plain);
    CHECK(plain == blob);
    CHECK(blob == blobs->add(bytes));
    CHECK(hash_value(blob) == hash_value(plain));
    CHECK(blob.binary_bytes() == bytes);
    CHECK(blob.binary_size() == bytes.size());
    CHECK_FALSE(blob.inline_binary());
    CHECK(blob.binary_slice(1, 2) == (bytes.empty() ? "" : bytes.substr(1, 2)));
    CHECK(blob < Datum::binary(bytes + std::string(1, '\0')));
    ObjectBuilder builder;
    builder.set("b", Datum::array({blob}));
    const Datum object = builder.finish();
    CHECK(object.has_blob());
    CHECK(object.get("b")->at(0).binary_bytes() == bytes);
    CHECK_FALSE(Datum::array({plain}).has_blob());
  }
  // The older source of two stays.
  MemoryBlobs* older = new MemoryBlobs(0);
  const Ref<BlobSource> keep_older(older);
  ArrayBuilder builder;
  builder.add(blobs->add("x"));
  builder.add(older->add("y"));
  CHECK(builder.finish().blob_source() == older);
}

TEST_CASE("an object that stands for r.literal is marked, and what is around it") {
  ObjectBuilder marker;
  marker.set("$reql_type$", Datum::string("LITERAL"));
  marker.set("value", Datum::integer(1));
  const Datum literal = marker.finish();
  CHECK(literal.has_literal());
  ObjectBuilder outer;
  outer.set("a", Datum::array({Datum::null(), literal}));
  const Datum object = outer.finish();
  CHECK(object.has_literal());
  CHECK_FALSE(object.get("a")->at(0).has_literal());
  ObjectBuilder copy(object);
  CHECK(copy.finish().has_literal());
  ArrayBuilder array;
  array.add(object);
  CHECK(array.finish().has_literal());
  // No stored value has one.
  CHECK_FALSE(validate_encoding(literal.slice_bytes()));
  ObjectBuilder other;
  other.set("$reql_type$", Datum::string("OTHER"));
  other.set("name", Datum::string("LITERAL"));
  CHECK_FALSE(other.finish().has_literal());
}

TEST_CASE("minval and maxval show from outside") {
  CHECK(Datum::minval().has_extreme());
  CHECK_FALSE(Datum::integer(1).has_extreme());
  ObjectBuilder builder;
  builder.set("a", Datum::array({Datum::integer(1), Datum::array({Datum::maxval()})}));
  const Datum object = builder.finish();
  CHECK(object.has_extreme());
  CHECK_FALSE(validate_encoding(object.encoded()));
  CHECK_FALSE(Datum::array({Datum::integer(1)}).has_extreme());
}

TEST_CASE("damaged bytes are refused without harm") {
  RandomDatum random(4);
  std::size_t accepted = 0;
  for (int i = 0; i < 30000; ++i) {
    std::string encoded = random.value(3).encoded();
    if (encoded.size() > 4000) continue;
    for (std::size_t n = 1 + random.below(3); n > 0; --n) {
      switch (random.below(3)) {
        case 0:
          encoded[random.below(encoded.size())] = static_cast<char>(random.below(256));
          break;
        case 1:
          encoded.resize(random.below(encoded.size()) + 1);
          break;
        default:
          encoded.insert(random.below(encoded.size()), 1, static_cast<char>(random.below(20)));
      }
    }
    if (!validate_encoding(encoded)) continue;
    // What passes is a value like any other: walking it is safe and its form is the canonical one.
    ++accepted;
    const Datum d = Datum::from_encoded(encoded);
    REQUIRE(d.encoded() == encoded);
    REQUIRE(compare(d, d) == 0);
    if (!d.has_blob()) (void)hash_value(d);
    if (d.is(Type::kObject)) REQUIRE(ObjectBuilder(d).finish().encoded() == encoded);
    if (d.is(Type::kArray)) {
      ArrayBuilder builder;
      for (std::size_t k = 0; k < d.array_size(); ++k) builder.add(d.at(k));
      REQUIRE(builder.finish().encoded() == encoded);
    }
  }
  CHECK(accepted > 100);
  CHECK_FALSE(validate_encoding(""));
  std::string deep;
  Datum nested = Datum::empty_array();
  for (int i = 0; i < 50; ++i) nested = Datum::array({nested});
  CHECK(validate_encoding(nested.encoded(), 51));
  CHECK_FALSE(validate_encoding(nested.encoded(), 50));
}

TEST_CASE("depth costs no call stack") {
  std::string data = "\x0e";
  Datum a = Datum::empty_array(), b = Datum::empty_array();
  for (int i = 0; i < 3000; ++i) {
    a = Datum::array({a});
    b = Datum::array({b});
  }
  CHECK(a == b);
  CHECK(a < Datum::array({a}));
  CHECK(hash_value(a) == hash_value(b));
}

TEST_CASE("resizing a buffer keeps its bytes") {
  Ref<Buffer> buffer = Buffer::copy("hello", 5);
  buffer = Buffer::resize(std::move(buffer), 100000);
  CHECK(std::memcmp(buffer->data(), "hello", 5) == 0);
  buffer->add_blob_source(new MemoryBlobs);
  buffer = Buffer::resize(std::move(buffer), 3);
  CHECK(buffer->size() == 3);
  CHECK(std::memcmp(buffer->data(), "hel", 3) == 0);
  CHECK(buffer->blob_source() != nullptr);
}
