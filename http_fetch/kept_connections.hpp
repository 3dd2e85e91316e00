// Which descriptor is behind a connection that libcurl keeps: it tells only the local port when it uses one
// again. Internal to http_fetch.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace reqld::http_fetch {

/// Belongs to one worker.
class KeptConnections {
 public:
  /// A request on the connection is being answered. `fd` is its descriptor as far as known: it may be another
  /// one of several that libcurl tried, which does not count.
  void note(int local_port, int fd) {
    if (by_port_.contains(local_port) || port_of(fd) != local_port) return;
    by_port_[local_port] = {fd, 0};
    port_of_[fd] = local_port;
  }

  /// The descriptor, when the connection has answered before; `user` takes it for the next request.
  std::optional<int> use(int local_port, std::uint64_t user) {
    auto found = by_port_.find(local_port);
    if (found == by_port_.end()) return std::nullopt;
    found->second.user = user;
    return found->second.fd;
  }

  /// It is being closed. Gives its last user; 0: none since it was kept.
  std::uint64_t forget(int fd) {
    auto port = port_of_.find(fd);
    if (port == port_of_.end()) return 0;
    auto kept = by_port_.find(port->second);
    std::uint64_t user = kept->second.user;
    by_port_.erase(kept);
    port_of_.erase(port);
    return user;
  }

 private:
  static int port_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (fd < 0 || getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
    if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);
    if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6&>(address).sin6_port);
    return -1;
  }

  struct Kept {
    int fd;
    std::uint64_t user;
  };
  std::unordered_map<int, Kept> by_port_;
  std::unordered_map<int, int> port_of_;
};

}  // namespace reqld::http_fetch
