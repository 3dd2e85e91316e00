// What the operator can set: on the command line, in a configuration file, or both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reqld::config {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kNotice, kWarn, kError };

/// TLS of one port. The port speaks in clear when there is no key. All files are PEM.
struct TlsSettings {
  std::string key_file;
  std::string cert_file;  ///< the certificate, and the chain above it
  std::string ca_file;    ///< not empty: clients must show a certificate that one of these has signed
  std::string min_protocol = "TLSv1.2";
  std::string ciphers;     ///< OpenSSL's notation, for up to TLSv1.2; empty: OpenSSL's choice
  std::string ecdh_curve;  ///< one or several with colons between; empty: OpenSSL's choice
  std::string dhparams_file;

  bool enabled() const { return !key_file.empty(); }
};

/// The settings of `serve`, with their defaults. Names are RethinkDB's where it has the setting.
struct Options {
  // Files
  std::string directory = "reqld_data";
  std::string log_file;    ///< empty: `log_file` in the directory
  std::string pid_file;    ///< empty: none
  std::string ports_file;  ///< empty: none; else gets `driver=PORT` and `http=PORT` once the server listens

  // Network. Addresses are numeric, `localhost` (127.0.0.1, and ::1 where there is one), or `all`.
  std::vector<std::string> driver_addresses = {"localhost"};
  std::vector<std::string> http_addresses = {"localhost"};
  std::uint16_t driver_port = 28015;  ///< 0: any free one. The offset is added already.
  std::uint16_t http_port = 8080;
  bool http_admin = true;
  TlsSettings driver_tls;
  TlsSettings http_tls;

  // Identity
  std::string server_name;  ///< from the machine's host name unless given
  bool server_name_given = false;
  std::vector<std::string> server_tags = {"default"};
  bool server_tags_given = false;
  std::optional<std::uint64_t> cache_size_mb;  ///< for server_config to show; nothing: "auto"
  bool cache_size_given = false;
  std::string initial_password;  ///< for a new directory; `auto`: a random one is printed
  bool initial_password_given = false;

  // Change logs, of tables that do not say themselves
  double change_log_seconds = 0;  ///< 0: none is kept
  std::uint64_t change_log_mb = 1024;

  // Process
  bool daemon = false;
  std::string run_user;  ///< empty: as started
  std::string run_group;
  unsigned cores = 0;               ///< 0: as many as there are
  double commit_log_hours = 0;      ///< the commit log is kept for so long, for restores to a point in time
  std::uint64_t commit_log_mb = 0;  ///< but no more than this; 0: no limit of its own
  LogLevel log_level = LogLevel::kInfo;

  // Limits of connections
  std::uint32_t max_connections = 100'000;
  std::uint32_t max_queries_per_connection = 1024;
  std::uint32_t max_cursors_per_connection = 100'000;
  std::uint64_t query_memory_mb = 1024;

  // r.http
  std::vector<std::string> http_allow;  ///< CIDR; see http_fetch::AddressPolicy
  std::vector<std::string> http_deny;
  std::string http_proxy;  ///< `[protocol://]host[:port]`
  std::uint32_t http_max_requests = 1024;
  std::uint64_t http_max_body_mb = 64;

  /// Settings that were accepted without effect, each a sentence for the log.
  std::vector<std::string> notes;
};

/// What the command line asks for.
enum class Command : std::uint8_t {
  kServe,  ///< serve `options`, making the directory when there is none (no subcommand, as with RethinkDB)
  kServeExisting,  ///< `serve`: only an existing directory
  kCreate,         ///< `create`: make the directory and end
  kHelp,
  kVersion,
  kOther,  ///< a subcommand of its own: `name` and `arguments`
};

struct CommandLine {
  Command command = Command::kServe;
  Options options;
  std::string name;                    ///< of kOther; the topic of kHelp
  std::vector<std::string> arguments;  ///< of kOther
  std::string error;                   ///< for the operator; not empty: the rest is of no meaning
};

/// `arguments` without the program's name. Reads the configuration file that they name. `other_commands` are
/// the subcommands that somebody else parses the arguments of. The command line wins over the file.
CommandLine parse_command_line(const std::vector<std::string>& arguments,
                               const std::vector<std::string>& other_commands = {});

/// The text of `--help`. `other_commands`: lines about the subcommands that somebody else parses.
std::string help_text(const std::string& other_commands = {});

}  // namespace reqld::config
