#include "server/listener.hpp"

#include <doctest/doctest.h>

using namespace reqld::server;

TEST_CASE("a port in use is told clearly") {
  auto first = ListeningSocket::open({"127.0.0.1"}, 0);
  REQUIRE(first.error.empty());
  REQUIRE(first.sockets.size() == 1);
  const auto port = first.sockets[0].port();
  CHECK(port != 0);
  const auto second = ListeningSocket::open({"127.0.0.1"}, port);
  CHECK(second.sockets.empty());
  CHECK(second.error ==
        "Cannot listen on 127.0.0.1:" + std::to_string(port) +
            ": the port is in use already, maybe by another reqld. Choose another port, or --port-offset.");
}

TEST_CASE("addresses") {
  CHECK(ListeningSocket::open({"nosuch"}, 0).error == "Cannot listen on 'nosuch': not an IP address.");
  CHECK(ListeningSocket::open({"192.0.2.1"}, 0).error ==
        "Cannot listen on 192.0.2.1:0: this machine has no such address.");
  const auto local = ListeningSocket::open({"localhost", "127.0.0.1"}, 0);
  CHECK(local.error.empty());
  CHECK(local.sockets.front().address() == "127.0.0.1");
  for (const auto& socket : local.sockets) CHECK(socket.port() == local.sockets.front().port());
  const auto all = ListeningSocket::open({"localhost", "all"}, 0);
  CHECK(all.error.empty());
  CHECK(all.sockets.front().address() == "0.0.0.0");
}
