// JSON text -> datum: RapidJSON's events feed a DatumWriter. Iterative, so nesting costs no call stack.
#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "datum/encoding.hpp"
#include "datum/json.hpp"
#include "datum/utf8.hpp"

namespace reqld {

namespace {

// RapidJSON reads strings 16 bytes at a time: so far may it look beyond the end.
constexpr std::size_t kReadAhead = 16;
constexpr std::size_t kShownBytes = 40;

class Handler {
 public:
  Handler(DatumWriter& writer, const char* text, JsonLiterals literals)
      : writer_(writer), text_(text), literals_(literals) {}

  bool Null() {
    writer_.null();
    return true;
  }
  bool Bool(bool b) {
    writer_.boolean(b);
    return true;
  }
  bool RawNumber(const char* s, rapidjson::SizeType size, bool) {
    const std::optional<double> d = parse_json_number({s, size});
    if (!d)
      throw JsonSyntaxError(rapidjson::GetParseError_En(rapidjson::kParseErrorNumberTooBig),
                            static_cast<std::size_t>(s - text_));
    writer_.number(*d);
    return true;
  }
  // Numbers come as text only.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* s, rapidjson::SizeType size, bool) {
    utf8::check({s, size});
    writer_.string({s, size});
    return true;
  }
  bool Key(const char* s, rapidjson::SizeType size, bool) {
    utf8::check({s, size});
    writer_.name({s, size});
    return true;
  }
  bool StartObject() {
    if (writer_.depth() >= kMaxJsonDepth) return false;
    writer_.begin_object();
    return true;
  }
  bool StartArray() {
    if (writer_.depth() >= kMaxJsonDepth) return false;
    writer_.begin_array();
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
    writer_.end_array();
    return true;
  }
  bool EndObject(rapidjson::SizeType) {
    const DatumWriter::ObjectEnd end = writer_.end_object();
    if (end.duplicate) {
      std::string name;
      append_json_string(*end.duplicate, name);
      throw DatumError(DatumErrorKind::kLogic, fmt::format("Duplicate key {} in JSON.", name));
    }
    if (end.reql_type && !(literals_ == JsonLiterals::kKeep && mark_literal())) replace_pseudo_object(writer_);
    return true;
  }

 private:
  /// Whether the object that has just ended is a literal; then it, and all around it, are marked.
  bool mark_literal() {
    const Datum marked = ObjectBuilder(writer_.copy_last_value()).finish();
    if (*marked.get(encoding::kReqlType) != Datum::string(encoding::kLiteralType)) return false;
    if (const auto value = marked.get("value"); value && value->has_literal()) return false;
    writer_.replace_last_value(marked);
    return true;
  }

  DatumWriter& writer_;
  const char* text_;
  const JsonLiterals literals_;
};

const char* reason(rapidjson::ParseErrorCode code) {
  switch (code) {
    // As the RapidJSON of the recordings words it.
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "The document root must not follow by other values.";
    case rapidjson::kParseErrorTermination:
      return "Nesting depth limit exceeded.";
    default:
      return rapidjson::GetParseError_En(code);
  }
}

/// `text` is followed by a zero byte.
Datum parse(char* text, std::size_t size, JsonLiterals literals) {
  DatumWriter writer;
  Handler handler(writer, text, literals);
  rapidjson::Reader reader;
  rapidjson::InsituStringStream stream(text);
  constexpr unsigned kFlags =
      rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, handler);
  if (result.IsError()) throw JsonSyntaxError(reason(result.Code()), result.Offset());
  // A zero byte ends the text for RapidJSON; what comes after it is not white space in any case.
  if (stream.Tell() != size)
    throw JsonSyntaxError(reason(rapidjson::kParseErrorDocumentRootNotSingular), stream.Tell());
  return writer.finish();
}

Datum parse_copy(std::string_view text, JsonLiterals literals) {
  std::string copy;
  copy.reserve(text.size() + kReadAhead);
  copy = text;
  return parse(copy.data(), copy.size(), literals);
}

}  // namespace

std::optional<double> parse_json_number(std::string_view text) {
  constexpr std::size_t kPlainDigits = 15;  // an int64 and a double hold these exactly
  const bool negative = text[0] == '-';
  if (text.size() <= kPlainDigits) {
    std::int64_t n = 0;
    std::size_t i = negative ? 1 : 0;
    const auto take_digits = [&] {
      const std::size_t first = i;
      for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) n = n * 10 + (text[i] - '0');
      return i - first;
    };
    take_digits();
    if (i == text.size()) return static_cast<double>(negative ? -n : n);
    if (text[i] == '.') {
      ++i;
      // Both are exact, so their quotient is the double that is nearest.
      constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};
      const std::size_t decimals = take_digits();
      const double d = static_cast<double>(n) / kPowers[decimals];
      if (i == text.size()) return negative ? -d : d;
    }
  }
  double d = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), d).ec == std::errc()) return d;
  // Out of range: too large, or too small to be told from zero. strtod knows which.
  d = std::strtod(std::string(text).c_str(), nullptr);
  return std::isfinite(d) ? std::optional(d) : std::nullopt;
}

Datum parse_json_in_place(std::string& text) {
  text.reserve(text.size() + kReadAhead);
  return parse(text.data(), text.size(), JsonLiterals::kRefuse);
}

Datum parse_json(std::string_view text) {
  return parse_copy(text, JsonLiterals::kRefuse);
}

Datum parse_json_term(std::string_view text, JsonLiterals literals) {
  try {
    return parse_copy(text, literals);
  } catch (const JsonSyntaxError& e) {
    const bool cut = text.size() > kShownBytes;
    throw DatumError(DatumErrorKind::kLogic, fmt::format("Failed to parse \"{}{}\" as JSON: {}",
                                                         text.substr(0, cut ? kShownBytes - 3 : kShownBytes),
                                                         cut ? "..." : "", e.what()));
  }
}

}  // namespace reqld
