// What all queries of a process share: storage, the http pool, the server's identity.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "reql/server_settings.hpp"

namespace reqld::storage {
class Database;
}
namespace reqld::http_fetch {
class Fetcher;
}
namespace reqld::js {
class Pool;
}

namespace reqld::reql {

class ActivitySampler;
class FeedHub;
class PermissionCache;
class RunningQueries;
class ServerView;

struct EngineOptions {
  ServerName server_name{"reqld"};         ///< `name` in SERVER_INFO, table configuration, `server_config`
  std::string server_id;                   ///< UUID of this data directory
  std::uint16_t driver_port = 0;           ///< that is listened on; for server_status
  std::optional<std::uint16_t> http_port;  ///< likewise; none where there is no HTTP
  unsigned worker_threads = 2;         ///< how wide scans may be split
  const ServerView* server = nullptr;  ///< outlives the engine; null: no server is around it
  /// A query that needs more ends with a RESOURCE_LIMIT error.
  std::size_t query_memory_bytes = std::size_t{1} << 30;
};

/// Thread-safe; outlives every query. Owns none of what it is given.
class Engine {
 public:
  Engine(EngineOptions options, storage::Database& database, http_fetch::Fetcher& fetcher,
         js::Pool& javascript);
  ~Engine();

  const EngineOptions& options() const { return options_; }
  storage::Database& database() { return database_; }
  http_fetch::Fetcher& fetcher() { return fetcher_; }
  js::Pool& javascript() { return javascript_; }
  FeedHub& feeds() { return *feeds_; }
  PermissionCache& permissions() { return *permissions_; }
  RunningQueries& running() { return *running_; }
  ActivitySampler& activity() { return *activity_; }
  /// When the engine was made: the start of the server.
  std::chrono::system_clock::time_point started() const { return started_; }

  /// True when `password` is that of `user`; how the legacy handshakes and the admin page check it.
  /// SCRAM needs the salted form: see `scram_credentials`.
  struct ScramCredentials {
    bool known = false;  ///< false: made up, so that an unknown user cannot be told from a wrong password
    std::string salt;    ///< 16 bytes
    std::uint32_t iterations = 0;
    std::string salted_password;  ///< 32 bytes: PBKDF2-HMAC-SHA-256
  };
  ScramCredentials scram_credentials(const std::string& user);

 private:
  EngineOptions options_;
  storage::Database& database_;
  http_fetch::Fetcher& fetcher_;
  js::Pool& javascript_;
  std::unique_ptr<FeedHub> feeds_;
  std::unique_ptr<PermissionCache> permissions_;
  std::unique_ptr<RunningQueries> running_;
  std::unique_ptr<ActivitySampler> activity_;
  const std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
};

}  // namespace reqld::reql
