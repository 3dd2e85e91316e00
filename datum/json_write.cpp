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

#if defined(__SSE2__)
/// A bit for each byte that needs an escape.
unsigned special_bytes(__m128i v) {
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
  const __m128i special = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(control, special)));
}
#endif

/// The index of the first byte that needs an escape, from `i` on; size when there is none.
std::size_t find_escape(const char* s, std::size_t i, std::size_t size) {
#if defined(__SSE2__)
  for (; i + 16 <= size; i += 16) {
    if (const unsigned special = special_bytes(_mm_loadu_si128(reinterpret_cast<const __m128i*>(s + i))))
      return i + static_cast<std::size_t>(__builtin_ctz(special));
  }
#endif
  while (i < size && !needs_escape(s[i])) ++i;
  return i;
}

/// Copies `n` bytes; when none of them needs an escape, answers true.
bool copy_clean(char* to, const char* s, std::size_t n) {
#if defined(__SSE2__)
  if (n >= 16) {
    const auto step = [&](std::size_t i) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s + i));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), v);
      return special_bytes(v) == 0;
    };
    for (std::size_t i = 0; i + 16 < n; i += 16)
      if (!step(i)) return false;
    return step(n - 16);
  }
#endif
  for (std::size_t i = 0; i < n; ++i) {
    if (needs_escape(s[i])) return false;
    to[i] = s[i];
  }
  return true;
}

constexpr std::size_t kReadAhead = 32;

/// As copy_clean(), of `n` bytes of kReadAhead that are copied in any case. Most names and texts are short and clean: for those a
/// loop over the bytes would be most of the cost of a document, and branches for each length are hard to foresee.
bool copy_ahead(char* to, const char* s, std::size_t n) {
#if defined(__SSE2__)
  const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s));
  const __m128i second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s + 16));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), first);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 16), second);
  const std::uint64_t special = special_bytes(first) | std::uint64_t{special_bytes(second)} << 16;
  return (special & ((std::uint64_t{1} << n) - 1)) == 0;
#else
  return copy_clean(to, s, n);
#endif
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
  /// In quotes. Behind the text may be read up to `readable_end`.
  [[gnu::always_inline]] char* put_string(char* p, std::string_view s, const std::uint8_t* readable_end) {
    if (s.size() <= kReadAhead && readable_end - reinterpret_cast<const std::uint8_t*>(s.data()) >= std::ptrdiff_t{kReadAhead}) {
      *p = '"';
      if (copy_ahead(p + 1, s.data(), s.size())) {
        p += s.size() + 2;
        p[-1] = '"';
        return room(p);
      }
    }
    return put_any_string(p, s);
  }

 private:
  static constexpr std::size_t kShort = 128;

  [[gnu::noinline]] char* put_any_string(char* p, std::string_view s) {
    if (s.size() <= kShort) {
      p = room(p, s.size() + 2);
      *p = '"';
      if (copy_clean(p + 1, s.data(), s.size())) {
        p += s.size() + 2;
        p[-1] = '"';
        return room(p);
      }
    }
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

  void write(const std::uint8_t* v) {
    readable_end_ = v + encoded_size_at(v);
    char* p = sink_.begin();
    // Values lie in the order in which they are written, each behind the one before.
    for (Walk walk;;) {
      p = write_value(p, v, walk);
      if (kPretty && sink_.size(p) > limit_) {
        sink_.flush(p);
        sink_.out().replace(limit_, std::string::npos, "...");
        return;
      }
      for (; walk.left == 0; walk = open_.top(), open_.pop()) {
        if (open_.empty()) {
          sink_.flush(p);
          return;
        }
        p = close(p, walk);
      }
      --walk.left;
      p = walk.kind == Kind::kArray ? separate(p, walk) : begin_field(p, v, walk);
    }
  }

 private:
  enum class Kind : std::uint8_t { kArray, kObject, kGeometry };

  /// Where the writer is in a container, or in none.
  struct Walk {
    std::uint32_t left = 0;  ///< items to come
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
  char* put_string(char* p, std::string_view s) { return sink_.put_string(p, s, readable_end_); }
  char* put_name(char* p, std::string_view name) {
    p = put_string(p, name);
    *p++ = ':';
    if (kPretty) *p++ = '\t';
    return p;
  }

  /// `v` is then at the first item.
  char* open(char* p, const std::uint8_t*& v, Kind kind, Walk& walk) {
    *p++ = kind == Kind::kArray ? '[' : '{';
    const Container container(v);
    open_.push(walk);
    walk = {container.count(), kind, false, kind == Kind::kGeometry};
    v = container.data();
    return p;
  }
  char* close(char* p, Walk& walk) {
    if (walk.reql_type_due) p = write_reql_type(p, walk);
    if (kPretty && walk.any) p = new_line(p, open_.size() - 1);
    *p++ = walk.kind == Kind::kArray ? ']' : '}';
    return sink_.room(p);
  }
  char* write_reql_type(char* p, Walk& walk) {
    walk.reql_type_due = false;
    p = put_constant_name(separate(p, walk), kReqlType);
    return sink_.room(put_word(p, R"("GEOMETRY")"));
  }

  /// Writes the name at `v` and what is around it; `v` is then at the value.
  char* begin_field(char* p, const std::uint8_t*& v, Walk& walk) {
    const std::string_view name = sized_bytes(v);
    v = end_of(name);
    if (walk.reql_type_due && name > kReqlType) p = write_reql_type(p, walk);
    return put_name(separate(p, walk), name);
  }

  static const std::uint8_t* end_of(std::string_view s) { return reinterpret_cast<const std::uint8_t*>(s.data() + s.size()); }

  /// `v` is then behind the value. Of a container only the beginning is written: `walk` is then in it, and `v` too.
  char* write_value(char* p, const std::uint8_t*& v, Walk& walk) {
    const std::uint8_t* const at = v;
    switch (tag_at(at)) {
      case Tag::kNull:
        ++v;
        p = put_word(p, "null");
        break;
      case Tag::kFalse:
        ++v;
        p = put_word(p, "false");
        break;
      case Tag::kTrue:
        ++v;
        p = put_word(p, "true");
        break;
      case Tag::kInt8:
        v += 2;
        p = write_whole(p, encoding::load<std::int8_t>(at + 1));
        break;
      case Tag::kInt16:
        v += 3;
        p = write_whole(p, encoding::load<std::int16_t>(at + 1));
        break;
      case Tag::kInt32:
        v += 5;
        p = write_whole(p, encoding::load<std::int32_t>(at + 1));
        break;
      case Tag::kInt64:
      case Tag::kDouble:
        v += 9;
        p = write_number_text(p, number_at(at));
        break;
      case Tag::kString: {
        const std::string_view text = text_at(at);
        v = end_of(text);
        return put_string(p, text);
      }
      case Tag::kBinary:
      case Tag::kBlob:
        v += encoded_size_at(at);
        return write_binary(p, at);
      case Tag::kTime:
        v += encoded_size_at(at);
        return write_time(p, time_at(at));
      case Tag::kGeometry:
        ++v;
        p = open(p, v, Kind::kGeometry, walk);
        break;
      case Tag::kArray:
        p = open(p, v, Kind::kArray, walk);
        break;
      case Tag::kObject:
        p = open(p, v, Kind::kObject, walk);
        break;
      case Tag::kMinVal:
        throw DatumError(DatumErrorKind::kLogic, "Cannot convert `r.minval` to JSON.");
      case Tag::kMaxVal:
        throw DatumError(DatumErrorKind::kLogic, "Cannot convert `r.maxval` to JSON.");
    }
    return sink_.room(p);
  }

  /// What stands before the value of a pseudo-type's field, the first or a later one.
  char* begin_constant(char* p, char before, std::string_view name) {
    *p++ = before;
    if (kPretty) p = new_line(p, open_.size() + 1);
    return put_constant_name(p, name);
  }
  /// Of a name that needs no escape and is no part of the value.
  char* put_constant_name(char* p, std::string_view name) {
    *p++ = '"';
    p = sink_.put(p, name);
    p = put_word(p, "\":");
    if (kPretty) *p++ = '\t';
    return p;
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
      p = put_word(begin_constant(p, '{', kReqlType), R"("BINARY")");
      p = begin_constant(p, ',', "data");
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
    p = put_word(begin_constant(p, '{', kReqlType), R"("TIME")");
    p = sink_.room(write_number_text(begin_constant(p, ',', "epoch_time"), t.epoch_seconds));
    p = begin_constant(p, ',', "timezone");
    *p++ = '"';
    p = sink_.put(p, format_timezone(t.zone_minutes));
    *p++ = '"';
    return end_fields(p);
  }

  Sink sink_;
  BlobSource* source_;
  std::size_t limit_;
  const std::uint8_t* readable_end_ = nullptr;
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
  sink.flush(sink.put_string(sink.begin(), s, reinterpret_cast<const std::uint8_t*>(s.data() + s.size())));
}

}  // namespace reqld
