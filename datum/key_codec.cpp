#include "datum/key_codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "datum/encoding.hpp"
#include "datum/json.hpp"
#include "datum/writer.hpp"

namespace reqld {

using namespace encoding;

namespace {

// The first byte of a key, in the order of the types. kEnd closes strings, binaries and containers: it is
// below everything that may follow in them. Numbers on disk: never change one. See docs/storage_format.md.
enum Code : std::uint8_t {
  kEnd = 0x00,
  kField = 0x01,
  kMin = 0x04,
  kArray = 0x10,
  kFalse = 0x20,
  kTrue = 0x21,
  kNull = 0x30,
  kNumber = 0x40,
  kObject = 0x50,
  kBinary = 0x60,
  kGeometry = 0x70,
  kTime = 0x80,
  kString = 0x90,
  kMax = 0xf0,
};

constexpr std::uint8_t kEscape = 0x01;  // before 0x00 and 0x01, which are then one higher

// A string of 127 bytes, between its code and its end.
constexpr std::size_t kMaxPrimaryKeyBytes = 129;
constexpr std::uint64_t kBlobPiece = 256 * 1024;

void append_escaped(std::string_view s, std::string& out) {
  std::size_t done = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (static_cast<std::uint8_t>(s[i]) > kEscape) [[likely]]
      continue;
    out.append(s, done, i - done);
    out.push_back(static_cast<char>(kEscape));
    out.push_back(static_cast<char>(s[i] + 1));
    done = i + 1;
  }
  out.append(s, done);
}

void append_terminated(std::string_view s, std::string& out) {
  append_escaped(s, out);
  out.push_back(kEnd);
}

void append_ordered(double d, std::string& out) {
  if (d == 0) d = 0;  // -0.0 is the same key
  std::uint64_t bits = std::bit_cast<std::uint64_t>(d);
  bits = (bits >> 63) != 0 ? ~bits : bits | (std::uint64_t{1} << 63);
  char bytes[8];
  for (int i = 7; i >= 0; --i, bits >>= 8) bytes[i] = static_cast<char>(bits);
  out.append(bytes, sizeof bytes);
}

void append_blob(BlobRef ref, BlobSource* source, std::string& out) {
  if (!source)
    throw DatumError(DatumErrorKind::kInternal, "A stored binary has lost the source of its bytes.");
  std::string piece;
  for (std::uint64_t at = 0; at < ref.length; at += kBlobPiece) {
    piece.clear();
    source->read(ref.id, at, std::min(kBlobPiece, ref.length - at), piece);
    append_escaped(piece, out);
  }
  out.push_back(kEnd);
}

bool take_ordered(std::string_view& bytes, double& d) {
  if (bytes.size() < 8) return false;
  std::uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits = bits << 8 | static_cast<std::uint8_t>(bytes[i]);
  bytes.remove_prefix(8);
  bits = (bits >> 63) != 0 ? bits & ~(std::uint64_t{1} << 63) : ~bits;
  d = std::bit_cast<double>(bits);
  return std::isfinite(d) && !(d == 0 && std::signbit(d));
}

bool take_terminated(std::string_view& bytes, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto b = static_cast<std::uint8_t>(bytes[i]);
    if (b == kEnd) {
      bytes.remove_prefix(i + 1);
      return true;
    }
    if (b == kEscape) {
      if (++i == bytes.size()) return false;
      b = static_cast<std::uint8_t>(bytes[i] - 1);
      if (b > kEscape) return false;
    }
    out.push_back(static_cast<char>(b));
  }
  return false;
}

std::uint8_t take_byte(std::string_view& bytes) {
  const auto b = static_cast<std::uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  return b;
}

enum class KeyUse { kPrimary, kSecondary };

[[noreturn]] void refuse_key(const Datum& d, bool nested, KeyUse use) {
  const Type type = d.type();
  std::string text;
  if (type == Type::kMinVal || type == Type::kMaxVal)
    text = type == Type::kMinVal ? "r.minval" : "r.maxval";
  else
    text = d.has_extreme() ? "an object with `r.minval` or `r.maxval`" : to_shown_json(d);
  if (nested)
    throw DatumError(type == Type::kNull ? DatumErrorKind::kNonExistence : DatumErrorKind::kLogic,
                     fmt::format("Array keys can only contain numbers, strings, bools,  pseudotypes, or "
                                 "arrays (got {} of type {}).",
                                 text, type_name(type)));
  if (use == KeyUse::kPrimary)
    throw DatumError(
        DatumErrorKind::kLogic,
        fmt::format(
            "Primary keys must be either a number, string, bool, pseudotype or array (got type {}):\n{}",
            type_name(type), text));
  throw DatumError(
      DatumErrorKind::kLogic,
      fmt::format("Secondary keys must be a number, string, bool, pseudotype, or array (got {} of type {}).",
                  text, type_name(type)));
}

void refuse_null_byte(std::string_view s, std::size_t at) {
  std::string shown;
  for (const char c : s.substr(0, std::max<std::size_t>(at + 1, 30))) {
    if (c == '\0')
      shown += "\\x00";
    else
      shown += c;
  }
  throw DatumError(
      DatumErrorKind::kLogic,
      fmt::format("String \"{}\" (truncated) contains NULL byte at offset {} in index key.", shown, at));
}

void check_key_part(const Datum& d, bool nested, KeyUse use) {
  switch (d.type()) {
    case Type::kNumber:
    case Type::kBool:
    case Type::kBinary:
    case Type::kTime:
    case Type::kArray:
      return;
    case Type::kString:
      if (use == KeyUse::kPrimary) {
        const std::string_view s = d.as_string();
        if (const std::size_t at = s.find('\0'); at != std::string_view::npos) refuse_null_byte(s, at);
      }
      return;
    case Type::kGeometry:
      throw DatumError(
          DatumErrorKind::kLogic,
          "Cannot use a geometry value as a key value in a primary or non-geospatial secondary index.");
    case Type::kMinVal:
    case Type::kMaxVal:
      if (use == KeyUse::kSecondary) return;
      [[fallthrough]];
    default:
      refuse_key(d, nested, use);
  }
}

void check_key(const Datum& d, KeyUse use) {
  check_key_part(d, false, use);
  if (d.type() != Type::kArray) return;
  struct Walk {
    Datum array;
    std::size_t next;
  };
  std::vector<Walk> open{{d, 0}};
  while (!open.empty()) {
    Walk& top = open.back();
    if (top.next == top.array.array_size()) {
      open.pop_back();
      continue;
    }
    Datum item = top.array.at(top.next++);
    check_key_part(item, true, use);
    if (item.type() == Type::kArray) open.push_back({std::move(item), 0});
  }
}

}  // namespace

void append_key(const Datum& d, std::string& out) {
  struct Walk {
    Container container;
    std::uint32_t next;
    bool object;
  };
  std::uint8_t scratch[kMaxScalarBytes];
  const std::uint8_t* p = encoded_bytes(d, scratch);
  Stack<Walk> open;
  for (;;) {
    switch (tag_at(p)) {
      case Tag::kNull:
        out.push_back(kNull);
        break;
      case Tag::kFalse:
        out.push_back(kFalse);
        break;
      case Tag::kTrue:
        out.push_back(kTrue);
        break;
      case Tag::kDouble:
      case Tag::kInt8:
      case Tag::kInt16:
      case Tag::kInt32:
      case Tag::kInt64:
        out.push_back(kNumber);
        append_ordered(number_at(p), out);
        break;
      case Tag::kString:
        out.push_back(static_cast<char>(kString));
        append_terminated(text_at(p), out);
        break;
      case Tag::kBinary:
        out.push_back(kBinary);
        append_terminated(text_at(p), out);
        break;
      case Tag::kBlob:
        out.push_back(kBinary);
        append_blob(blob_at(p), d.blob_source(), out);
        break;
      case Tag::kTime:
        out.push_back(static_cast<char>(kTime));
        append_ordered(time_at(p).epoch_seconds, out);
        break;
      case Tag::kGeometry:
        out.push_back(kGeometry);
        open.push({Container(p + 1), 0, true});
        break;
      case Tag::kArray:
        out.push_back(kArray);
        open.push({Container(p), 0, false});
        break;
      case Tag::kObject:
        out.push_back(kObject);
        open.push({Container(p), 0, true});
        break;
      case Tag::kMinVal:
        out.push_back(kMin);
        break;
      case Tag::kMaxVal:
        out.push_back(static_cast<char>(kMax));
        break;
    }
    for (;; open.pop()) {
      if (open.empty()) return;
      Walk& top = open.top();
      if (top.next == top.container.count()) {
        out.push_back(kEnd);
        continue;
      }
      const std::uint32_t i = top.next++;
      if (top.object) {
        out.push_back(kField);
        append_terminated(top.container.name(i), out);
        p = top.container.value(i);
      } else {
        p = top.container.at(i);
      }
      break;
    }
  }
}

std::string to_key(const Datum& d) {
  std::string out;
  // A long string: its code and its end, and nothing to escape.
  if (d.is(Type::kString)) out.reserve(d.as_string().size() + 2);
  append_key(d, out);
  return out;
}

namespace {

/// A number or a string at the front of `bytes`, which most keys are: taken without a buffer to write in.
std::optional<Datum> take_simple(std::string_view& bytes) {
  std::string_view rest = bytes;
  const std::uint8_t code = rest.empty() ? std::uint8_t{kEnd} : take_byte(rest);
  std::optional<Datum> value;
  if (code == kNumber) {
    double number = 0;
    if (take_ordered(rest, number)) value = Datum::number(number);
  } else if (code == kString) {
    std::string text;
    if (take_terminated(rest, text)) value = Datum::string(text);
  }
  if (value) bytes = rest;
  return value;
}

}  // namespace

std::optional<Datum> decode_key(std::string_view& bytes) {
  if (auto value = take_simple(bytes)) return value;
  struct Open {
    Code code;
    std::string last_name;
    bool any_name;
  };
  DatumWriter writer;
  std::vector<Open> open;
  std::string text;
  double number = 0;
  std::string_view rest = bytes;
  do {
    if (rest.empty()) return std::nullopt;
    std::uint8_t code = take_byte(rest);
    if (!open.empty()) {
      Open& top = open.back();
      if (code == kEnd) {
        if (top.code == kArray) {
          writer.end_array();
        } else {
          (void)writer.end_object();
          if (top.code == kGeometry) writer.replace_last_value(Datum::geometry(writer.copy_last_value()));
        }
        open.pop_back();
        continue;
      }
      if (top.code != kArray) {
        if (code != kField || !take_terminated(rest, text)) return std::nullopt;
        if (top.any_name && top.last_name >= text) return std::nullopt;
        writer.name(text);
        top.last_name = text;
        top.any_name = true;
        if (rest.empty()) return std::nullopt;
        code = take_byte(rest);
      }
    }
    switch (code) {
      case kMin:
        writer.value(Datum::minval());
        break;
      case kMax:
        writer.value(Datum::maxval());
        break;
      case kFalse:
        writer.boolean(false);
        break;
      case kTrue:
        writer.boolean(true);
        break;
      case kNull:
        writer.null();
        break;
      case kNumber:
        if (!take_ordered(rest, number)) return std::nullopt;
        writer.number(number);
        break;
      case kTime:
        if (!take_ordered(rest, number)) return std::nullopt;
        writer.value(Datum::time(number, 0));
        break;
      case kString:
        if (!take_terminated(rest, text)) return std::nullopt;
        writer.string(text);
        break;
      case kBinary:
        if (!take_terminated(rest, text)) return std::nullopt;
        writer.value(Datum::binary(text));
        break;
      case kArray:
        writer.begin_array();
        open.push_back({kArray, {}, false});
        break;
      case kObject:
      case kGeometry:
        writer.begin_object();
        open.push_back({static_cast<Code>(code), {}, false});
        break;
      default:
        return std::nullopt;
    }
  } while (!open.empty());
  bytes = rest;
  return writer.finish();
}

std::string prefix_successor(std::string_view prefix) {
  std::string next(prefix);
  while (!next.empty() && static_cast<std::uint8_t>(next.back()) == 0xff) next.pop_back();
  if (!next.empty()) next.back() = static_cast<char>(next.back() + 1);
  return next;
}

std::string to_primary_key(const Datum& d) {
  check_key(d, KeyUse::kPrimary);
  std::string key = to_key(d);
  if (key.size() > kMaxPrimaryKeyBytes)
    throw DatumError(DatumErrorKind::kLogic,
                     "Primary key too long (max 127 characters): " + to_shown_json(d));
  return key;
}

void check_secondary_key(const Datum& d) {
  check_key(d, KeyUse::kSecondary);
}

}  // namespace reqld
