#include "server/assembly.hpp"

#include <algorithm>
#include <filesystem>
#include <future>
#include <utility>

#include "http_fetch/fetcher.hpp"
#include "js/pool.hpp"
#include "protocol/crypto.hpp"
#include "reql/engine.hpp"
#include "reql/feeds/hub.hpp"
#include "reql/index_definition.hpp"
#include "reql/query.hpp"
#include "reql/server_settings.hpp"
#include "reql/server_view.hpp"
#include "reql/users.hpp"
#include "server/log.hpp"
#include "server/server.hpp"
#include "storage/database.hpp"

namespace reqld::server {
namespace {

class ReqlHost final : public QueryHost, private reql::ServerView {
 public:
  ReqlHost(std::unique_ptr<storage::Database> database, std::unique_ptr<http_fetch::Fetcher> fetcher,
           js::Options javascript, reql::EngineOptions options)
      : database_(std::move(database)),
        fetcher_(std::move(fetcher)),
        javascript_(std::move(javascript)),
        engine_(with_view(std::move(options)), *database_, *fetcher_, javascript_) {
    log::set_listener([this] { engine_.feeds().system_table_changed(reql::SystemChange::kLog); });
  }
  ~ReqlHost() override { log::set_listener(nullptr); }

  std::unique_ptr<reql::Query> make_query(const reql::ClientInfo& client, std::string body) override {
    return reql::make_query(engine_, client, std::move(body));
  }

  void prefetch(std::span<const storage::RowPlace> rows) override { engine_.database().reader()->prefetch(rows); }

  protocol::Credentials credentials(const std::string& user) override {
    auto stored = engine_.scram_credentials(user);
    return {stored.known, std::move(stored.salt), stored.iterations, std::move(stored.salted_password)};
  }

  void attach(const Server& server) override { server_ = &server; }

  std::string server_id() const override { return engine_.options().server_id; }
  std::string server_name() const override { return engine_.options().server_name; }

 private:
  std::uint64_t client_connections() const override {
    return server_ ? server_->counters().connections_open : 0;
  }
  std::vector<reql::LogLine> log_lines() const override { return log::recent(); }

  reql::EngineOptions with_view(reql::EngineOptions options) const {
    options.server = this;
    return options;
  }

  const Server* server_ = nullptr;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<http_fetch::Fetcher> fetcher_;
  js::Pool javascript_;
  reql::Engine engine_;
};

/// Waits until the record is on disk. An error text, or nothing.
std::string store(storage::Database& database, const char* collection, const std::string& key, const Datum& record,
                  const std::string& what) {
  std::promise<std::string> stored;
  database.put_system(collection, key, record, [&](const auto& result) {
    stored.set_value(result.ok() ? std::string() : "Cannot store " + what + ": " + result.error().message);
  });
  return stored.get_future().get();
}

/// An error text, or nothing.
std::string set_initial_password(storage::Database& database, const config::Options& options,
                                 std::string& generated) {
  const auto admin = reql::find_user(database, reql::kAdmin);
  // Only for who has never set one.
  if (admin && !admin->password.empty) return {};
  std::string password = options.initial_password;
  if (password == "auto") {
    password = protocol::base64_encode(protocol::random_bytes(18));
    generated = password;
  }
  reql::User user;
  user.name = reql::kAdmin;
  user.password = reql::hash_password(password);
  return store(database, reql::kUsersCollection, user.name, reql::encode_user(user), "the initial password");
}

/// Keeps in the directory what is given of the server's name, tags and cache size. A name and tags that it has already stay, as with
/// RethinkDB. An error text, or nothing.
std::string keep_settings(storage::Database& database, const config::Options& options, std::vector<std::string>& warnings) {
  struct Given {
    const char* setting;
    Datum value;
    const char* ignored;  ///< the warning when there is another value; null: the given one takes its place
  };
  std::vector<Given> all;
  if (options.server_name_given) {
    all.push_back({"name", Datum::string(options.server_name), "ignoring --server-name because this server already has a name"});
  }
  if (options.server_tags_given) {
    ArrayBuilder tags;
    for (const std::string& tag : options.server_tags) tags.add(Datum::string(tag));
    all.push_back({"tags", tags.finish(), "ignoring --server-tag because this server already has tags"});
  }
  if (options.cache_size_given) {
    const auto& size = options.cache_size_mb;
    all.push_back({"cache_size_mb", size ? Datum::number(static_cast<double>(*size)) : Datum::string("auto"), nullptr});
  }
  for (const Given& given : all) {
    const auto present = reql::find_setting(database, given.setting);
    if (present && *present == given.value) continue;
    if (present && given.ignored != nullptr) {
      warnings.push_back(std::string(given.ignored) + "; rethinkdb.server_config can be written to");
      continue;
    }
    std::string error = store(database, reql::kServerSettings, given.setting, given.value, given.setting);
    if (!error.empty()) return error;
  }
  return {};
}

/// The worker lies beside the server.
std::string javascript_worker_path() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "reqld-js" : (self.parent_path() / "reqld-js").string();
}

/// Whether RethinkDB keeps its data there: reqld would seem to have lost it.
bool is_of_rethinkdb(const std::filesystem::path& directory) {
  std::error_code error;
  return std::filesystem::exists(directory / "metadata", error) &&
         !std::filesystem::exists(directory / "data.mdb", error);
}

}  // namespace

Assembled assemble(const config::Options& options, bool create, unsigned worker_threads, const BoundPorts& ports) {
  Assembled assembled;
  if (!create && !std::filesystem::is_directory(options.directory)) {
    assembled.error = "There is no data directory '" + options.directory + "'. `reqld create --directory " +
                      options.directory + "` makes one.";
    return assembled;
  }
  if (is_of_rethinkdb(options.directory)) {
    assembled.error = "The directory '" + options.directory +
                      "' holds the data of a RethinkDB server, whose files reqld does not read. Give reqld a "
                      "directory of its "
                      "own, and bring the data over with `rethinkdb export` and `rethinkdb import`.";
    return assembled;
  }
  auto policy = http_fetch::AddressPolicy::parse(options.http_allow, options.http_deny);
  if (!policy) {
    assembled.error = "--r-http-allow, --r-http-deny: " + policy.error().message;
    return assembled;
  }
  http_fetch::Options fetch;
  fetch.max_in_flight = options.http_max_requests;
  fetch.max_in_flight_per_host = std::max<std::size_t>(1, options.http_max_requests / 2);
  fetch.max_body_bytes = options.http_max_body_mb << 20;
  fetch.max_buffered_bytes = std::max(fetch.max_buffered_bytes, fetch.max_body_bytes);
  fetch.address_policy = std::move(*policy);
  fetch.proxy = options.http_proxy;
  auto fetcher = http_fetch::Fetcher::create(std::move(fetch));
  if (!fetcher) {
    assembled.error = "r.http cannot start: " + fetcher.error().message;
    return assembled;
  }

  storage::DatabaseOptions database_options;
  database_options.engine.directory = options.directory;
  database_options.engine.create = create;
  database_options.engine.log_retention_seconds = options.commit_log_hours * 3600;
  database_options.engine.log_retention_bytes = options.commit_log_mb << 20;
  database_options.engine.on_failure = [](const std::optional<storage::Error>& failure) {
    if (!failure) {
      log::notice("writes are possible again");
    } else if (failure->kind == storage::ErrorKind::kDiskFull) {
      log::error("writes are refused as long as the disk is full: {}", failure->message);
    } else {
      log::error("writes have stopped, until the server is started again: {}", failure->message);
    }
  };
  database_options.index_functions = reql::index_function_factory();
  if (options.change_log_seconds > 0) {
    database_options.change_log =
        storage::ChangeLogLimits{options.change_log_seconds, options.change_log_mb << 20};
  }
  auto database = storage::Database::open(std::move(database_options));
  if (!database) {
    assembled.error =
        "Cannot open the data directory '" + options.directory + "': " + database.error().message;
    return assembled;
  }
  if (options.initial_password_given) {
    assembled.error = set_initial_password(**database, options, assembled.generated_password);
    if (!assembled.error.empty()) return assembled;
  }
  assembled.error = keep_settings(**database, options, assembled.warnings);
  if (!assembled.error.empty()) return assembled;

  reql::EngineOptions engine{.server_name = reql::ServerName(options.server_name)};
  engine.server_name.reload(**database);
  engine.server_id = (*database)->id();
  engine.worker_threads = worker_threads;
  engine.driver_port = ports.driver;
  engine.http_port = ports.http;
  engine.query_memory_bytes = options.query_memory_mb << 20;
  assembled.database = database->get();
  js::Options javascript;
  javascript.worker_path = javascript_worker_path();
  javascript.workers = std::max(2u, worker_threads);
  assembled.host = std::make_unique<ReqlHost>(std::move(*database), std::move(*fetcher),
                                              std::move(javascript), std::move(engine));
  return assembled;
}

}  // namespace reqld::server
