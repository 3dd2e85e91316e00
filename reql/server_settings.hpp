// What may be set of the server while it runs, and is kept in its data directory: its name, tags, cache size and heartbeat timeout.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace reqld::storage {
class Database;
}

namespace reqld {
class Datum;
}

namespace reqld::reql {

class Context;

/// The system records, one for each setting under the name of its field in server_config or cluster_config.
inline constexpr char kServerSettings[] = "server_settings";

/// A setting as the system table shows it; nothing when it was never set.
std::optional<Datum> find_setting(storage::Database& database, const std::string& name);
/// Waits until it is on disk.
void store_setting(Context& cx, const std::string& name, const Datum& value);

/// The server's name, which may change while others read it. Copies share it. Thread-safe.
class ServerName {
 public:
  explicit ServerName(std::string name);
  operator std::string() const;  // NOLINT: reads like text
  /// Takes the stored name, if there is one.
  void reload(storage::Database& database) const;

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace reqld::reql
