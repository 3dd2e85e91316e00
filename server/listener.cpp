#include "server/listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "server/log.hpp"
#include "server/watched_fd.hpp"

namespace reqld::server {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsPerTurn = 64;

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

std::optional<Address> parse_address(const std::string& text, std::uint16_t port) {
  Address address;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof *v4;
    return address;
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof *v6;
    return address;
  }
  return std::nullopt;
}

reql::ClientInfo describe(const sockaddr_storage& storage) {
  reql::ClientInfo client;
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    client.peer_port = ntohs(v4.sin_port);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    client.peer_port = ntohs(v6.sin6_port);
  }
  client.peer_host = text;
  return client;
}

/// The descriptor, or -1 with errno.
int listen_on(const Address& address) {
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.storage.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0 &&
      listen(fd, kBacklog) == 0)
    return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  return storage.ss_family == AF_INET ? ntohs(reinterpret_cast<sockaddr_in&>(storage).sin_port)
                                      : ntohs(reinterpret_cast<sockaddr_in6&>(storage).sin6_port);
}

std::string reason(const std::string& address, std::uint16_t port, int error) {
  const std::string where = address + ":" + std::to_string(port);
  switch (error) {
    case EADDRINUSE:
      return "Cannot listen on " + where +
             ": the port is in use already, maybe by another reqld. Choose another port, or --port-offset.";
    case EADDRNOTAVAIL:
      return "Cannot listen on " + where + ": this machine has no such address.";
    case EACCES:
      return "Cannot listen on " + where + ": no permission (ports below 1024 are reserved for root).";
    default:
      return "Cannot listen on " + where + ": " + std::strerror(error) + ".";
  }
}

}  // namespace

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), port_(other.port_), address_(std::move(other.address_)) {}

ListeningSocket::~ListeningSocket() {
  if (fd_ >= 0) close(fd_);
}

int ListeningSocket::release() {
  return std::exchange(fd_, -1);
}

ListeningSocket::Opened ListeningSocket::open(const std::vector<std::string>& addresses, std::uint16_t port) {
  std::vector<std::pair<std::string, bool>> wanted;  // with: may be missing
  const auto want = [&](const std::string& address, bool optional) {
    if (std::none_of(wanted.begin(), wanted.end(), [&](const auto& have) { return have.first == address; })) {
      wanted.emplace_back(address, optional);
    }
  };
  if (std::find(addresses.begin(), addresses.end(), "all") != addresses.end()) {
    wanted = {{"0.0.0.0", false}, {"::", true}};
  } else {
    for (const auto& address : addresses) {
      want(address == "localhost" ? "127.0.0.1" : address, false);
      if (address == "localhost") want("::1", true);
    }
  }
  const bool any_port = port == 0;
  Opened opened;
  for (const auto& [text, optional] : wanted) {
    const auto address = parse_address(text, port);
    if (!address) {
      opened.error = "Cannot listen on '" + text + "': not an IP address.";
      break;
    }
    const int fd = listen_on(*address);
    if (fd < 0) {
      if (optional && (errno != EADDRINUSE || any_port)) continue;
      opened.error = reason(text, port, errno);
      break;
    }
    port = bound_port(fd);
    opened.sockets.push_back(ListeningSocket(fd, text, port));
  }
  if (!opened.error.empty()) opened.sockets.clear();
  return opened;
}

struct Listener::State final : FdObserver, std::enable_shared_from_this<Listener::State> {
  State(EventLoop& event_loop, int fd, Accepted on_accepted)
      : loop(event_loop), socket(event_loop, fd), accepted(std::move(on_accepted)) {}

  void wait() {
    self = shared_from_this();
    socket.wait_readable(*this);
  }

  void on_readable(bool alive) override {
    const auto keep = std::move(self);
    if (!socket.is_open()) return;
    if (!alive) return log::error("cannot listen for connections any more: no room to watch a socket");
    for (int i = 0; i < kAcceptsPerTurn && socket.is_open(); ++i) {
      sockaddr_storage storage{};
      socklen_t length = sizeof storage;
      const int fd =
          accept4(socket.fd(), reinterpret_cast<sockaddr*>(&storage), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EAGAIN) break;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
          log::error("cannot accept connections for a moment: {}", std::strerror(errno));
          // The connection stays in the backlog, so waiting for it would return at once.
          loop.call_after(std::chrono::milliseconds(200), [keep] {
            if (keep->socket.is_open()) keep->wait();
          });
          return;
        }
        continue;  // that one is gone already
      }
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      // A client whose machine has vanished is noticed one day, and its cursors freed.
      setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      accepted(fd, describe(storage));
    }
    if (socket.is_open()) wait();
  }

  void on_writable(bool) override {}

  EventLoop& loop;
  WatchedFd socket;
  Accepted accepted;
  std::shared_ptr<State> self;  ///< while a wait is under way
};

Listener::Listener(EventLoop& loop, ListeningSocket socket, Accepted accepted)
    : state_(std::make_shared<State>(loop, socket.release(), std::move(accepted))) {}

Listener::~Listener() {
  stop();
}

void Listener::start() {
  state_->wait();
}

void Listener::stop() {
  if (state_) state_->socket.close();
}

}  // namespace reqld::server
