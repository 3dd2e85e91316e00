#include "protocol/envelope.hpp"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <cmath>

namespace reqld::protocol {
namespace {

enum class Kind : std::uint8_t { kNone, kNull, kBool, kNumber, kString, kArray, kObject };

constexpr std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "NULL";
    case Kind::kBool:
      return "BOOL";
    case Kind::kNumber:
      return "NUMBER";
    case Kind::kString:
      return "STRING";
    case Kind::kArray:
      return "ARRAY";
    case Kind::kObject:
      return "OBJECT";
    case Kind::kNone:
      break;
  }
  return "NOTHING";
}

/// Notes the kinds of the elements of the outermost array and skips what is inside them.
struct OutlineHandler : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, OutlineHandler> {
  Kind root = Kind::kNone;
  Kind first = Kind::kNone;
  Kind third = Kind::kNone;
  std::int64_t number = 0;
  std::size_t elements = 0;
  std::size_t depth = 0;

  bool seen(Kind kind) {
    if (depth == 0) {
      root = kind;
    } else if (depth == 1 && root == Kind::kArray) {
      if (++elements == 1) first = kind;
      if (elements == 3) third = kind;
    }
    return true;
  }
  bool seen_number(double value) {
    if (depth == 1 && elements == 0 && std::floor(value) == value && std::abs(value) < 2147483648.0) {
      number = static_cast<std::int64_t>(value);
    }
    return seen(Kind::kNumber);
  }
  bool Null() { return seen(Kind::kNull); }
  bool Bool(bool) { return seen(Kind::kBool); }
  bool Int(int v) { return seen_number(v); }
  bool Uint(unsigned v) { return seen_number(v); }
  bool Int64(std::int64_t v) { return seen_number(static_cast<double>(v)); }
  bool Uint64(std::uint64_t v) { return seen_number(static_cast<double>(v)); }
  bool Double(double v) { return seen_number(v); }
  bool String(const char*, rapidjson::SizeType, bool) { return seen(Kind::kString); }
  bool Key(const char*, rapidjson::SizeType, bool) { return true; }
  bool StartObject() { return open(Kind::kObject); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool StartArray() { return open(Kind::kArray); }
  bool EndArray(rapidjson::SizeType) { return close(); }

 private:
  bool open(Kind kind) {
    seen(kind);
    ++depth;
    return true;
  }
  bool close() {
    --depth;
    return true;
  }
};

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// The one digit of a well-formed start of an envelope, and where the text goes on after it; 0 when it looks
/// otherwise.
int peek_type(std::string_view body, std::size_t& rest) {
  std::size_t i = 0;
  while (i < body.size() && is_space(body[i])) ++i;
  if (i == body.size() || body[i++] != '[') return 0;
  while (i < body.size() && is_space(body[i])) ++i;
  if (i == body.size() || body[i] < '1' || body[i] > '5') return 0;
  const int type = body[i++] - '0';
  while (i < body.size() && is_space(body[i])) ++i;
  if (i == body.size() || (body[i] != ',' && body[i] != ']')) return 0;
  rest = i;
  return type;
}

Envelope invalid(std::string text) {
  return {QueryType::kInvalid, "Server could not parse query: " + std::move(text)};
}

Envelope read_outline(std::string_view body) {
  OutlineHandler outline;
  rapidjson::MemoryStream stream(body.data(), body.size());
  rapidjson::Reader reader;
  reader.Parse<rapidjson::kParseIterativeFlag>(stream, outline);
  // A NUL ends the document for RapidJSON; here it is one byte of garbage like any other.
  if (reader.HasParseError() || stream.Tell() != body.size()) {
    return {QueryType::kInvalid, std::string(kUnparsableQuery)};
  }
  if (outline.root != Kind::kArray) {
    return invalid("Expected a query to be an array, but found " + std::string(kind_name(outline.root)) +
                   ".");
  }
  if (outline.elements < 1 || outline.elements > 3) {
    return invalid("Expected 1 to 3 elements in the top-level query, but found " +
                   std::to_string(outline.elements) + ".");
  }
  if (outline.first != Kind::kNumber) {
    return invalid("Expected a query type as a number, but found " + std::string(kind_name(outline.first)) +
                   ".");
  }
  if (outline.number < 1 || outline.number > 5) {
    return invalid("Unrecognized QueryType: " + std::to_string(outline.number) + ".");
  }
  if (outline.third != Kind::kNone && outline.third != Kind::kObject) {
    return invalid("Expected global optargs as an object, but found " +
                   std::string(kind_name(outline.third)) + ".");
  }
  return {static_cast<QueryType>(outline.number), {}};
}

}  // namespace

Envelope read_envelope(std::string_view body) {
  std::size_t rest = 0;
  const int type = peek_type(body, rest);
  if (type == static_cast<int>(QueryType::kStart)) return {QueryType::kStart, {}};
  if (type != 0 && rest + 1 == body.size() && body[rest] == ']') return {static_cast<QueryType>(type), {}};
  return read_outline(body);
}

}  // namespace reqld::protocol
