// The HTTP port: a status page, /health and /metrics. It shows, and changes nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/listener.hpp"
#include "server/tls.hpp"

namespace reqld::server {

/// Serves on a thread of its own, so that it answers when the reactors are busy. Slow clients are cut off.
class AdminHttp {
 public:
  /// Called on its thread.
  struct Content {
    std::function<std::string()> page;     ///< HTML
    std::function<std::string()> metrics;  ///< Prometheus text
    std::function<bool()> healthy;
  };

  /// With `tls` it is HTTPS.
  AdminHttp(std::vector<ListeningSocket> sockets, Content content,
            std::shared_ptr<const TlsContext> tls = nullptr);
  /// Closes all its connections.
  ~AdminHttp();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reqld::server
