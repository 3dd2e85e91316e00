// Listening sockets, and the accepting of connections on them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "reql/query.hpp"
#include "server/event_loop.hpp"

namespace reqld::server {

/// A bound and listening TCP socket; closes it.
class ListeningSocket {
 public:
  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  int fd() const { return fd_; }
  std::uint16_t port() const { return port_; }
  const std::string& address() const { return address_; }
  int release();

  struct Opened;
  /// Listens on each of `addresses` at the same port: numeric ones; `localhost` for 127.0.0.1 and ::1, `all`
  /// for every address (both without IPv6 where there is none). Port 0: any free one.
  static Opened open(const std::vector<std::string>& addresses, std::uint16_t port);

 private:
  ListeningSocket(int fd, std::string address, std::uint16_t port)
      : fd_(fd), port_(port), address_(std::move(address)) {}
  friend struct Opened;

  int fd_;
  std::uint16_t port_;
  std::string address_;
};

struct ListeningSocket::Opened {
  std::vector<ListeningSocket> sockets;  ///< empty when `error` is not
  std::string error;                     ///< for the operator
};

/// Accepts on one listening socket. On the loop's thread.
class Listener {
 public:
  /// Gets each new connection: non-blocking, close-on-exec, TCP_NODELAY.
  using Accepted = std::function<void(int fd, reql::ClientInfo client)>;

  /// Any thread, before the loop runs or within it.
  Listener(EventLoop& loop, ListeningSocket socket, Accepted accepted);
  ~Listener();

  void start();
  /// Connections in the backlog are dropped.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;  ///< shared with the wait under way
};

}  // namespace reqld::server
