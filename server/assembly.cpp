#include "server/assembly.hpp"

#include <future>

#include "http_fetch/fetcher.hpp"
#include "reql/engine.hpp"
#include "reql/index_definition.hpp"
#include "reql/users.hpp"
#include "storage/database.hpp"

namespace reqld::server {

// In order of construction: what comes later uses what comes before.
struct Assembly::Parts {
  std::unique_ptr<storage::Database> database;
  std::unique_ptr<http_fetch::Fetcher> fetcher;
  std::unique_ptr<reql::Engine> engine;
};

namespace {

// The password given for a fresh installation: one that was set since stays.
std::string set_initial_password(storage::Database& database, const std::string& password) {
  if (password.empty() || database.get_system(reql::kUsersCollection, "admin")) return {};
  const reql::User admin{"admin", reql::hash_password(password)};
  std::promise<storage::Result<storage::Sequence>> promise;
  auto answer = promise.get_future();
  database.put_system(reql::kUsersCollection, "admin", reql::encode_user(admin),
                      [&promise](storage::Result<storage::Sequence> result) { promise.set_value(std::move(result)); });
  const auto result = answer.get();
  return result ? std::string() : result.error().message;
}

}  // namespace

Assembly::Assembly(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Assembly::~Assembly() = default;

Assembly::Opened Assembly::open(const AssemblyOptions& options) {
  auto parts = std::make_unique<Parts>();

  storage::DatabaseOptions storage_options;
  storage_options.engine.directory = options.directory;
  storage_options.index_functions = reql::index_function_factory();
  auto database = storage::Database::open(std::move(storage_options));
  if (!database) return {nullptr, database.error().message};
  parts->database = std::move(*database);
  if (std::string error = set_initial_password(*parts->database, options.initial_password); !error.empty()) {
    return {nullptr, error};
  }

  http_fetch::Options fetch_options;
  fetch_options.max_in_flight = options.max_fetches;
  fetch_options.max_in_flight_per_host = options.max_fetches;
  fetch_options.max_body_bytes = options.max_fetch_bytes;
  auto policy = http_fetch::AddressPolicy::parse(options.fetch_allow, options.fetch_deny);
  if (!policy) return {nullptr, policy.error().message};
  fetch_options.address_policy = std::move(*policy);
  auto fetcher = http_fetch::Fetcher::create(std::move(fetch_options));
  if (!fetcher) return {nullptr, fetcher.error().message};
  parts->fetcher = std::move(*fetcher);

  reql::EngineOptions engine_options;
  engine_options.server_name = options.server_name;
  engine_options.server_id = parts->database->id();
  engine_options.worker_threads = options.worker_threads;
  parts->engine = std::make_unique<reql::Engine>(std::move(engine_options), *parts->database, *parts->fetcher);
  return {std::unique_ptr<Assembly>(new Assembly(std::move(parts))), {}};
}

std::unique_ptr<reql::Query> Assembly::make_query(const reql::ClientInfo& client, std::string body) {
  return reql::make_query(*parts_->engine, client, std::move(body));
}

protocol::Credentials Assembly::credentials(const std::string& user) {
  const auto stored = parts_->engine->scram_credentials(user);
  return {stored.known, stored.salt, stored.iterations, stored.salted_password};
}

std::string Assembly::server_id() const { return parts_->engine->options().server_id; }
std::string Assembly::server_name() const { return parts_->engine->options().server_name; }

}  // namespace reqld::server
