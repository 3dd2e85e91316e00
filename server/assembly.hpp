// Puts storage, the http pool and the language together behind one QueryHost.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "server/query_host.hpp"

namespace reqld::storage {
class Database;
}

namespace reqld::server {

struct Assembled {
  std::unique_ptr<QueryHost> host;  ///< null when `error` is not empty. Destroying it closes the database.
  storage::Database* database = nullptr;  ///< the host's
  std::string error;                      ///< for the operator
  std::string generated_password;         ///< of a new `admin` with --initial-password auto
  std::vector<std::string> warnings;      ///< for the log
};

/// What is listened on: server_status shows it.
struct BoundPorts {
  std::uint16_t driver = 0;
  std::optional<std::uint16_t> http;
};

/// Opens the data directory of `options`; makes it when there is none and `create` says so. `worker_threads`:
/// how wide queries may spread. Blocks while the database recovers.
Assembled assemble(const config::Options& options, bool create, unsigned worker_threads, const BoundPorts& ports = {});

}  // namespace reqld::server
