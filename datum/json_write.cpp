// Datum -> JSON text, straight from the encoded bytes.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "datum/base64.hpp"
#include "datum/encoding.hpp"
#include "datum/json.hpp"
#include "datum/time.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace reqld {

using namespace encoding;

namespace {

constexpr std::uint64_t kBlobPiece =
    192 * 1024;  // a multiple of 3: pieces of base64 then join without padding
constexpr std::size_t kMaxNumberText = 40;

/// Lays out d = 0.d1d2d3… * 10^point as RethinkDB does: plain up to 21 digits before or 6 zeros after the
/// point.
char* lay_out(char* p, const char* digits, int count, int point) {
  if (count <= point && point <= 21) {
    std::memcpy(p, digits, static_cast<std::size_t>(count));
    std::memset(p + count, '0', static_cast<std::size_t>(point - count));
    p += point;
    *p++ = '.';
    *p++ = '0';
    return p;
  }
  if (0 < point && point <= 21) {
    std::memcpy(p, digits, static_cast<std::size_t>(point));
    p[point] = '.';
    std::memcpy(p + point + 1, digits + point, static_cast<std::size_t>(count - point));
    return p + count + 1;
  }
  if (-6 < point && point <= 0) {
    *p++ = '0';
    *p++ = '.';
    std::memset(p, '0', static_cast<std::size_t>(-point));
    p += -point;
    std::memcpy(p, digits, static_cast<std::size_t>(count));
    return p + count;
  }
  *p++ = digits[0];
  if (count > 1) {
    *p++ = '.';
    std::memcpy(p, digits + 1, static_cast<std::size_t>(count - 1));
    p += count - 1;
  }
  *p++ = 'e';
  return std::to_chars(p, p + 8, point - 1).ptr;
}

/// Needs kMaxNumberText.
char* write_whole(char* p, std::int64_t n) {
  return std::to_chars(p, p + kMaxNumberText, n).ptr;
}

/// Writes a number above zero that has a few decimals, as most have that are not whole; nullptr when it has more. At most 15
/// digits in all: no other number of so few is the same double, so these are the fewest that tell it.
char* write_few_decimals(char* p, double d) {
  constexpr int kDecimals = 4;
  constexpr std::int64_t kScale = 10'000;
  if (d >= 1e15 / kScale) return nullptr;
  const auto scaled = static_cast<std::int64_t>(d * kScale + 0.5);
  if (scaled == 0 || static_cast<double>(scaled) / kScale != d) return nullptr;
  p = write_whole(p, scaled / kScale);
  *p++ = '.';
  auto decimals = static_cast<unsigned>(scaled % kScale);
  for (int i = kDecimals; i-- > 0; decimals /= 10) p[i] = static_cast<char>('0' + decimals % 10);
  p += kDecimals;
  while (p[-1] == '0') --p;
  return p;
}

/// Needs kMaxNumberText.
char* write_number_text(char* p, double d) {
  if (std::fabs(d) <= kMaxWhole && d == std::trunc(d)) {
    if (d == 0 && std::signbit(d)) {
      std::memcpy(p, "-0.0", 4);
      return p + 4;
    }
    return write_whole(p, static_cast<std::int64_t>(d));
  }
  if (d < 0) {
    *p++ = '-';
    d = -d;
  }
  if (char* const end = write_few_decimals(p, d)) return end;
  char text[32];
  const char* const end = std::to_chars(text, text + sizeof text, d, std::chars_format::scientific).ptr;
  char digits[20];
  int count = 0;
  const char* q = text;
  for (; *q != 'e'; ++q)
    if (*q != '.') digits[count++] = *q;
  ++q;
  if (*q == '+') ++q;
  int exponent = 0;
  std::from_chars(q, end, exponent);
  return lay_out(p, digits, count, exponent + 1);
}

bool needs_escape(char c) {
  return static_cast<std::uint8_t>(c) < 0x20 || c == '"' || c == '\\';
}

/// The index of the first byte that needs an escape, from `i` on; size when there is none.
std::size_t find_escape(const char* s, std::size_t i, std::size_t size) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
                last_control = _mm_set1_epi8(0x1f);
  for (; i + 16 <= size; i += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s + i));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, last_control), v);
    const __m128i any =
        _mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
    if (const int mask = _mm_movemask_epi8(any))
      return i + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(mask)));
  }
#endif
  while (i < size && !needs_escape(s[i])) ++i;
  return i;
}

template <typename T>
T load(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

/// Copies `n` bytes; when none of them needs an escape, answers true. Most names and texts are short and
/// clean: for those this is two loads that overlap and two stores, where a loop over the bytes would be most
/// of the cost of a document.
bool copy_clean(char* to, const char* s, std::size_t n) {
#if defined(__SSE2__)
  const auto clean = [](__m128i v, int wanted) {
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    const __m128i special =
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    return (_mm_movemask_epi8(_mm_or_si128(control, special)) & wanted) == 0;
  };
  if (n >= 16) {
    const auto step = [&](std::size_t i) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s + i));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), v);
      return clean(v, 0xffff);
    };
    for (std::size_t i = 0; i + 16 < n; i += 16)
      if (!step(i)) return false;
    return step(n - 16);
  }
  if (n >= 8) {
    const auto first = load<std::uint64_t>(s), last = load<std::uint64_t>(s + n - 8);
    std::memcpy(to, &first, 8);
    std::memcpy(to + n - 8, &last, 8);
    return clean(_mm_set_epi64x(static_cast<long long>(last), static_cast<long long>(first)), 0xffff);
  }
  if (n >= 4) {
    const auto first = load<std::uint32_t>(s), last = load<std::uint32_t>(s + n - 4);
    std::memcpy(to, &first, 4);
    std::memcpy(to + n - 4, &last, 4);
    const auto both = (static_cast<std::uint64_t>(last) << 32) | first;
    return clean(_mm_cvtsi64_si128(static_cast<long long>(both)), 0xff);
  }
  if (n > 0) {
    // All three, with one of them twice or thrice when there are fewer.
    to[0] = s[0];
    to[n / 2] = s[n / 2];
    to[n - 1] = s[n - 1];
    const unsigned all = static_cast<std::uint8_t>(s[0]) | static_cast<unsigned>(static_cast<std::uint8_t>(s[n / 2])) << 8 |
                         static_cast<unsigned>(static_cast<std::uint8_t>(s[n - 1])) << 16;
    return clean(_mm_cvtsi32_si128(static_cast<int>(all)), 7);
  }
  return true;
#endif
  for (std::size_t i = 0; i < n; ++i) {
    if (needs_escape(s[i])) return false;
    to[i] = s[i];
  }
  return true;
}

/// Text on its way out: pieces gather here, which is cheaper than growing the string by each. The end of what was gathered is
/// with whoever writes, in a register: what takes it as `p` answers with the new one.
class Sink {
 public:
  /// What may be written behind `p` without another look at the room: a number and some punctuation.
  static constexpr std::size_t kMargin = 64;

  explicit Sink(std::string& out) : out_(out) {}
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  char* begin() { return buffer_; }
  /// Behind the result are `n` bytes and the margin; n is at most kShort + 2.
  char* room(char* p, std::size_t n = 0) {
    return static_cast<std::size_t>(buffer_ + sizeof buffer_ - p) < n + kMargin ? flush(p) : p;
  }
  char* flush(char* p) {
    out_.append(buffer_, static_cast<std::size_t>(p - buffer_));
    return buffer_;
  }
  /// To append to after flush().
  std::string& out() { return out_; }
  std::size_t size(const char* p) const { return out_.size() + static_cast<std::size_t>(p - buffer_); }

  char* put(char* p, std::string_view text) {
    if (text.size() > kShort) {
      p = flush(p);
      out_.append(text);
      return p;
    }
    p = room(p, text.size());
    std::memcpy(p, text.data(), text.size());
    return room(p + text.size());
  }
  /// In quotes.
  char* put_string(char* p, std::string_view s) {
    if (s.size() <= kShort) {
      p = room(p, s.size() + 2);
      *p = '"';
      if (copy_clean(p + 1, s.data(), s.size())) {
        p += s.size() + 2;
        p[-1] = '"';
        return room(p);
      }
    }
    return put_long_string(p, s);
  }

 private:
  static constexpr std::size_t kShort = 128;

  [[gnu::noinline]] char* put_long_string(char* p, std::string_view s) {
    *p++ = '"';
    for (std::size_t i = 0; i < s.size();) {
      const std::size_t stop = find_escape(s.data(), i, s.size());
      p = put(p, s.substr(i, stop - i));
      if (stop == s.size()) break;
      p = room(put_escape(p, s[stop]));
      i = stop + 1;
    }
    *p++ = '"';
    return room(p);
  }

  static char* put_escape(char* p, char c) {
    constexpr char kHex[] = "0123456789ABCDEF";
    *p++ = '\\';
    switch (c) {
      case '"':
      case '\\':
        *p++ = c;
        break;
      case '\b':
        *p++ = 'b';
        break;
      case '\f':
        *p++ = 'f';
        break;
      case '\n':
        *p++ = 'n';
        break;
      case '\r':
        *p++ = 'r';
        break;
      case '\t':
        *p++ = 't';
        break;
      default:
        std::memcpy(p, "u00", 3);
        p[3] = kHex[static_cast<std::uint8_t>(c) >> 4];
        p[4] = kHex[c & 15];
        p += 5;
    }
    return p;
  }

  std::string& out_;
  char buffer_[1024];
};

/// Writes short text behind `p` that fits into the margin.
template <std::size_t N>
char* put_word(char* p, const char (&word)[N]) {
  std::memcpy(p, word, N - 1);
  return p + N - 1;
}

template <bool kPretty>
class JsonWriter {
 public:
  /// Pretty text stops with "..." once there are more than `limit` bytes.
  JsonWriter(std::string& out, BlobSource* source, std::size_t limit = std::string::npos)
      : sink_(out), source_(source), limit_(limit) {}

  void write(const std::uint8_t* value) {
    char* p = sink_.begin();
    for (Walk walk;;) {
      p = write_value(p, value, walk);
      if (kPretty && sink_.size(p) > limit_) {
        sink_.flush(p);
        sink_.out().replace(limit_, std::string::npos, "...");
        return;
      }
      for (; walk.next == walk.count; walk = open_.top(), open_.pop()) {
        if (open_.empty()) {
          sink_.flush(p);
          return;
        }
        p = close(p, walk);
      }
      p = begin_item(p, walk, value);
    }
  }

 private:
  enum class Kind : std::uint8_t { kArray, kObject, kGeometry };

  /// Where the writer is in a container, or in none.
  struct Walk {
    Container container;
    std::uint32_t next = 0;
    std::uint32_t count = 0;
    Kind kind = Kind::kArray;
    bool any = false;  ///< something of it was written
    bool reql_type_due = false;
  };

  char* new_line(char* p, std::size_t tabs) {
    *p++ = '\n';
    while (tabs-- > 0) {
      p = sink_.room(p);
      *p++ = '\t';
    }
    return sink_.room(p);
  }
  char* separate(char* p, Walk& walk) {
    if (walk.any) *p++ = ',';
    walk.any = true;
    return kPretty ? new_line(p, open_.size()) : p;
  }
  char* put_name(char* p, std::string_view name) {
    p = sink_.put_string(p, name);
    *p++ = ':';
    if (kPretty) *p++ = '\t';
    return p;
  }

  char* open(char* p, const std::uint8_t* value, Kind kind, Walk& walk) {
    *p++ = kind == Kind::kArray ? '[' : '{';
    open_.push(walk);
    walk.container = Container(value);
    walk.next = 0;
    walk.count = walk.container.count();
    walk.kind = kind;
    walk.any = false;
    walk.reql_type_due = kind == Kind::kGeometry;
    return sink_.room(p);
  }
  char* close(char* p, Walk& walk) {
    if (walk.reql_type_due) p = write_reql_type(p, walk);
    if (kPretty && walk.any) p = new_line(p, open_.size() - 1);
    *p++ = walk.kind == Kind::kArray ? ']' : '}';
    return sink_.room(p);
  }
  char* write_reql_type(char* p, Walk& walk) {
    walk.reql_type_due = false;
    p = put_name(separate(p, walk), kReqlType);
    return sink_.room(put_word(p, R"("GEOMETRY")"));
  }

  /// Writes what stands before the next item, whose value is then at `value`.
  char* begin_item(char* p, Walk& walk, const std::uint8_t*& value) {
    const std::uint32_t i = walk.next++;
    if (walk.kind == Kind::kArray) {
      value = walk.container.at(i);
      return separate(p, walk);
    }
    const std::string_view name = walk.container.name(i);
    value = reinterpret_cast<const std::uint8_t*>(name.data()) + name.size();
    if (walk.reql_type_due && name > kReqlType) p = write_reql_type(p, walk);
    return put_name(separate(p, walk), name);
  }

  /// Of a container only the beginning: `walk` is then in it.
  char* write_value(char* p, const std::uint8_t* value, Walk& walk) {
    switch (tag_at(value)) {
      case Tag::kNull:
        return sink_.room(put_word(p, "null"));
      case Tag::kFalse:
        return sink_.room(put_word(p, "false"));
      case Tag::kTrue:
        return sink_.room(put_word(p, "true"));
      case Tag::kInt8:
        return sink_.room(write_whole(p, encoding::load<std::int8_t>(value + 1)));
      case Tag::kInt16:
        return sink_.room(write_whole(p, encoding::load<std::int16_t>(value + 1)));
      case Tag::kInt32:
        return sink_.room(write_whole(p, encoding::load<std::int32_t>(value + 1)));
      case Tag::kInt64:
      case Tag::kDouble:
        return sink_.room(write_number_text(p, number_at(value)));
      case Tag::kString:
        return sink_.put_string(p, text_at(value));
      case Tag::kBinary:
      case Tag::kBlob:
        return write_binary(p, value);
      case Tag::kTime:
        return write_time(p, time_at(value));
      case Tag::kGeometry:
        return open(p, value + 1, Kind::kGeometry, walk);
      case Tag::kArray:
        return open(p, value, Kind::kArray, walk);
      case Tag::kObject:
        return open(p, value, Kind::kObject, walk);
      case Tag::kMinVal:
        throw DatumError(DatumErrorKind::kLogic, "Cannot convert `r.minval` to JSON.");
      case Tag::kMaxVal:
        throw DatumError(DatumErrorKind::kLogic, "Cannot convert `r.maxval` to JSON.");
    }
    return p;
  }

  /// What stands before the value of a pseudo-type's field, the first or a later one.
  char* begin_field(char* p, char before, std::string_view name) {
    *p++ = before;
    if (kPretty) p = new_line(p, open_.size() + 1);
    return put_name(p, name);
  }
  char* end_fields(char* p) {
    if (kPretty) p = new_line(p, open_.size());
    *p++ = '}';
    return sink_.room(p);
  }

  char* write_binary(char* p, const std::uint8_t* value) {
    // RethinkDB shows a binary on its own on one line.
    const bool on_one_line = !kPretty || open_.empty();
    if (on_one_line) {
      p = put_word(p, R"({"$reql_type$":"BINARY","data":")");
    } else {
      p = put_word(begin_field(p, '{', kReqlType), R"("BINARY")");
      p = begin_field(p, ',', "data");
      *p++ = '"';
    }
    p = sink_.flush(p);
    if (tag_at(value) == Tag::kBinary)
      append_base64(text_at(value).substr(0, limit_), sink_.out());
    else
      append_blob(blob_at(value), sink_.out());
    *p++ = '"';
    if (!on_one_line) return end_fields(p);
    *p++ = '}';
    return sink_.room(p);
  }

  void append_blob(BlobRef ref, std::string& out) {
    if (!source_)
      throw DatumError(DatumErrorKind::kInternal, "A stored binary has lost the source of its bytes.");
    const std::uint64_t length = std::min<std::uint64_t>(ref.length, limit_);
    out.reserve(out.size() + base64_size(length) + 64);
    std::string piece;
    for (std::uint64_t at = 0; at < length; at += kBlobPiece) {
      piece.clear();
      source_->read(ref.id, at, std::min(kBlobPiece, length - at), piece);
      append_base64(piece, out);
    }
  }

  char* write_time(char* p, TimeValue t) {
    p = put_word(begin_field(p, '{', kReqlType), R"("TIME")");
    p = sink_.room(write_number_text(begin_field(p, ',', "epoch_time"), t.epoch_seconds));
    p = sink_.put_string(begin_field(p, ',', "timezone"), format_timezone(t.zone_minutes));
    return end_fields(p);
  }

  Sink sink_;
  BlobSource* source_;
  std::size_t limit_;
  Stack<Walk> open_;  ///< the walks around the innermost one
};

}  // namespace

void append_json(const Datum& d, std::string& out) {
  std::uint8_t scratch[kMaxScalarBytes];
  JsonWriter<false>(out, d.blob_source()).write(encoded_bytes(d, scratch));
}

std::string to_json(const Datum& d) {
  std::string out;
  append_json(d, out);
  return out;
}

std::string to_pretty_json(const Datum& d) {
  std::string out;
  std::uint8_t scratch[kMaxScalarBytes];
  JsonWriter<true>(out, d.blob_source()).write(encoded_bytes(d, scratch));
  return out;
}

std::string to_shown_json(const Datum& d) {
  std::string out;
  std::uint8_t scratch[kMaxScalarBytes];
  JsonWriter<true>(out, d.blob_source(), kShownJsonBytes).write(encoded_bytes(d, scratch));
  return out;
}

void append_json_number(double d, std::string& out) {
  char text[kMaxNumberText];
  out.append(text, static_cast<std::size_t>(write_number_text(text, d) - text));
}

void append_json_string(std::string_view s, std::string& out) {
  Sink sink(out);
  sink.flush(sink.put_string(sink.begin(), s));
}

}  // namespace reqld
