// What values cost: the stored form, keys, JSON, base64; each beside memcpy or RapidJSON alone.
//
//   ./dev bench micro datum [--benchmark_filter=REGEX]
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "bench/micro.hpp"
#include "bench/rapidjson_limit.hpp"
#include "datum/base64.hpp"
#include "datum/json.hpp"
#include "datum/key_codec.hpp"

using namespace reqld;
using namespace reqld::bench;

namespace {

Datum small_document(int i) {
  ObjectBuilder builder;
  builder.set("id", Datum::integer(i));
  builder.set("name", Datum::string("user number " + std::to_string(i)));
  builder.set("email", Datum::string("user" + std::to_string(i) + "@example.com"));
  builder.set("age", Datum::integer(i % 90));
  builder.set("score", Datum::number(i * 0.37));
  builder.set("active", Datum::boolean(i % 2 == 0));
  ObjectBuilder address;
  address.set("city", Datum::string("Amsterdam"));
  address.set("street", Datum::string("a street with a long name"));
  builder.set("address", address.finish());
  builder.set("tags", Datum::array({Datum::string("one"), Datum::string("two"), Datum::string("three")}));
  return builder.finish();
}

Datum documents(int count) {
  ArrayBuilder builder;
  for (int i = 0; i < count; ++i) builder.add(small_document(i));
  return builder.finish();
}

/// One value in the forms that the benchmarks read, and room for what they write.
struct Sample {
  Sample(std::string name_in, Datum value_in)
      : name(std::move(name_in)),
        value(std::move(value_in)),
        encoded(value.encoded()),
        json(to_json(value)),
        count(value.is(Type::kArray) ? value.array_size() : 1),
        copy(std::max(encoded.size(), json.size()), '\0') {
    if (dom.Parse<rapidjson::kParseFullPrecisionFlag>(json.c_str()).HasParseError()) std::abort();
  }

  std::string name;
  Datum value;
  std::string encoded, json;
  std::size_t count;  ///< of documents
  std::string copy, out;
  rapidjson::Document dom;
};

void add_memcpy(const std::string& name, std::string_view from, std::string& to) {
  add(name, {.bytes = from.size()}, [from, &to] {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  });
}

void add_codec(Sample& s) {
  const Work work{.bytes = s.encoded.size()};
  add("datum/codec_from_encoded/" + s.name, work, [&] { DoNotOptimize(Datum::from_encoded(s.encoded)); });
  add("datum/codec_validate/" + s.name, work, [&] { DoNotOptimize(validate_encoding(s.encoded)); });
  add("datum/hash/" + s.name, work, [&] { DoNotOptimize(hash_value(s.value)); });
  add("datum/compare_equal/" + s.name, work,
      [&s, other = Datum::from_encoded(s.encoded)] { DoNotOptimize(compare(s.value, other)); });
  add_memcpy("limit/memcpy_encoded/" + s.name, s.encoded, s.copy);
}

void add_json(Sample& s) {
  const Work work{.bytes = s.json.size(), .items = s.count};
  add("datum/json_parse/" + s.name, work, [&] { DoNotOptimize(parse_json(s.json)); });
  add_rapidjson_limits(s.name, s.json, s.count);
  add("datum/json_encode/" + s.name, work, [&] {
    s.out.clear();
    append_json(s.value, s.out);
    DoNotOptimize(s.out.data());
  });
  add("limit/rapidjson_writer/" + s.name, work, [&s, buffer = rapidjson::StringBuffer()]() mutable {
    buffer.Clear();
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    s.dom.Accept(writer);
    DoNotOptimize(buffer.GetString());
  });
  add_memcpy("limit/memcpy_json/" + s.name, s.json, s.copy);
}

void add_fields(const Sample& s, const Sample& rows) {
  const std::size_t bytes = s.encoded.size();
  add("datum/codec_build/document", {.bytes = bytes}, [] { DoNotOptimize(small_document(7)); });
  add("datum/codec_merge_field/document", {.bytes = bytes}, [&] {
    ObjectBuilder builder(s.value);
    builder.set("age", Datum::integer(1));
    DoNotOptimize(builder.finish());
  });
  add("datum/get/field", {.items = 1}, [&] { DoNotOptimize(s.value.get("score")->as_number()); });
  add("datum/get/nested_field", {.items = 1}, [&] { DoNotOptimize(s.value.get("address")->get("city")); });
  add("datum/get/missing_field", {.items = 1}, [&] { DoNotOptimize(s.value.get("nothing")); });
  add("datum/filter_by_field/documents_1000", {.items = rows.value.array_size()}, [&] {
    std::size_t found = 0;
    for (std::size_t i = 0; i < rows.value.array_size(); ++i) {
      const auto age = rows.value.at(i).get("age");
      if (age && age->as_number() > 45) ++found;
    }
    DoNotOptimize(found);
  });
}

struct KeySample {
  KeySample(std::string name_in, Datum value_in)
      : name(std::move(name_in)), value(std::move(value_in)), key(to_key(value)), copy(key) {}

  std::string name;
  Datum value;
  std::string key, copy, out;
};

void add_key(KeySample& s) {
  const Work work{.bytes = s.key.size(), .items = 1};
  add("datum/key_encode/" + s.name, work, [&] {
    s.out.clear();
    append_key(s.value, s.out);
    DoNotOptimize(s.out.data());
  });
  add("datum/key_of_primary/" + s.name, work, [&] { DoNotOptimize(to_primary_key(s.value)); });
  add("datum/key_decode/" + s.name, work, [&] {
    std::string_view rest = s.key;
    DoNotOptimize(decode_key(rest));
  });
  add_memcpy("limit/memcpy_key/" + s.name, s.key, s.copy);
}

struct BinarySample {
  BinarySample() : bytes(1 << 20, '\0') {
    std::mt19937_64 random(1);
    for (char& c : bytes) c = static_cast<char>(random());
    append_base64(bytes, text);
    for (std::size_t i = 0; i < text.size(); i += 76) broken += text.substr(i, 76) + "\r\n";
    ObjectBuilder builder;
    builder.set("id", Datum::integer(1));
    builder.set("file", Datum::binary(bytes));
    document = builder.finish();
    json = to_json(document);
    out.resize(std::max(broken.size(), json.size()));
  }

  std::string bytes, text, broken, out, json, reply;
  Datum document;
};

void add_binary(BinarySample& s) {
  const Work work{.bytes = s.bytes.size()};
  const auto target = [&s] { return reinterpret_cast<std::uint8_t*>(s.out.data()); };
  add("datum/base64_encode/1m", work, [&] {
    encode_base64(s.bytes, s.out.data());
    benchmark::ClobberMemory();
  });
  add("datum/base64_encode_portable/1m", work, [&] {
    base64_detail::encode_portable(reinterpret_cast<const std::uint8_t*>(s.bytes.data()), s.bytes.size(),
                                   s.out.data());
    benchmark::ClobberMemory();
  });
  add("datum/base64_decode/1m", work, [&s, target] { DoNotOptimize(decode_base64(s.text, target())); });
  add("datum/base64_decode_portable/1m", work,
      [&s, target] { DoNotOptimize(base64_detail::decode_portable(s.text, target())); });
  add("datum/base64_decode_lines/1m", work,
      [&s, target] { DoNotOptimize(decode_base64(s.broken, target())); });
  add("datum/codec_from_encoded/binary_1m", work,
      [&] { DoNotOptimize(Datum::from_encoded(s.document.slice_bytes())); });
  // Of a part: what has its buffer for itself already is not copied.
  add("datum/codec_compact/binary_1m", work,
      [file = s.document.get("file").value()] { DoNotOptimize(file.compact()); });
  add_memcpy("limit/memcpy/binary_1m", s.bytes, s.out);
  const Work json{.bytes = s.json.size(), .items = 1};
  add("datum/json_parse/binary_1m", json, [&] { DoNotOptimize(parse_json(s.json)); });
  add("datum/json_parse_in_place/binary_1m", json, [&] {
    std::string copy = s.json;
    DoNotOptimize(parse_json_in_place(copy));
  });
  add_rapidjson_limits("binary_1m", s.json);
  add("datum/json_encode/binary_1m", json, [&] {
    s.reply.clear();
    append_json(s.document, s.reply);
    DoNotOptimize(s.reply.data());
  });
  add_memcpy("limit/memcpy_json/binary_1m", s.json, s.out);
}

}  // namespace

int main(int argc, char** argv) {
  Sample one("document", small_document(7)), many("documents_1000", documents(1000));
  KeySample integer("integer", Datum::integer(12345)),
      uuid("uuid", Datum::string("1f8a4c1e-5b1c-4c55-9b0e-0c5f4a0d9a11"));
  BinarySample binary;
  add_fields(one, many);
  for (Sample* s : {&one, &many}) add_codec(*s), add_json(*s);
  for (KeySample* s : {&integer, &uuid}) add_key(*s);
  add_binary(binary);
  return run(argc, argv);
}
