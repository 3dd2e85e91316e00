// The server's figures as text: for Prometheus, and for people.
#pragma once

#include <chrono>
#include <string>

#include "server/counters.hpp"

namespace reqld::server {

/// The server that the figures are of.
struct ServerIdentity {
  std::string name;
  std::string id;
  std::string version;
  std::chrono::system_clock::time_point started;
};

/// Prometheus text format 0.0.4, figures of the process included.
std::string metrics_text(const ServerCounters& counters, const ServerIdentity& identity);

/// A small HTML page.
std::string status_page(const ServerCounters& counters, const ServerIdentity& identity);

}  // namespace reqld::server
