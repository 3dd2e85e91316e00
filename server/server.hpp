// The driver port: reactors, worker pool and listeners together.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "server/counters.hpp"
#include "server/listener.hpp"
#include "server/query_host.hpp"
#include "server/server_options.hpp"
#include "server/tls.hpp"

namespace reqld::server {

class Reactor;
class WorkerPool;

class Server {
 public:
  /// `host` must outlive it. The threads start here.
  Server(ServerOptions options, QueryHost& host);
  /// stop() has to come first.
  ~Server();

  /// Serves connections that come in on these sockets, with `tls` encrypted ones.
  void listen(std::vector<ListeningSocket> sockets, std::shared_ptr<const TlsContext> tls = nullptr);

  /// Accepts no more, lets running queries finish for `grace`, then cancels them; returns when all
  /// connections are closed and nobody can wake a query any more, or `limit` is over. False: some query did
  /// not end; then nothing it uses may be destroyed.
  bool stop(std::chrono::milliseconds grace, std::chrono::milliseconds limit);

  /// Any thread.
  ServerCounters counters() const;

 private:
  void accept(int fd, reql::ClientInfo client);
  std::size_t sessions() const;
  bool wait_for_sessions(std::chrono::steady_clock::time_point until) const;

  ServerOptions options_;
  QueryHost& host_;
  std::unique_ptr<WorkerPool> pool_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<TlsGateway> tls_;  ///< null without TLS
  std::atomic<std::uint64_t> refused_{0};
  std::size_t next_reactor_ = 0;  ///< accepting thread
  bool stopped_ = false;
};

}  // namespace reqld::server
