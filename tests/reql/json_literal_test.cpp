#include "reql/json_literal.hpp"

#include <doctest/doctest.h>

#include "datum/json.hpp"
#include "reql/query.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

rapidjson::Document document(std::string text) {
  rapidjson::Document json;
  // The parser looks at 16 bytes at a time, up to and past the end of the text.
  text.append(kQueryPaddingBytes, '\0');
  json.Parse(text.c_str());
  REQUIRE_FALSE(json.HasParseError());
  return json;
}

std::optional<std::string> read(const char* text) {
  const rapidjson::Document json = document(text);
  const auto literal = JsonLiteralReader().read(json, 0);
  return literal ? std::optional(to_json(literal->value)) : std::nullopt;
}

}  // namespace

TEST_CASE("a literal is read whole") {
  CHECK(read(R"({})") == "{}");
  CHECK(read(R"([2,[]])") == "[]");
  CHECK(read(R"({"b":[2,[1,{"d":null,"c":"x"},[2,[true]]]],"a":-1.5})") ==
        R"({"a":-1.5,"b":[1,{"c":"x","d":null},[true]]})");
  CHECK(
      read(
          R"({"at":{"$reql_type$":"TIME","epoch_time":1,"timezone":"+00:00"},"x":{"$reql_type$":"BINARY","data":"YWJj"}})") ==
      R"({"at":{"$reql_type$":"TIME","epoch_time":1,"timezone":"+00:00"},"x":{"$reql_type$":"BINARY","data":"YWJj"}})");
  const rapidjson::Document nested = document(R"({"a":[2,[1,[2,[1,2,3]]]]})");
  CHECK(JsonLiteralReader().read(nested, 0)->longest_array == 3);
}

TEST_CASE("what is no literal, or a wrong one, is left to others") {
  CHECK_FALSE(read(R"({"a":[13,[]]})"));
  CHECK_FALSE(read(R"({"a":[1,2]})"));
  CHECK_FALSE(read(R"({"a":[2]})"));
  CHECK_FALSE(read(R"({"a":[2,[],{}]})"));
  CHECK_FALSE(read(R"({"a":1,"a":2})"));
  CHECK_FALSE(read("{\"a\":\"\xff\"}"));
  CHECK_FALSE(read("{\"\xff\":1}"));
  CHECK_FALSE(read(R"({"a":{"$reql_type$":"LITERAL"}})"));
  CHECK_FALSE(read(R"({"a":{"$reql_type$":"TIME"}})"));
  const rapidjson::Document deep = document(R"({"a":{"b":1}})");
  CHECK(JsonLiteralReader().read(deep, kMaxQueryDepth - 1));
  CHECK_FALSE(JsonLiteralReader().read(deep, kMaxQueryDepth));
}

TEST_CASE("around a term, everything else is read") {
  const rapidjson::Document json =
      document(R"({"a":{"x":1},"b":{"c":{"y":2},"d":[2,[[13,[]],{"z":3}]]},"e":{"w":4}})");
  JsonLiteralReader reader;
  const auto is_literal = [&](const rapidjson::Value& value) { return reader.read(value, 1).has_value(); };
  CHECK_FALSE(is_literal(json));
  CHECK(is_literal(json["a"]));
  const auto& b = json["b"];
  CHECK_FALSE(is_literal(b));
  CHECK(is_literal(b["c"]));
  CHECK_FALSE(is_literal(b["d"]));
  CHECK(is_literal(b["d"][1][1]));
  CHECK(is_literal(json["e"]));
}
