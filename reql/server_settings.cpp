#include "reql/server_settings.hpp"

#include <mutex>

#include "reql/storage_call.hpp"

namespace reqld::reql {

std::optional<Datum> find_setting(storage::Database& database, const std::string& name) {
  return database.get_system(kServerSettings, name);
}

void store_setting(Context& cx, const std::string& name, const Datum& value) {
  store_record(cx, kServerSettings, name, value);
}

struct ServerName::State {
  std::mutex mutex;
  std::string name;
};

ServerName::ServerName(std::string name) : state_(std::make_shared<State>()) { state_->name = std::move(name); }

ServerName::operator std::string() const {
  const std::lock_guard lock(state_->mutex);
  return state_->name;
}

void ServerName::reload(storage::Database& database) const {
  // Read under the lock: of two renames at once, the name that is stored last must be the one that stays.
  const std::lock_guard lock(state_->mutex);
  if (const auto stored = find_setting(database, "name")) state_->name = std::string(stored->as_string());
}

}  // namespace reqld::reql
