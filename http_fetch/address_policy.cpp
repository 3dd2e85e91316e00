#include "http_fetch/address_policy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace reqld::http_fetch {
namespace {

using Bytes = std::array<std::uint8_t, 16>;

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::array<std::uint8_t, 12> kNat64 = {0, 0x64, 0xff, 0x9b};
constexpr std::array<std::uint8_t, 12> kZeros = {};

Bytes from_ipv4(const void* four) {
  Bytes out{};
  std::copy(kMapped.begin(), kMapped.end(), out.begin());
  std::memcpy(out.data() + 12, four, 4);
  return out;
}

bool has_prefix(const Bytes& address, const std::array<std::uint8_t, 12>& prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

bool tail_is_below(const Bytes& address, unsigned limit) {
  return address[12] == 0 && address[13] == 0 && address[14] == 0 && address[15] < limit;
}

/// Where a connection to this address really ends up.
Bytes canonical(Bytes address) {
  bool wraps_ipv4 =
      has_prefix(address, kNat64) || (has_prefix(address, kZeros) && !tail_is_below(address, 2));
  if (wraps_ipv4) address = from_ipv4(address.data() + 12);
  if (has_prefix(address, kMapped) && tail_is_below(address, 1)) {
    address[12] = 127;
    address[15] = 1;
  } else if (has_prefix(address, kZeros) && tail_is_below(address, 1)) {
    address[15] = 1;
  }
  return address;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool AddressPolicy::parse_rule(const std::string& text, bool allow, Rule& rule) {
  std::string_view entry = trim(text);
  std::size_t slash = entry.find('/');
  std::string address(entry.substr(0, slash));
  in_addr v4{};
  in6_addr v6{};
  int width;
  int offset = 0;
  rule.allow = allow;
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    rule.prefix = from_ipv4(&v4);
    width = 32;
    offset = 96;
  } else if (inet_pton(AF_INET6, address.c_str(), &v6) == 1) {
    std::memcpy(rule.prefix.data(), &v6, 16);
    width = 128;
  } else {
    return false;
  }
  int bits = width;
  if (slash != std::string_view::npos) {
    std::string_view digits = entry.substr(slash + 1);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() || bits < 0 || bits > width)
      return false;
  }
  rule.bits = bits + offset;
  return true;
}

Result<AddressPolicy> AddressPolicy::parse(std::span<const std::string> allow,
                                           std::span<const std::string> deny) {
  AddressPolicy policy;
  for (bool is_allow : {true, false}) {
    for (const std::string& text : is_allow ? allow : deny) {
      Rule rule;
      if (!parse_rule(text, is_allow, rule)) {
        return Error{ErrorKind::kInvalid, "`" + text + "` is not an IP address or network (address/bits)"};
      }
      policy.rules_.push_back(rule);
    }
  }
  policy.has_allow_ = !allow.empty();
  return policy;
}

bool AddressPolicy::matches(const Rule& rule, const Bytes& address) {
  int whole = rule.bits / 8;
  int rest = rule.bits % 8;
  if (!std::equal(address.begin(), address.begin() + whole, rule.prefix.begin())) return false;
  return rest == 0 ||
         ((address[static_cast<std::size_t>(whole)] ^ rule.prefix[static_cast<std::size_t>(whole)]) >>
          (8 - rest)) == 0;
}

bool AddressPolicy::allows(const sockaddr& address) const {
  if (rules_.empty()) return true;
  Bytes bytes{};
  if (address.sa_family == AF_INET) {
    bytes = from_ipv4(&reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  } else if (address.sa_family == AF_INET6) {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, 16);
  } else {
    return false;
  }
  bytes = canonical(bytes);
  // ::/0 and the like speak of IPv6 only: an IPv4 address must not be let in by them.
  bool is_ipv4 = has_prefix(bytes, kMapped);
  const Rule* best = nullptr;
  for (const Rule& rule : rules_) {
    if (is_ipv4 && rule.bits < 96) continue;
    if (!matches(rule, bytes)) continue;
    if (!best || rule.bits > best->bits || (rule.bits == best->bits && !rule.allow)) best = &rule;
  }
  return best ? best->allow : !has_allow_;
}

std::string address_text(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "unknown";
  if (address.sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof(text));
  } else if (address.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof(text));
  }
  return text;
}

}  // namespace reqld::http_fetch
