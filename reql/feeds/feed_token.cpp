#include "reql/feeds/feed_token.hpp"

#include "datum/base64.hpp"
#include "datum/datum.hpp"

namespace reqld::reql {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kTextBytes = 36;
constexpr std::size_t kBytes = 27;

void put(std::uint64_t n, int bytes, std::string& out) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(n >> (8 * i)));
}

std::uint64_t get(std::string_view bytes) {
  std::uint64_t n = 0;
  for (const char c : bytes) n = n << 8 | static_cast<std::uint8_t>(c);
  return n;
}

// FNV-1a: against mistakes, not against forgers, who gain nothing.
std::uint32_t checksum(std::string_view bytes) {
  std::uint32_t sum = 2166136261u;
  for (const char c : bytes) sum = (sum ^ static_cast<std::uint8_t>(c)) * 16777619u;
  return sum;
}

}  // namespace

std::string encode_token(const FeedToken& token) {
  std::string bytes;
  put(kVersion, 1, bytes);
  put(token.incarnation, 8, bytes);
  put(token.position.at.sequence, 8, bytes);
  put(token.position.at.ordinal, 4, bytes);
  put(token.position.part, 2, bytes);
  put(checksum(bytes), 4, bytes);
  std::string text;
  append_base64(bytes, text);
  return text;
}

std::optional<FeedToken> decode_token(std::string_view text) {
  if (text.size() != kTextBytes) return std::nullopt;
  std::uint8_t decoded[kTextBytes];
  std::size_t size = 0;
  try {
    size = decode_base64(text, decoded);
  } catch (const DatumError&) {
    return std::nullopt;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(decoded), size);
  if (size != kBytes || bytes[0] != kVersion || get(bytes.substr(23)) != checksum(bytes.substr(0, 23)))
    return std::nullopt;
  FeedToken token;
  token.incarnation = get(bytes.substr(1, 8));
  token.position.at.sequence = get(bytes.substr(9, 8));
  token.position.at.ordinal = static_cast<std::uint32_t>(get(bytes.substr(17, 4)));
  token.position.part = static_cast<std::uint16_t>(get(bytes.substr(21, 2)));
  return token;
}

}  // namespace reqld::reql
