#include "datum/base64.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "datum/encoding.hpp"

#if defined(__x86_64__)
#define REQLD_BASE64_AVX2 1
#include <immintrin.h>
#endif

namespace reqld {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::uint8_t kInvalid = 0xff, kSpace = 0xfe, kPadding = 0xfd;

constexpr std::array<std::uint8_t, 256> kMeaning = [] {
  std::array<std::uint8_t, 256> t{};
  t.fill(kInvalid);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    t[static_cast<std::uint8_t>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  for (const char c : {' ', '\t', '\n', '\v', '\f', '\r'}) t[static_cast<std::uint8_t>(c)] = kSpace;
  t['='] = kPadding;
  return t;
}();

/// Two characters for every 12 bits.
constexpr std::array<char, 8192> kPairs = [] {
  std::array<char, 8192> t{};
  for (std::size_t i = 0; i < 4096; ++i) {
    t[2 * i] = kAlphabet[i >> 6];
    t[2 * i + 1] = kAlphabet[i & 63];
  }
  return t;
}();

#ifdef REQLD_BASE64_AVX2

// The vector forms follow W. Mula, D. Lemire: "Faster Base64 Encoding and Decoding Using AVX2 Instructions"
// (2018).

bool have_avx2() {
  static const bool kHave = __builtin_cpu_supports("avx2");
  return kHave;
}

/// Encodes groups of 24 bytes as long as 32 can be read; returns the bytes done.
__attribute__((target("avx2"))) std::size_t encode_avx2(const std::uint8_t* in, std::size_t size, char* out) {
  std::size_t done = 0;
  const __m256i shuffle = _mm256_setr_epi8(5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14,  //
                                           1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
  const __m256i shift = _mm256_setr_epi8(65, 71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 0, 0,  //
                                         65, 71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 0, 0);
  // Each half works on 12 bytes: loading from 4 bytes before puts them at 4..15 of the low half and 0..11 of
  // the high one.
  if (size < 32) return 0;
  __m128i low = _mm_slli_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in)), 4);
  for (;;) {
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + done + 12));
    __m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    v = _mm256_shuffle_epi8(v, shuffle);
    const __m256i t1 =
        _mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
    const __m256i t2 =
        _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
    const __m256i index = _mm256_or_si256(t1, t2);
    __m256i row = _mm256_subs_epu8(index, _mm256_set1_epi8(51));
    row = _mm256_sub_epi8(row, _mm256_cmpgt_epi8(index, _mm256_set1_epi8(25)));
    const __m256i text = _mm256_add_epi8(index, _mm256_shuffle_epi8(shift, row));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), text);
    out += 32;
    done += 24;
    if (size - done < 32) return done;
    low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + done - 4));
  }
}

/// Decodes groups of 32 plain characters into 24 bytes (writing 32), while there are 48 more; returns the
/// characters done. Stops at the first group with anything else in it. Reading stays ahead of writing, so
/// `out` may be `in`.
__attribute__((target("avx2"))) std::size_t decode_avx2(const char* in, std::size_t size, std::uint8_t* out) {
  const __m256i low_table = _mm256_setr_epi8(
      0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a,  //
      0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
  const __m256i high_table = _mm256_setr_epi8(
      0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,  //
      0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
  const __m256i roll_table = _mm256_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                              0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i slash = _mm256_set1_epi8('/');
  const __m256i pack = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,  //
                                        2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
  std::size_t done = 0;
  for (; size - done >= 48; done += 32, out += 24) {
    const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + done));
    const __m256i high_nibbles = _mm256_and_si256(_mm256_srli_epi32(text, 4), slash);
    const __m256i low_nibbles = _mm256_and_si256(text, slash);
    const __m256i high = _mm256_shuffle_epi8(high_table, high_nibbles);
    const __m256i low = _mm256_shuffle_epi8(low_table, low_nibbles);
    if (!_mm256_testz_si256(low, high)) return done;
    const __m256i is_slash = _mm256_cmpeq_epi8(text, slash);
    const __m256i roll = _mm256_shuffle_epi8(roll_table, _mm256_add_epi8(is_slash, high_nibbles));
    const __m256i bits = _mm256_add_epi8(text, roll);
    const __m256i pairs = _mm256_maddubs_epi16(bits, _mm256_set1_epi32(0x01400140));
    const __m256i quads = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(quads, pack),
                                                      _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), bytes);
  }
  return done;
}

#endif

/// What is left between two characters: how many of a group of four are in, their bits, and whether padding
/// was seen.
struct Decoder {
  std::uint32_t bits = 0;
  unsigned count = 0;
  bool padded = false;
};

/// Takes the characters one at a time until `text` ends or (`to_group`) a group is complete; returns how many
/// were taken.
std::size_t decode_slowly(std::string_view text, Decoder& state, std::uint8_t*& out, bool to_group) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<std::uint8_t>(text[i]);
    const std::uint8_t meaning = kMeaning[c];
    if (meaning == kSpace) continue;
    if (meaning == kPadding) {
      state.padded = true;
      continue;
    }
    if (state.padded)
      throw DatumError(DatumErrorKind::kLogic,
                       "Invalid base64 format, data found after padding character '='.");
    if (meaning == kInvalid)
      throw DatumError(DatumErrorKind::kLogic, fmt::format("Invalid base64 character found: '{}'.", text[i]));
    state.bits = state.bits << 6 | meaning;
    if (++state.count < 4) continue;
    *out++ = static_cast<std::uint8_t>(state.bits >> 16);
    *out++ = static_cast<std::uint8_t>(state.bits >> 8);
    *out++ = static_cast<std::uint8_t>(state.bits);
    state = {};
    if (to_group) return i + 1;
  }
  return text.size();
}

/// Whole groups of four plain characters; returns the characters done.
std::size_t decode_groups(const char* in, std::size_t size, std::uint8_t* out) {
  std::size_t done = 0;
  for (; size - done >= 4; done += 4) {
    const std::uint8_t a = kMeaning[static_cast<std::uint8_t>(in[done])],
                       b = kMeaning[static_cast<std::uint8_t>(in[done + 1])];
    const std::uint8_t c = kMeaning[static_cast<std::uint8_t>(in[done + 2])],
                       d = kMeaning[static_cast<std::uint8_t>(in[done + 3])];
    if (((a | b | c | d) & 0xc0) != 0) break;
    const std::uint32_t bits = std::uint32_t{a} << 18 | std::uint32_t{b} << 12 | std::uint32_t{c} << 6 | d;
    *out++ = static_cast<std::uint8_t>(bits >> 16);
    *out++ = static_cast<std::uint8_t>(bits >> 8);
    *out++ = static_cast<std::uint8_t>(bits);
  }
  return done;
}

template <bool kVector>
std::size_t decode(std::string_view text, std::uint8_t* const begin) {
  std::uint8_t* out = begin;
  Decoder state;
  while (!text.empty()) {
    if (!state.padded) {
#ifdef REQLD_BASE64_AVX2
      if (kVector) {
        const std::size_t n = decode_avx2(text.data(), text.size(), out);
        out += n / 4 * 3;
        text.remove_prefix(n);
      }
#endif
      const std::size_t n = decode_groups(text.data(), text.size(), out);
      out += n / 4 * 3;
      text.remove_prefix(n);
    }
    // A line break, padding or an error: step over it, then the fast way again.
    text.remove_prefix(decode_slowly(text, state, out, true));
  }
  if (state.count == 1)
    throw DatumError(DatumErrorKind::kLogic,
                     "Invalid base64 length: 1 character remaining, cannot decode a full byte.");
  if (state.count == 2) *out++ = static_cast<std::uint8_t>(state.bits >> 4);
  if (state.count == 3) {
    *out++ = static_cast<std::uint8_t>(state.bits >> 10);
    *out++ = static_cast<std::uint8_t>(state.bits >> 2);
  }
  return static_cast<std::size_t>(out - begin);
}

}  // namespace

namespace base64_detail {

void encode_portable(const std::uint8_t* in, std::size_t size, char* out) {
  for (; size >= 3; in += 3, size -= 3, out += 4) {
    const std::uint32_t bits = std::uint32_t{in[0]} << 16 | std::uint32_t{in[1]} << 8 | in[2];
    std::memcpy(out, &kPairs[2 * (bits >> 12)], 2);
    std::memcpy(out + 2, &kPairs[2 * (bits & 0xfff)], 2);
  }
  if (size == 0) return;
  const std::uint32_t bits = std::uint32_t{in[0]} << 16 | (size == 2 ? std::uint32_t{in[1]} << 8 : 0);
  std::memcpy(out, &kPairs[2 * (bits >> 12)], 2);
  out[2] = size == 2 ? kAlphabet[bits >> 6 & 63] : '=';
  out[3] = '=';
}

std::size_t decode_portable(std::string_view text, std::uint8_t* out) {
  return decode<false>(text, out);
}

}  // namespace base64_detail

void encode_base64(std::string_view bytes, char* out) {
  const auto* in = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::size_t done = 0;
#ifdef REQLD_BASE64_AVX2
  if (have_avx2()) done = encode_avx2(in, bytes.size(), out);
#endif
  base64_detail::encode_portable(in + done, bytes.size() - done, out + done / 3 * 4);
}

void append_base64(std::string_view bytes, std::string& out) {
  const std::size_t at = out.size();
  out.resize(at + base64_size(bytes.size()));
  encode_base64(bytes, out.data() + at);
}

std::size_t decode_base64(std::string_view text, std::uint8_t* out) {
#ifdef REQLD_BASE64_AVX2
  if (have_avx2()) return decode<true>(text, out);
#endif
  return decode<false>(text, out);
}

Datum binary_from_base64(std::string_view text) {
  using encoding::varint_size;
  using encoding::write_varint;
  // The length is only known at the end: decode behind the longest head there may be, then put the head in
  // place.
  const std::size_t room = 1 + varint_size(base64_decoded_limit(text.size()));
  Ref<Buffer> buffer = Buffer::make(room + base64_decoded_limit(text.size()));
  const std::size_t size = decode_base64(text, buffer->data() + room);
  std::uint8_t* p = buffer->data();
  *p++ = static_cast<std::uint8_t>(Tag::kBinary);
  p = write_varint(p, size);
  const auto head = static_cast<std::size_t>(p - buffer->data());
  if (head != room) std::memmove(p, buffer->data() + room, size);
  buffer = Buffer::resize(std::move(buffer), head + size);
  return Datum::from_encoded(buffer->data(), *buffer);
}

}  // namespace reqld
