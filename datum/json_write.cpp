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
char* write_number_text(char* p, double d) {
  if (std::fabs(d) <= kMaxWhole && d == std::trunc(d)) {
    if (d == 0 && std::signbit(d)) {
      std::memcpy(p, "-0.0", 4);
      return p + 4;
    }
    return std::to_chars(p, p + kMaxNumberText, static_cast<std::int64_t>(d)).ptr;
  }
  if (d < 0) {
    *p++ = '-';
    d = -d;
  }
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
#endif
  for (std::size_t i = 0; i < n; ++i) {
    if (needs_escape(s[i])) return false;
    to[i] = s[i];
  }
  return true;
}

/// Text on its way out: small pieces gather here, which is cheaper than growing the string by each.
class Sink {
 public:
  explicit Sink(std::string& out) : out_(out) {}
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  ~Sink() { out_.append(buffer_, static_cast<std::size_t>(p_ - buffer_)); }

  void flush() {
    out_.append(buffer_, static_cast<std::size_t>(p_ - buffer_));
    p_ = buffer_;
  }
  void put(char c) {
    if (p_ == buffer_ + sizeof buffer_) flush();
    *p_++ = c;
  }
  void put(const char* s, std::size_t n) {
    if (n > static_cast<std::size_t>(buffer_ + sizeof buffer_ - p_)) {
      flush();
      if (n > sizeof buffer_ / 2) {
        out_.append(s, n);
        return;
      }
    }
    std::memcpy(p_, s, n);
    p_ += n;
  }
  void put(std::string_view s) { put(s.data(), s.size()); }
  void put_tabs(std::size_t n) {
    while (n-- > 0) put('\t');
  }
  void put_number(double d) {
    if (buffer_ + sizeof buffer_ - p_ < static_cast<std::ptrdiff_t>(kMaxNumberText)) flush();
    p_ = write_number_text(p_, d);
  }
  void put_string(std::string_view s) {
    if (s.size() <= kShort) {
      if (buffer_ + sizeof buffer_ - p_ < static_cast<std::ptrdiff_t>(kShort + 2)) flush();
      *p_ = '"';
      if (copy_clean(p_ + 1, s.data(), s.size())) {
        p_ += s.size() + 2;
        p_[-1] = '"';
        return;
      }
    }
    put('"');
    for (std::size_t i = 0; i < s.size();) {
      const std::size_t stop = find_escape(s.data(), i, s.size());
      put(s.data() + i, stop - i);
      if (stop == s.size()) break;
      put_escape(s[stop]);
      i = stop + 1;
    }
    put('"');
  }
  std::size_t size() const { return out_.size() + static_cast<std::size_t>(p_ - buffer_); }
  /// The string to append to directly; whatever was gathered is in it.
  std::string& direct() {
    flush();
    return out_;
  }

 private:
  void put_escape(char c) {
    constexpr char kHex[] = "0123456789ABCDEF";
    put('\\');
    switch (c) {
      case '"':
      case '\\':
        put(c);
        break;
      case '\b':
        put('b');
        break;
      case '\f':
        put('f');
        break;
      case '\n':
        put('n');
        break;
      case '\r':
        put('r');
        break;
      case '\t':
        put('t');
        break;
      default:
        put("u00", 3);
        put(kHex[static_cast<std::uint8_t>(c) >> 4]);
        put(kHex[c & 15]);
    }
  }

  static constexpr std::size_t kShort = 128;

  std::string& out_;
  char* p_ = buffer_;
  char buffer_[1024];
};

template <bool kPretty>
class JsonWriter {
 public:
  /// Stops with "..." once there are more than `limit` bytes.
  JsonWriter(std::string& out, BlobSource* source, std::size_t limit = std::string::npos)
      : sink_(out), source_(source), limit_(limit) {}

  void write(const std::uint8_t* p) {
    for (;;) {
      write_value(p);
      if (sink_.size() > limit_) {
        sink_.direct().resize(limit_);
        sink_.put("...");
        return;
      }
      for (;; open_.pop()) {
        if (open_.empty()) return;
        Walk& top = open_.top();
        if (top.next < top.container.count()) {
          p = next_item(top);
          break;
        }
        if (top.geometry && !top.reql_type_done) write_reql_type(top);
        close(top.object ? '}' : ']', top.any);
      }
    }
  }

 private:
  struct Walk {
    Container container;
    std::uint32_t next;
    bool object;
    bool geometry;
    bool reql_type_done;
    bool any;
  };

  void separate(bool first) {
    if (!first) sink_.put(',');
    if (kPretty) {
      sink_.put('\n');
      sink_.put_tabs(indent_);
    }
  }
  void put_name(std::string_view name) {
    sink_.put_string(name);
    sink_.put(':');
    if (kPretty) sink_.put('\t');
  }
  void close(char bracket, bool any) {
    --indent_;
    if (kPretty && any) {
      sink_.put('\n');
      sink_.put_tabs(indent_);
    }
    sink_.put(bracket);
  }

  void write_reql_type(Walk& top) {
    separate(!top.any);
    put_name(kReqlType);
    sink_.put_string("GEOMETRY");
    top.any = top.reql_type_done = true;
  }

  /// Writes what stands before the next item of `top`; returns its value.
  const std::uint8_t* next_item(Walk& top) {
    const std::uint32_t i = top.next++;
    if (!top.object) {
      separate(!top.any);
      top.any = true;
      return top.container.at(i);
    }
    const std::string_view name = top.container.name(i);
    if (top.geometry && !top.reql_type_done && name > kReqlType) write_reql_type(top);
    separate(!top.any);
    top.any = true;
    put_name(name);
    return reinterpret_cast<const std::uint8_t*>(name.data()) + name.size();
  }

  void open(const std::uint8_t* p, bool object, bool geometry) {
    sink_.put(object ? '{' : '[');
    ++indent_;
    open_.push({Container(p), 0, object, geometry, false, false});
  }

  void write_value(const std::uint8_t* p) {
    switch (tag_at(p)) {
      case Tag::kNull:
        sink_.put("null", 4);
        break;
      case Tag::kFalse:
        sink_.put("false", 5);
        break;
      case Tag::kTrue:
        sink_.put("true", 4);
        break;
      case Tag::kDouble:
      case Tag::kInt8:
      case Tag::kInt16:
      case Tag::kInt32:
      case Tag::kInt64:
        sink_.put_number(number_at(p));
        break;
      case Tag::kString:
        sink_.put_string(text_at(p));
        break;
      case Tag::kBinary:
      case Tag::kBlob:
        write_binary(p);
        break;
      case Tag::kTime:
        write_time(time_at(p));
        break;
      case Tag::kGeometry:
        open(p + 1, true, true);
        break;
      case Tag::kArray:
        open(p, false, false);
        break;
      case Tag::kObject:
        open(p, true, false);
        break;
      case Tag::kMinVal:
        throw DatumError(DatumErrorKind::kLogic, "Cannot convert `r.minval` to JSON.");
      case Tag::kMaxVal:
        throw DatumError(DatumErrorKind::kLogic, "Cannot convert `r.maxval` to JSON.");
    }
  }

  void write_binary(const std::uint8_t* p) {
    // RethinkDB shows a binary on its own on one line.
    const bool on_one_line = !kPretty || indent_ == 0;
    if (on_one_line) {
      sink_.put(R"({"$reql_type$":"BINARY","data":")");
    } else {
      sink_.put('{');
      ++indent_;
      separate(true);
      put_name(kReqlType);
      sink_.put(R"("BINARY")");
      separate(false);
      put_name("data");
      sink_.put('"');
    }
    std::string& out = sink_.direct();
    if (tag_at(p) == Tag::kBinary)
      append_base64(text_at(p).substr(0, limit_), out);
    else
      append_blob(blob_at(p), out);
    sink_.put('"');
    if (on_one_line)
      sink_.put('}');
    else
      close('}', true);
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

  void write_time(TimeValue t) {
    sink_.put('{');
    ++indent_;
    separate(true);
    put_name(kReqlType);
    sink_.put(R"("TIME")");
    separate(false);
    put_name("epoch_time");
    sink_.put_number(t.epoch_seconds);
    separate(false);
    put_name("timezone");
    sink_.put_string(format_timezone(t.zone_minutes));
    close('}', true);
  }

  Sink sink_;
  BlobSource* source_;
  std::size_t limit_;
  Stack<Walk> open_;
  std::size_t indent_ = 0;
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
  Sink(out).put_string(s);
}

}  // namespace reqld
