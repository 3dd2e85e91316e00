#include "datum/json.hpp"

#include <doctest/doctest.h>

#include <charconv>

#include "random_datum.hpp"

using namespace reqld;
using reqld::testing::MemoryBlobs;
using reqld::testing::RandomDatum;
using reqld::testing::text_of;

namespace {

std::string number_text(double d) {
  std::string out;
  append_json_number(d, out);
  return out;
}

std::string error_of(std::string_view text) {
  try {
    (void)parse_json_term(text);
  } catch (const DatumError& e) {
    return e.what();
  }
  return "";
}

std::string round_trip(std::string_view text) {
  return to_json(parse_json(text));
}

}  // namespace

TEST_CASE("numbers in RethinkDB's layout") {
  CHECK(number_text(0) == "0");
  CHECK(number_text(-0.0) == "-0.0");
  CHECK(number_text(-12) == "-12");
  CHECK(number_text(9007199254740992) == "9007199254740992");
  CHECK(number_text(1e16) == "10000000000000000.0");
  CHECK(number_text(123456789012345680000.0) == "123456789012345680000.0");
  CHECK(number_text(1e21) == "1e21");
  CHECK(number_text(-1.25e22) == "-1.25e22");
  CHECK(number_text(0.1) == "0.1");
  CHECK(number_text(0.000001) == "0.000001");
  CHECK(number_text(1e-7) == "1e-7");
  CHECK(number_text(0.30000000000000004) == "0.30000000000000004");
  CHECK(number_text(89011.26253835332) == "89011.26253835332");
  CHECK(number_text(5e-324) == "5e-324");
  CHECK(number_text(1.7976931348623157e308) == "1.7976931348623157e308");
}

TEST_CASE("every number reads back as itself") {
  RandomDatum random(41);
  for (int i = 0; i < 60000; ++i) {
    const double d = random.number();
    const std::string text = number_text(d);
    double back = 0;
    REQUIRE(std::from_chars(text.data(), text.data() + text.size(), back).ec == std::errc());
    REQUIRE(std::memcmp(&back, &d, sizeof d) == 0);
    const double parsed = parse_json(text).as_number();
    REQUIRE(std::memcmp(&parsed, &d, sizeof d) == 0);
    REQUIRE(text.size() <= 25);
  }
}

TEST_CASE("numbers with few decimals have the fewest digits that tell them") {
  RandomDatum random(44);
  const auto fewest = [](double d) {
    char text[64];
    return std::string(text, std::to_chars(text, text + sizeof text, d, std::chars_format::fixed).ptr);
  };
  for (int i = 0; i < 200'000; ++i) {
    double scale = 1;
    for (std::size_t decimals = random.below(7); decimals > 0; --decimals) scale *= 10;
    double d = static_cast<double>(random.below(std::size_t{1} << random.below(54))) / scale;
    // Its neighbours have many digits, and look almost alike.
    if (random.chance(0.3)) d = std::nextafter(d, random.chance(0.5) ? 0 : 1e300);
    if (d == std::trunc(d) || d < 1e-6) continue;
    CHECK(number_text(d) == fewest(d));
    CHECK(number_text(-d) == "-" + fewest(d));
  }
  CHECK(number_text(0.0001) == "0.0001");
  CHECK(number_text(0.00009) == "0.00009");
  CHECK(number_text(99999999999.9999) == "99999999999.9999");
  CHECK(number_text(100000000000.0625) == "100000000000.0625");
}

TEST_CASE("numbers are read as what is nearest to their text") {
  RandomDatum random(45);
  for (int i = 0; i < 200'000; ++i) {
    std::string text = random.chance(0.3) ? "-" : "";
    text += std::to_string(random.below(std::size_t{1} << random.below(54)));
    if (random.chance(0.8)) text += '.';
    if (text.back() == '.') {
      for (std::size_t n = 1 + random.below(16); n > 0; --n) text += static_cast<char>('0' + random.below(10));
    }
    if (random.chance(0.1)) text += "e-3";
    const double expected = std::strtod(text.c_str(), nullptr);
    const auto got = parse_json_number(text);
    REQUIRE(got.has_value());
    CHECK_MESSAGE(*got == expected, text);
  }
  CHECK(std::signbit(*parse_json_number("-0.0")));
}

TEST_CASE("numbers at the edges of what JSON may hold") {
  CHECK(parse_json("0e-110").as_number() == 0);
  CHECK(parse_json("0.0e300").as_number() == 0);
  CHECK(parse_json("-0").as_number() == 0);
  CHECK_FALSE(std::signbit(parse_json("-0").as_number()));
  CHECK(std::signbit(parse_json("-0.0").as_number()));
  CHECK(parse_json("1e-400").as_number() == 0);
  CHECK(parse_json("4.9e-324").as_number() == 5e-324);
  CHECK(parse_json("123456789012345678901234567890").as_number() == 123456789012345678901234567890.0);
  CHECK(parse_json("9007199254740993").as_number() == 9007199254740992.0);
  CHECK(parse_json("1E3").as_number() == 1000);
  CHECK(parse_json("[999999999999999,-99999999999999,1234567890123456]").at(0).as_number() ==
        999999999999999);
  CHECK(error_of("1.8e308") == "Failed to parse \"1.8e308\" as JSON: Number too big to be stored in double.");
  CHECK(error_of("-" + std::string(400, '9')).find("Number too big") != std::string::npos);
  CHECK(error_of("-").find("Invalid value.") != std::string::npos);
  CHECK(error_of("1.").find("Miss fraction part in number.") != std::string::npos);
}

TEST_CASE("values survive the way through JSON") {
  MemoryBlobs* blobs = new MemoryBlobs;
  const Ref<BlobSource> keep(blobs);
  RandomDatum random(42, {.blobs = blobs});
  for (int i = 0; i < 4000; ++i) {
    const Datum d = random.value();
    const std::string json = to_json(d);
    const Datum back = parse_json(json);
    REQUIRE(back == d);
    REQUIRE(to_json(back) == json);
    REQUIRE(validate_encoding(back.encoded()));
    REQUIRE(parse_json(to_pretty_json(d)) == d);
    std::string shown = to_shown_json(d);
    REQUIRE(shown.size() <= kShownJsonBytes + 3);
    // The wire objects stand for the same value.
    REQUIRE(from_pseudo_object(to_pseudo_object(d)) == d);
    if (!d.has_blob()) REQUIRE(to_json(to_pseudo_object(d)) == json);
  }
}

TEST_CASE("pseudo-types have their name in its place") {
  CHECK(to_json(Datum::time(1396137599.999, 120)) ==
        R"({"$reql_type$":"TIME","epoch_time":1396137599.999,"timezone":"+02:00"})");
  CHECK(to_json(Datum::binary("hello")) == R"({"$reql_type$":"BINARY","data":"aGVsbG8="})");
  CHECK(to_pretty_json(Datum::binary("hello")) == R"({"$reql_type$":"BINARY","data":"aGVsbG8="})");
  CHECK(to_pretty_json(Datum::array({Datum::binary("hello")})) ==
        "[\n\t{\n\t\t\"$reql_type$\":\t\"BINARY\",\n\t\t\"data\":\t\"aGVsbG8=\"\n\t}\n]");
  CHECK(
      to_pretty_json(Datum::time(1396137599.999, 120)) ==
      "{\n\t\"$reql_type$\":\t\"TIME\",\n\t\"epoch_time\":\t1396137599.999,\n\t\"timezone\":\t\"+02:00\"\n}");
  CHECK(round_trip(R"({"type":"Point","$reql_type$":"GEOMETRY","coordinates":[1,2]})") ==
        R"({"$reql_type$":"GEOMETRY","coordinates":[1,2],"type":"Point"})");
  CHECK(to_pretty_json(parse_json(R"({"a":[],"b":{},"c":[{"d":1}]})")) ==
        "{\n\t\"a\":\t[],\n\t\"b\":\t{},\n\t\"c\":\t[\n\t\t{\n\t\t\t\"d\":\t1\n\t\t}\n\t]\n}");
}

TEST_CASE("a large blob leaves in pieces that join") {
  MemoryBlobs* blobs = new MemoryBlobs;
  const Ref<BlobSource> keep(blobs);
  RandomDatum random(43);
  for (std::size_t n : {196607, 196608, 196609, 500000}) {
    std::string bytes(n, '\0');
    for (char& c : bytes) c = static_cast<char>(random.below(256));
    CHECK(to_json(Datum::array({blobs->add(bytes)})) == to_json(Datum::array({Datum::binary(bytes)})));
    CHECK(parse_json(to_json(blobs->add(bytes))).binary_bytes() == bytes);
    CHECK(to_shown_json(blobs->add(bytes)).size() <= kShownJsonBytes + 3);
  }
}

TEST_CASE("each byte that needs an escape is found at each place of strings of each length") {
  const std::string special("\0\x1f\"\\", 4);
  for (std::size_t n = 1; n <= 160; ++n) {
    const std::string plain(n, '\x80');  // neither ASCII nor escaped
    REQUIRE(to_json(Datum::string(plain)) == '"' + plain + '"');
    for (std::size_t at = 0; at < n; ++at) {
      for (const char c : special) {
        std::string s = plain;
        s[at] = c;
        std::string escaped = c == '\0' ? "\\u0000" : c == '\x1f' ? "\\u001F" : std::string("\\") + c;
        REQUIRE(to_json(Datum::string(s)) == '"' + plain.substr(0, at) + escaped + plain.substr(at + 1) + '"');
      }
    }
  }
}

TEST_CASE("nothing is lost where the text is handed on in pieces") {
  const std::string number = "-1.2345678901234568e-300";
  for (std::size_t fill = 0; fill < 1200; ++fill) {
    const std::string before = '"' + std::string(fill, 'x') + '"';
    for (const std::string& text : {
             "[" + before + "," + std::string(200, '[') + std::string(200, ']') + "]",
             "[" + before + "," + number + "," + number + "," + number + "]",
             "[" + before + ",null,false,true,-2147483648]",
             "{\"a\":" + before + ",\"b\":\"\\\"\\u0001\\n\",\"c\":{\"d\":[]}}",
             "{\"a\":" + before + ",\"" + std::string(126, 'n') + "\":0}",
             "{\"a\":" + before + R"(,"b":{"$reql_type$":"TIME","epoch_time":1.5,"timezone":"+02:00"}})",
         }) {
      CHECK(round_trip(text) == text);
    }
  }
}

TEST_CASE("strings are escaped, and read, as RethinkDB does") {
  CHECK(to_json(Datum::string(std::string("\0\x01\x1a\"\\/\b\f\n\r\t\x7f\xff", 13))) ==
        "\"\\u0000\\u0001\\u001A\\\"\\\\/\\b\\f\\n\\r\\t\x7f\xff\"");
  CHECK(text_of(parse_json("\"\\u00e9\\ud83d\\ude00\\/\"")) == "é😀/");
  CHECK(text_of(parse_json("\"\\ude00x\"")) == "\xed\xb8\x80x");
  for (std::size_t n = 0; n < 70; ++n) {
    for (std::size_t at = 0; at < n; ++at) {
      std::string s(n, 'x');
      s[at] = '"';
      REQUIRE(text_of(parse_json(to_json(Datum::string(s)))) == s);
    }
  }
}

TEST_CASE("text that is not JSON is refused with the recorded texts") {
  CHECK(error_of("[1,2") ==
        "Failed to parse \"[1,2\" as JSON: Missing a comma or ']' after an array element.");
  CHECK(error_of("") == "Failed to parse \"\" as JSON: The document is empty.");
  CHECK(error_of("{bad") == "Failed to parse \"{bad\" as JSON: Missing a name for object member.");
  CHECK(error_of("1 2") ==
        "Failed to parse \"1 2\" as JSON: The document root must not follow by other values.");
  CHECK(error_of("01") ==
        "Failed to parse \"01\" as JSON: The document root must not follow by other values.");
  CHECK(error_of("NaN") == "Failed to parse \"NaN\" as JSON: Invalid value.");
  CHECK(error_of("[1,]") == "Failed to parse \"[1,]\" as JSON: Invalid value.");
  CHECK(error_of("1e400") == "Failed to parse \"1e400\" as JSON: Number too big to be stored in double.");
  CHECK(error_of("\"open") ==
        "Failed to parse \"\"open\" as JSON: Missing a closing quotation mark in string.");
  CHECK(error_of("\"\\ud800\"") ==
        "Failed to parse \"\"\\ud800\"\" as JSON: The surrogate pair in string is invalid.");
  CHECK(error_of("\"\\x\"") == "Failed to parse \"\"\\x\"\" as JSON: Invalid escape character in string.");
  CHECK(error_of("[\"\t\"]") == "Failed to parse \"[\"\t\"]\" as JSON: Invalid escape character in string.");
  CHECK(error_of(R"({"a":1,"a":2})") == "Duplicate key \"a\" in JSON.");
  CHECK(error_of("\"\xff\"") ==
        "String `` (truncated) is not a UTF-8 string; Invalid initial byte seen at position 0.");
  CHECK(error_of(std::string_view("1\0", 2)) != "");
  CHECK(error_of(std::string_view("1\0 2", 4)) != "");
  CHECK(error_of(std::string(kMaxJsonDepth + 1, '[')).find("Nesting depth limit exceeded.") !=
        std::string::npos);
  CHECK(error_of(std::string(1'000'000, '[')).find("Nesting depth limit exceeded.") != std::string::npos);
  CHECK(parse_json(std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']')).is(Type::kArray));
  CHECK(error_of(R"({"$reql_type$":"BINARY","data":"Q"})") ==
        "Invalid base64 length: 1 character remaining, cannot decode a full byte.");
}

TEST_CASE("malformed pseudo-types are refused with the recorded texts") {
  CHECK(error_of(R"({"$reql_type$":"NOSUCH"})") == "Unknown $reql_type$ `PTYPE<NOSUCH>`.");
  CHECK(error_of(R"({"$reql_type$":5})") ==
        "Error: Field `$reql_type$` must be a string (got `5` of type NUMBER):\n{\n\t\"$reql_type$\":\t5\n}");
  CHECK(error_of(R"({"$reql_type$":"BINARY"})") == "Invalid binary pseudotype: lacking `data` key.");
  CHECK(error_of(R"({"$reql_type$":"BINARY","data":1})") == "Expected type STRING but found NUMBER.");
  CHECK(error_of(R"({"$reql_type$":"BINARY","data":"QQ==","extra":1})") ==
        "Invalid binary pseudotype: illegal `extra` key.");
  CHECK(error_of(R"({"$reql_type$":"TIME","epoch_time":1,"timezone":""})") ==
        "Invalid time object constructed (invalid timezone string "
        "`\"\"`):\n{\n\t\"$reql_type$\":\t\"TIME\",\n\t\"epoch_time\":\t1,\n\t\"timezone\":\t\"\"\n}");
  CHECK(error_of(R"({"$reql_type$":"TIME","epoch_time":1})") ==
        "Invalid time object constructed (no field "
        "`timezone`):\n{\n\t\"$reql_type$\":\t\"TIME\",\n\t\"epoch_time\":\t1\n}");
  CHECK(error_of(R"({"$reql_type$":"TIME","epoch_time":"1","timezone":"+00:00"})")
            .starts_with("Invalid time object constructed (field `epoch_time` must be a number (got `\"1\"` "
                         "of type STRING)):"));
  CHECK(error_of(R"({"$reql_type$":"TIME","epoch_time":1,"timezone":"+00:00","more":1})")
            .starts_with("Invalid time object constructed (unrecognized field `more`):"));
  CHECK(error_of(R"({"$reql_type$":"GEOMETRY"})") == "Field `type` not found in geometry object.");
  CHECK(round_trip(R"({"$reql_type$":"TIME","epoch_time":1.0005,"timezone":"Z"})") ==
        R"({"$reql_type$":"TIME","epoch_time":1.001,"timezone":"+00:00"})");
}

TEST_CASE("minval and maxval do not become JSON") {
  CHECK_THROWS_WITH((void)to_json(Datum::minval()), "Cannot convert `r.minval` to JSON.");
  CHECK_THROWS_WITH((void)to_json(Datum::array({Datum::maxval()})), "Cannot convert `r.maxval` to JSON.");
}
