// TLS in front of a port: takes connected sockets, and gives back ones that speak in clear. Sessions know
// nothing of it, and plain connections pay nothing for it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/options.hpp"

struct ssl_ctx_st;

namespace reqld::server {

/// Key, certificate and rules of one port. Immutable and thread-safe.
class TlsContext {
 public:
  struct Loaded {
    std::shared_ptr<const TlsContext> context;  ///< null: the port speaks in clear, or `error`
    std::string error;                          ///< for the operator
  };
  /// Reads the files that the settings name; nothing for settings without a key.
  static Loaded load(const config::TlsSettings& settings);

  ~TlsContext();
  ssl_ctx_st* get() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

/// Threads that encrypt and decrypt for any number of connections. An idle one holds no buffers but OpenSSL's
/// state.
class TlsGateway {
 public:
  /// Gets a non-blocking socket, close-on-exec, that carries in clear what client and server say to each
  /// other. Called on one of the gateway's threads, once the client has proven itself; not at all when the
  /// handshake fails or takes too long.
  using Ready = std::function<void(int fd)>;

  explicit TlsGateway(unsigned threads);
  /// Closes all connections.
  ~TlsGateway();

  /// Any thread. Takes over `fd`, a connected non-blocking socket.
  void adopt(int fd, std::shared_ptr<const TlsContext> context, Ready ready);

  /// Any thread: waits until everything that the server's side has said and closed behind it is sent. False:
  /// not by then.
  bool wait_until_sent(std::chrono::steady_clock::time_point until) const;

 private:
  class Connection;
  struct Thread;

  std::vector<std::unique_ptr<Thread>> threads_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::size_t> open_{0};  ///< handed out, and the server's side not at its end
};

}  // namespace reqld::server
