// Which addresses may be connected to. Checked against the resolved address at connect time, after redirects
// too.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "http_fetch/result.hpp"

struct sockaddr;

namespace reqld::http_fetch {

/// Immutable; thread-safe. Allows everything until given lists.
///
/// The longest prefix of either list that contains the address decides; `deny` wins between equals. An
/// address in neither list is allowed, unless the allow list has entries. So "all but the private networks,
/// yet 10.1.2.3" is allow = 0.0.0.0/0 ::/0 10.1.2.3, deny = 10.0.0.0/8 …
///
/// IPv4 written as IPv6 (::ffff:a.b.c.d, ::a.b.c.d, and NAT64's 64:ff9b::a.b.c.d) is judged as that IPv4
/// address, and the unspecified addresses 0.0.0.0 and ::, which connect to this host, as 127.0.0.1 and ::1.
/// Addresses that are not IP are denied as soon as any list has entries.
class AddressPolicy {
 public:
  AddressPolicy() = default;

  /// Entries are `address/bits` or a single address; blanks around are ignored. kInvalid names the bad entry.
  static Result<AddressPolicy> parse(std::span<const std::string> allow, std::span<const std::string> deny);

  bool allows(const sockaddr& address) const;
  bool allows_everything() const { return rules_.empty(); }

 private:
  /// An address in 16 bytes, IPv4 as ::ffff:a.b.c.d.
  using Bytes = std::array<std::uint8_t, 16>;
  struct Rule {
    Bytes prefix;
    int bits;
    bool allow;
  };

  static bool parse_rule(const std::string& text, bool allow, Rule& rule);
  static bool matches(const Rule& rule, const Bytes& address);

  std::vector<Rule> rules_;
  bool has_allow_ = false;
};

/// The address as text, without the port.
std::string address_text(const sockaddr& address);

}  // namespace reqld::http_fetch
