#include "reql/engine.hpp"

#include "datum/limits.hpp"
#include "reql/activity_sampler.hpp"
#include "reql/feeds/hub.hpp"
#include "reql/permissions.hpp"
#include "reql/running_queries.hpp"
#include "reql/users.hpp"

namespace reqld::reql {

Engine::Engine(EngineOptions options, storage::Database& database, http_fetch::Fetcher& fetcher,
               js::Pool& javascript)
    : options_(std::move(options)),
      database_(database),
      fetcher_(fetcher),
      javascript_(javascript),
      feeds_(std::make_unique<FeedHub>(database)),
      permissions_(std::make_unique<PermissionCache>(database)),
      running_(std::make_unique<RunningQueries>()),
      activity_(std::make_unique<ActivitySampler>(database, *running_)) {
  set_max_value_bytes(options_.query_memory_bytes);
}

Engine::~Engine() = default;

Engine::ScramCredentials Engine::scram_credentials(const std::string& name) {
  ScramCredentials out;
  const auto user = find_user(database_, name);
  if (!user) return out;
  out.known = true;
  out.salt = user->password.salt;
  out.iterations = user->password.iterations;
  out.salted_password = user->password.salted_password;
  return out;
}

}  // namespace reqld::reql
