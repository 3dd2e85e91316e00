#include "datum/base64.hpp"

#include <doctest/doctest.h>

#include "random_datum.hpp"

using namespace reqld;
using reqld::testing::RandomDatum;

namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bit by bit, from the definition.
std::string reference(std::string_view bytes) {
  std::string bits, text;
  for (const char c : bytes)
    for (int i = 7; i >= 0; --i) bits.push_back(static_cast<char>((static_cast<unsigned char>(c) >> i) & 1));
  while (bits.size() % 6 != 0) bits.push_back(0);
  for (std::size_t i = 0; i < bits.size(); i += 6) {
    int v = 0;
    for (std::size_t k = 0; k < 6; ++k) v = v * 2 + bits[i + k];
    text.push_back(kAlphabet[v]);
  }
  while (text.size() % 4 != 0) text.push_back('=');
  return text;
}

std::string decoded(std::string_view text) {
  std::string out(base64_decoded_limit(text.size()), '\0');
  out.resize(decode_base64(text, reinterpret_cast<std::uint8_t*>(out.data())));
  return out;
}

std::string decoded_portably(std::string_view text) {
  std::string out(base64_decoded_limit(text.size()), '\0');
  out.resize(base64_detail::decode_portable(text, reinterpret_cast<std::uint8_t*>(out.data())));
  return out;
}

std::string error_of(std::string_view text) {
  try {
    (void)decoded(text);
  } catch (const DatumError& e) {
    return e.what();
  }
  return "";
}

std::string random_bytes(RandomDatum& random, std::size_t n) {
  std::string bytes(n, '\0');
  for (char& c : bytes) c = static_cast<char>(random.below(256));
  return bytes;
}

}  // namespace

TEST_CASE("base64 of every length, every way, agrees with the definition") {
  RandomDatum random(31);
  for (std::size_t n = 0; n < 400; ++n) {
    // On the heap with its exact size, so that a sanitizer sees a byte too many.
    const std::string bytes = random_bytes(random, n);
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const std::string text = reference(bytes);
    std::string encoded = "x";
    append_base64({exact.data(), exact.size()}, encoded);
    REQUIRE(encoded == "x" + text);
    std::string portable(base64_size(n), '\0');
    base64_detail::encode_portable(reinterpret_cast<const std::uint8_t*>(bytes.data()), n, portable.data());
    REQUIRE(portable == text);
    const std::vector<char> exact_text(text.begin(), text.end());
    std::vector<std::uint8_t> out(base64_decoded_limit(text.size()));
    REQUIRE(decode_base64({exact_text.data(), exact_text.size()}, out.data()) == n);
    REQUIRE(std::memcmp(out.data(), bytes.data(), n) == 0);
    REQUIRE(decoded_portably(text) == bytes);
    std::string unpadded = text;
    while (!unpadded.empty() && unpadded.back() == '=') unpadded.pop_back();
    REQUIRE(decoded(unpadded) == bytes);
    REQUIRE(binary_from_base64(text) == Datum::binary(bytes));
    REQUIRE(validate_encoding(binary_from_base64(text).encoded()));
    // In place.
    std::string in_place = text + "    ";
    REQUIRE(decode_base64({in_place.data(), text.size()}, reinterpret_cast<std::uint8_t*>(in_place.data())) ==
            n);
    REQUIRE(in_place.substr(0, n) == bytes);
    // With line breaks, as RethinkDB writes them.
    std::string broken;
    for (std::size_t i = 0; i < text.size(); ++i) {
      broken.push_back(text[i]);
      if (i % 76 == 75) broken += "\r\n";
    }
    REQUIRE(decoded(broken) == bytes);
  }
}

TEST_CASE("lax and wrong text as recorded") {
  CHECK(decoded("QQ") == "A");
  CHECK(decoded("QUI") == "AB");
  CHECK(decoded("QQ=") == "A");
  CHECK(decoded("====").empty());
  CHECK(decoded("QU JD") == "ABC");
  CHECK(decoded("QUJD====") == "ABC");
  CHECK(decoded("QR==") == "A");
  CHECK(decoded("QUJDQQ==\n\n") == "ABCA");
  CHECK(error_of("Q") == "Invalid base64 length: 1 character remaining, cannot decode a full byte.");
  CHECK(error_of("Q===") == "Invalid base64 length: 1 character remaining, cannot decode a full byte.");
  CHECK(error_of("ABCDE") == "Invalid base64 length: 1 character remaining, cannot decode a full byte.");
  CHECK(error_of("QU*D") == "Invalid base64 character found: '*'.");
  CHECK(error_of("_-8=") == "Invalid base64 character found: '_'.");
  CHECK(error_of("\xc3\xa9") == "Invalid base64 character found: '\xc3'.");
  CHECK(error_of("QQ==QQ==") == "Invalid base64 format, data found after padding character '='.");
  CHECK(error_of("ABCDEF==$") == "Invalid base64 format, data found after padding character '='.");
}

TEST_CASE("every single wrong character is found wherever it stands") {
  RandomDatum random(32);
  const std::string good = reference(random_bytes(random, 150));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string text = good;
      text[at] = static_cast<char>(c);
      std::string fast, slow;
      try {
        fast = decoded(text);
      } catch (const DatumError& e) {
        fast = e.what();
      }
      try {
        slow = decoded_portably(text);
      } catch (const DatumError& e) {
        slow = e.what();
      }
      REQUIRE(fast == slow);
    }
  }
}
