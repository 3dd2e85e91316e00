#include "http_fetch/address_policy.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

using namespace reqld::http_fetch;

namespace {

AddressPolicy policy(std::vector<std::string> allow, std::vector<std::string> deny) {
  auto result = AddressPolicy::parse(allow, deny);
  REQUIRE(result.ok());
  return *result;
}

bool allows(const AddressPolicy& p, const std::string& address) {
  sockaddr_in v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    return p.allows(reinterpret_cast<sockaddr&>(v4));
  }
  sockaddr_in6 v6{};
  REQUIRE(inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1);
  v6.sin6_family = AF_INET6;
  return p.allows(reinterpret_cast<sockaddr&>(v6));
}

}  // namespace

TEST_CASE("without lists everything is allowed") {
  AddressPolicy p;
  CHECK(p.allows_everything());
  CHECK(allows(p, "127.0.0.1"));
  CHECK(allows(p, "::1"));
}

TEST_CASE("a deny list denies what it names") {
  AddressPolicy p = policy({}, {"10.0.0.0/8", " 127.0.0.0/8 ", "::1", "fd00::/8", "192.168.1.17"});
  CHECK_FALSE(allows(p, "10.255.1.2"));
  CHECK(allows(p, "11.0.0.1"));
  CHECK(allows(p, "9.255.255.255"));
  CHECK_FALSE(allows(p, "192.168.1.17"));
  CHECK(allows(p, "192.168.1.16"));
  CHECK_FALSE(allows(p, "fdab::1"));
  CHECK(allows(p, "fe80::1"));
}

TEST_CASE("IPv4 in IPv6 clothes is IPv4, and the unspecified address is this host") {
  AddressPolicy p = policy({}, {"127.0.0.0/8", "::1/128"});
  CHECK_FALSE(allows(p, "::ffff:127.0.0.1"));
  CHECK_FALSE(allows(p, "::127.0.0.1"));
  CHECK_FALSE(allows(p, "64:ff9b::127.0.0.1"));
  CHECK_FALSE(allows(p, "0.0.0.0"));
  CHECK_FALSE(allows(p, "::ffff:0.0.0.0"));
  CHECK_FALSE(allows(p, "::"));
  CHECK(allows(p, "::ffff:1.2.3.4"));
  CHECK_FALSE(allows(policy({}, {"::ffff:10.0.0.0/104"}), "10.1.2.3"));
}

TEST_CASE("an allow list denies the rest") {
  AddressPolicy p = policy({"192.0.2.0/25"}, {});
  CHECK(allows(p, "192.0.2.127"));
  CHECK_FALSE(allows(p, "192.0.2.128"));
  CHECK_FALSE(allows(p, "2001:db8::1"));
  // IPv6 networks say nothing about IPv4.
  CHECK_FALSE(allows(policy({"::/0"}, {}), "192.0.2.1"));
  CHECK(allows(policy({"::/0"}, {}), "2001:db8::1"));
}

TEST_CASE("the longest prefix decides, deny between equals") {
  AddressPolicy p = policy({"0.0.0.0/0", "::/0", "10.1.2.3"}, {"10.0.0.0/8"});
  CHECK(allows(p, "10.1.2.3"));
  CHECK_FALSE(allows(p, "10.1.2.4"));
  CHECK(allows(p, "8.8.8.8"));
  CHECK_FALSE(allows(policy({"10.0.0.0/8"}, {"10.0.0.0/8"}), "10.0.0.1"));
}

TEST_CASE("other address families are denied by any list") {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  CHECK(AddressPolicy().allows(reinterpret_cast<sockaddr&>(local)));
  CHECK_FALSE(policy({}, {"10.0.0.0/8"}).allows(reinterpret_cast<sockaddr&>(local)));
}

TEST_CASE("bad entries are named") {
  for (std::string bad :
       {"", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8x", "::/129", "10.0.0"}) {
    CAPTURE(bad);
    std::vector<std::string> list = {bad};
    auto result = AddressPolicy::parse({}, list);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().kind == ErrorKind::kInvalid);
    CHECK(result.error().message.find("`" + bad + "`") == 0);
  }
}
