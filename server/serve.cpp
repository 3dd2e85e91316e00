#include "server/serve.hpp"

#include <fmt/core.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "reql/index_definition.hpp"
#include "server/admin_http.hpp"
#include "server/assembly.hpp"
#include "server/control.hpp"
#include "server/listener.hpp"
#include "server/log.hpp"
#include "server/metrics.hpp"
#include "server/process.hpp"
#include "server/server.hpp"
#include "server/tls.hpp"

namespace reqld::server {
namespace {

constexpr std::chrono::milliseconds kGrace{1500};      // for queries to finish by themselves
constexpr std::chrono::milliseconds kStopLimit{4000};  // then the process ends without them

unsigned available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

ServerOptions server_options(const config::Options& options, unsigned cores) {
  ServerOptions server;
  server.reactors = cores;
  server.workers = cores;
  server.max_connections = options.max_connections;
  server.max_running_per_connection = options.max_queries_per_connection;
  server.max_open_per_connection = options.max_cursors_per_connection;
  return server;
}

int fail(const std::string& text) {
  log::error("{}", text);
  log::close();
  return 1;
}

/// A file that is there while the server runs.
class RunFile {
 public:
  RunFile() = default;
  RunFile(const RunFile&) = delete;
  RunFile& operator=(const RunFile&) = delete;
  ~RunFile() {
    if (!name_.empty()) unlink(name_.c_str());
  }
  /// An error text, or nothing.
  std::string write(const std::string& name, const std::string& text) {
    if (name.empty()) return {};
    std::string error = write_file(name, text);
    if (error.empty()) name_ = std::filesystem::absolute(name);
    return error;
  }

 private:
  std::string name_;
};

}  // namespace

int serve(const config::Options& options, bool create) {
  if (options.log_level > config::LogLevel::kInfo || options.log_level == config::LogLevel::kDebug) {
    log::open({.level = static_cast<log::Level>(options.log_level)});
  }
  // Ports first: some need root, and a port in use is the commonest mistake.
  auto driver = ListeningSocket::open(options.driver_addresses, options.driver_port);
  if (!driver.error.empty()) return fail(driver.error);
  ListeningSocket::Opened http;
  if (options.http_admin) {
    http = ListeningSocket::open(options.http_addresses, options.http_port);
    if (!http.error.empty()) return fail(http.error);
  }
  // The keys too may be for root only.
  const auto driver_tls = TlsContext::load(options.driver_tls);
  if (!driver_tls.error.empty()) return fail(driver_tls.error);
  const auto http_tls = TlsContext::load(options.http_tls);
  if (!http_tls.error.empty()) return fail(http_tls.error);
  std::function<void()> ready = [] {};
  if (options.daemon) {
    if (const std::string error = go_to_background(ready); !error.empty()) return fail(error);
  }
  RunFile pid_file;
  if (const std::string error = pid_file.write(options.pid_file, fmt::format("{}\n", getpid()));
      !error.empty())
    return fail(error);
  if (const std::string error = change_user(options.run_user, options.run_group); !error.empty())
    return fail(error);
  keep_freed_memory();
  const std::size_t files = raise_file_limit();
  hold_signals();

  const unsigned cores = options.cores != 0 ? options.cores : available_cores();
  const std::uint16_t driver_port = driver.sockets.front().port();
  BoundPorts bound{.driver = driver_port, .http = {}};
  if (!http.sockets.empty()) bound.http = http.sockets.front().port();
  Assembled assembled = assemble(options, create, cores, bound);
  if (!assembled.error.empty()) return fail(assembled.error);
  // Not before the directory is known to be ours: another server may be writing its log there.
  const std::string log_file = options.log_file.empty()
                                   ? (std::filesystem::path(options.directory) / "log_file").string()
                                   : options.log_file;
  if (const std::string error = log::open(
          {.level = static_cast<log::Level>(options.log_level), .to_stderr = true, .file = log_file});
      !error.empty()) {
    return fail("Cannot open the log file: " + error);
  }
  log::notice("reqld {} serves '{}' as '{}' with {} cores", REQLD_VERSION,
              std::filesystem::absolute(options.directory).string(), assembled.host->server_name(), cores);
  for (const auto& note : options.notes) log::info("{}", note);
  for (const auto& warning : assembled.warnings) log::warn("{}", warning);
  if (files < options.max_connections + 100) {
    log::info("the system allows {} open files, so fewer than {} connections fit", files,
              options.max_connections);
  }
  if (!assembled.generated_password.empty()) {
    fmt::print("The password of `admin` is {}\n", assembled.generated_password);
    std::fflush(stdout);
  }

  const auto identity = [&host = *assembled.host, started = std::chrono::system_clock::now()] {
    return ServerIdentity{
        .name = host.server_name(), .id = host.server_id(), .version = REQLD_VERSION, .started = started};
  };
  std::string control_error;
  auto control =
      Control::open(options.directory, *assembled.database, reql::index_function_factory(), control_error);
  if (control == nullptr) log::warn("{} Backups need the server to be stopped.", control_error);
  std::atomic<bool> serving{true};
  Server server(server_options(options, cores), *assembled.host);
  std::string ports = fmt::format("driver={}\n", driver_port);
  for (const auto& socket : driver.sockets) log::debug("driver port open at {}", socket.address());
  server.listen(std::move(driver.sockets), driver_tls.context);
  log::notice("Listening for client driver connections on port {}", driver_port);
  std::optional<AdminHttp> admin;
  if (bound.http) {
    ports += fmt::format("http={}\n", *bound.http);
    admin.emplace(std::move(http.sockets),
                  AdminHttp::Content{.page = [&] { return status_page(server.counters(), identity()); },
                                     .metrics = [&] { return metrics_text(server.counters(), identity()); },
                                     .healthy = [&] { return serving.load(); }},
                  http_tls.context);
    log::notice("Listening for administrative HTTP connections on port {}", *bound.http);
  }
  RunFile ports_file;
  if (const std::string error = ports_file.write(options.ports_file, ports); !error.empty())
    log::error("{}", error);
  if (options.daemon) {
    ready();
    log::open({.level = static_cast<log::Level>(options.log_level), .to_stderr = false, .file = log_file});
  }

  for (int signal; (signal = wait_for_signal()) == SIGHUP;) {
    log::reopen();
    log::info("opened the log file again");
  }
  let_signals_kill();
  log::notice("stopping");
  serving = false;
  control.reset();
  const bool stopped = server.stop(kGrace, kStopLimit);
  if (!stopped) {
    // Whatever runs still uses the database, so it cannot be closed. What was acknowledged is on disk.
    log::error("some queries did not end; going without them");
    log::close();
    _exit(1);
  }
  admin.reset();
  assembled.host.reset();
  log::notice("stopped");
  log::close();
  return 0;
}

}  // namespace reqld::server
