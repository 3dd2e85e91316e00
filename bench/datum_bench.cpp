// What values cost: building, looking up, comparing, JSON, base64, keys; beside memcpy and RapidJSON alone.
//
//   cmake -DREQLD_BENCH=ON … && ninja datum_bench && bench/datum_bench [part of a name]
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <time.h>

#include <cstdio>
#include <cstring>
#include <random>
#include <string>

#include "datum/base64.hpp"
#include "datum/json.hpp"
#include "datum/key_codec.hpp"

using namespace reqld;

namespace {

std::string_view wanted;

template <typename T>
void keep(T&& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Runs `f` for about 0.3 s and prints the CPU time of one run; with `bytes`, the rate too.
template <typename F>
void measure(const char* name, std::size_t bytes, F f) {
  if (std::string_view(name).find(wanted) == std::string_view::npos) return;
  std::size_t runs = 0, batch = 1;
  f();
  const double start = cpu_seconds();
  double took = 0;
  do {
    for (std::size_t i = 0; i < batch; ++i) f();
    runs += batch;
    batch *= 2;
    took = cpu_seconds() - start;
  } while (took < 0.3);
  const double ns = took * 1e9 / static_cast<double>(runs);
  std::printf("%-44s %12.1f ns", name, ns);
  if (bytes != 0) std::printf("  %8.0f MB/s", static_cast<double>(bytes) / ns * 1000);
  std::printf("\n");
}

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

void bench_documents() {
  const Datum document = small_document(7);
  const std::string encoded = document.encoded(), json = to_json(document);
  measure("document: build (9 fields, nested)", 0, [] { keep(small_document(7)); });
  measure("document: copy the encoding (memcpy)", encoded.size(),
          [&] { keep(Datum::from_encoded(encoded)); });
  measure("document: look a field up", 0, [&] { keep(document.get("score")->as_number()); });
  measure("document: look a nested field up", 0, [&] { keep(document.get("address")->get("city")); });
  measure("document: look up a field that is not there", 0, [&] { keep(document.get("nothing")); });
  measure("document: merge one field", 0, [&] {
    ObjectBuilder builder(document);
    builder.set("age", Datum::integer(1));
    keep(builder.finish());
  });
  const Datum other = small_document(7);
  measure("document: compare with an equal one", encoded.size(), [&] { keep(compare(document, other)); });
  measure("document: hash", encoded.size(), [&] { keep(hash_value(document)); });
  measure("document: validate", encoded.size(), [&] { keep(validate_encoding(encoded)); });
  std::string out;
  measure("document: to JSON", json.size(), [&] {
    out.clear();
    append_json(document, out);
  });
  measure("document: from JSON", json.size(), [&] { keep(parse_json(json)); });
  measure("document: from JSON, RapidJSON DOM alone", json.size(), [&] {
    std::string copy = json;
    rapidjson::Document dom;
    dom.ParseInsitu<rapidjson::kParseFullPrecisionFlag>(copy.data());
    keep(dom.IsObject());
  });
  measure("key: of an integer", 0, [&] {
    out.clear();
    append_key(Datum::integer(12345), out);
  });
  const Datum uuid = Datum::string("1f8a4c1e-5b1c-4c55-9b0e-0c5f4a0d9a11");
  measure("key: of a UUID, checked as primary key", 0, [&] { keep(to_primary_key(uuid)); });
  const std::string key = to_key(uuid);
  measure("key: back to the UUID", 0, [&] {
    std::string_view rest = key;
    keep(decode_key(rest));
  });
}

void bench_many() {
  ArrayBuilder builder;
  for (int i = 0; i < 1000; ++i) builder.add(small_document(i));
  const Datum rows = builder.finish();
  const std::string encoded = rows.encoded(), json = to_json(rows);
  measure("1000 documents: copy (memcpy)", encoded.size(), [&] { keep(Datum::from_encoded(encoded)); });
  std::string out;
  measure("1000 documents: to JSON", json.size(), [&] {
    out.clear();
    append_json(rows, out);
  });
  rapidjson::Document dom;
  dom.Parse<rapidjson::kParseFullPrecisionFlag>(json.c_str());
  measure("1000 documents: to JSON, RapidJSON alone", json.size(), [&] {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    dom.Accept(writer);
    keep(buffer.GetSize());
  });
  measure("1000 documents: from JSON", json.size(), [&] { keep(parse_json(json)); });
  measure("1000 documents: from JSON, RapidJSON DOM alone", json.size(), [&] {
    std::string copy = json;
    rapidjson::Document parsed;
    parsed.ParseInsitu<rapidjson::kParseFullPrecisionFlag>(copy.data());
    keep(parsed.IsArray());
  });
  measure("1000 documents: filter by one field", 0, [&] {
    std::size_t found = 0;
    for (std::size_t i = 0; i < rows.array_size(); ++i) {
      const auto age = rows.at(i).get("age");
      if (age && age->as_number() > 45) ++found;
    }
    keep(found);
  });
}

void bench_binary() {
  std::string bytes(1 << 20, '\0');
  std::mt19937_64 random(1);
  for (char& c : bytes) c = static_cast<char>(random());
  std::string text;
  append_base64(bytes, text);
  std::string out(text.size(), '\0');
  measure("1 MB: memcpy", bytes.size(), [&] {
    std::memcpy(out.data(), bytes.data(), bytes.size());
    keep(out[0]);
  });
  measure("1 MB: base64 encode", bytes.size(), [&] { encode_base64(bytes, out.data()); });
  measure("1 MB: base64 encode, portable", bytes.size(), [&] {
    base64_detail::encode_portable(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
                                   out.data());
  });
  measure("1 MB: base64 decode", bytes.size(),
          [&] { keep(decode_base64(text, reinterpret_cast<std::uint8_t*>(out.data()))); });
  measure("1 MB: base64 decode, portable", bytes.size(),
          [&] { keep(base64_detail::decode_portable(text, reinterpret_cast<std::uint8_t*>(out.data()))); });
  std::string broken;
  for (std::size_t i = 0; i < text.size(); i += 76) broken += text.substr(i, 76) + "\r\n";
  measure("1 MB: base64 decode, broken into lines", bytes.size(),
          [&] { keep(decode_base64(broken, reinterpret_cast<std::uint8_t*>(out.data()))); });
  ObjectBuilder builder;
  builder.set("id", Datum::integer(1));
  builder.set("file", Datum::binary(bytes));
  const Datum document = builder.finish();
  const std::string json = to_json(document);
  std::string reply;
  measure("1 MB: document to JSON", bytes.size(), [&] {
    reply.clear();
    append_json(document, reply);
  });
  measure("1 MB: document from JSON", bytes.size(), [&] { keep(parse_json(json)); });
  measure("1 MB: document from JSON, in place", bytes.size(), [&] {
    std::string copy = json;
    keep(parse_json_in_place(copy));
  });
  measure("1 MB: document copied", bytes.size(),
          [&] { keep(document.compact()), keep(Datum::from_encoded(document.slice_bytes())); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) wanted = argv[1];
  bench_documents();
  bench_many();
  bench_binary();
}
