// Which descriptor is behind a connection that libcurl keeps: it tells only the local port when it uses one again.
// Internal to http_fetch.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace reqld::http_fetch {

/// Belongs to one worker.
class KeptConnections {
 public:
  /// A request on the connection has been answered. The first descriptor named for a port stays.
  void note(int local_port, int fd) {
    auto [place, fresh] = by_port_.try_emplace(local_port, Kept{fd, 0});
    if (fresh) port_of_[fd] = local_port;
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
  struct Kept {
    int fd;
    std::uint64_t user;
  };
  std::unordered_map<int, Kept> by_port_;
  std::unordered_map<int, int> port_of_;
};

}  // namespace reqld::http_fetch
