#include "config/options.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <stdexcept>

namespace reqld::config {
namespace {

namespace po = boost::program_options;

/// Ends the parsing; its text is for the operator.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Text = std::string;
using Texts = std::vector<std::string>;

/// Settings that reqld acts on.
po::options_description supported() {
  po::options_description files("File options");
  files.add_options()                                                                             //
      ("directory,d", po::value<Text>(), "the data directory (default: reqld_data)")              //
      ("log-file", po::value<Text>(), "the log file (default: log_file in the data directory)")   //
      ("pid-file", po::value<Text>(), "a file to write the process id to while running")          //
      ("ports-file", po::value<Text>(), "a file to write the ports to, once the server listens")  //
      ("config-file", po::value<Text>(), "a file with more options, one `name=value` a line");
  po::options_description network("Network options");
  network.add_options()  //
      ("bind", po::value<Texts>(),
       "an address to listen on besides the loopback ones, or `all`; repeatable")                   //
      ("bind-driver", po::value<Texts>(), "the same for drivers only; overrides --bind")            //
      ("bind-http", po::value<Texts>(), "the same for HTTP only; overrides --bind")                 //
      ("no-default-bind", "do not listen on the loopback addresses unless told so")                 //
      ("driver-port", po::value<Text>(), "the port for drivers (default: 28015; 0: any free one)")  //
      ("http-port", po::value<Text>(),
       "the port for HTTP: status page, /health, /metrics (default: 8080; 0: any)")             //
      ("no-http-admin", "do not serve HTTP")                                                    //
      ("port-offset,o", po::value<Text>(), "added to all ports (default: 0)")                   //
      ("max-connections", po::value<Text>(), "driver connections at a time (default: 100000)")  //
      ("max-queries-per-connection", po::value<Text>(),
       "queries running at a time on one connection (default: 1024)")  //
      ("max-cursors-per-connection", po::value<Text>(),
       "open cursors and changefeeds on one connection (default: 100000)");
  po::options_description tls("TLS options (files are PEM)");
  tls.add_options()                                                                                     //
      ("driver-tls-key", po::value<Text>(), "the key of the driver port, which then speaks TLS")        //
      ("driver-tls-cert", po::value<Text>(), "its certificate, with the chain above it")                //
      ("driver-tls-ca", po::value<Text>(), "drivers must show a certificate signed by one of these")    //
      ("http-tls-key", po::value<Text>(), "the key of the HTTP port, which then speaks HTTPS")          //
      ("http-tls-cert", po::value<Text>(), "its certificate, with the chain above it")                  //
      ("tls-min-protocol", po::value<Text>(), "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3 (default: TLSv1.2)")  //
      ("tls-ciphers", po::value<Text>(), "the ciphers to use, in OpenSSL's notation")                   //
      ("tls-ecdh-curve", po::value<Text>(), "the curves to use, in OpenSSL's notation")                 //
      ("tls-dhparams", po::value<Text>(), "a file with Diffie-Hellman parameters");
  po::options_description process("Server options");
  process.add_options()                                                                   //
      ("server-name,n", po::value<Text>(), "the server's name, for a directory without one (default: the machine's)")  //
      ("server-tag,t", po::value<Texts>(), "a tag of this server, for a directory without; repeatable")  //
      ("initial-password", po::value<Text>(),
       "the password of `admin` in a new directory; `auto` prints a random one")                            //
      ("cores,c", po::value<Text>(), "how many cores to use (default: all)")                                //
      ("query-memory", po::value<Text>(), "megabytes that the values of a query may take (default: 1024)")  //
      ("commit-log-hours", po::value<Text>(),
       "keep the log of commits for so long, so that `reqld restore` can go on from a backup to a point in "
       "time "
       "(default: 0)")  //
      ("commit-log-size", po::value<Text>(),
       "but no more than so many megabytes of it (default: no limit)")  //
      ("change-log-seconds", po::value<Text>(),
       "keep the changes of every table for so long, for feeds that resume (default: only where a table asks "
       "for it)")  //
      ("change-log-size", po::value<Text>(),
       "megabytes of changes that a table keeps at most (default: 1024)")  //
      ("daemon", "go to the background")                                   //
      ("runuser", po::value<Text>(), "run as this user")                   //
      ("rungroup", po::value<Text>(), "run with this group")               //
      ("log-level", po::value<Text>(), "debug, info, notice, warn or error (default: info)");
  po::options_description http("Options of r.http");
  http.add_options()  //
      ("r-http-allow", po::value<Texts>(),
       "addresses that may be fetched from, as CIDR (10.1.0.0/16); repeatable")  //
      ("r-http-deny", po::value<Texts>(),
       "addresses that may not; the longest match of both lists decides")                         //
      ("reql-http-proxy", po::value<Text>(), "a proxy for r.http: [protocol://]host[:port]")      //
      ("r-http-max-requests", po::value<Text>(), "requests under way at a time (default: 1024)")  //
      ("r-http-max-body", po::value<Text>(), "megabytes of a response (default: 64)");
  po::options_description help("Help options");
  help.add_options()("help,h", "print this")("version,v", "print the version");
  po::options_description all;
  return all.add(files).add(network).add(tls).add(process).add(http).add(help);
}

struct Foreign {
  const char* name;
  bool takes_value;
  const char* note;  ///< why it has no effect; null: it is refused, see refusal()
};

/// Settings of RethinkDB that reqld knows of but does not act on.
constexpr Foreign kForeign[] = {
    {"cache-size", true,
     "cache-size has no effect but to be shown in rethinkdb.server_config: reqld reads through the page cache of the operating "
     "system, which takes what memory is free"},
    {"io-threads", true, "io-threads has no effect: reqld has one writer, and reads from mapped memory"},
    {"direct-io", false, "direct-io has no effect"},
    {"no-update-check", false, nullptr},
    {"web-static-directory", true, "web-static-directory has no effect: the status page is built in"},
    {"cluster-port", true, "cluster-port has no effect: reqld is a single server"},
    {"bind-cluster", true, "bind-cluster has no effect: reqld is a single server"},
    {"canonical-address", true, "canonical-address has no effect: reqld is a single server"},
    {"cluster-tls-key", true, "cluster-tls-key has no effect: reqld is a single server"},
    {"cluster-tls-cert", true, "cluster-tls-cert has no effect: reqld is a single server"},
    {"cluster-tls-ca", true, "cluster-tls-ca has no effect: reqld is a single server"},
    {"cluster-reconnect-timeout", true, "cluster-reconnect-timeout has no effect: reqld is a single server"},
};

po::options_description make_everything() {
  po::options_description all = supported();
  po::options_description foreign;
  for (const Foreign& option : kForeign) {
    if (option.takes_value) {
      foreign.add_options()(option.name, po::value<Texts>(), "");
    } else {
      foreign.add_options()(option.name, "");
    }
  }
  foreign.add_options()("join,j", po::value<Texts>(), "");
  return all.add(foreign);
}

/// Parsed options refer to it.
const po::options_description& everything() {
  static const po::options_description all = make_everything();
  return all;
}

po::parsed_options parse(const Texts& arguments) {
  using namespace po::command_line_style;
  return po::command_line_parser(arguments)
      .options(everything())
      .positional(po::positional_options_description())
      .style(unix_style & ~allow_guessing)
      .run();
}

/// What is wrong with the arguments. Boost fills in names at places like %option%, and then again in what it
/// has filled in: for ever, when an argument has such a place.
std::string reason(const std::exception& error, const Texts& arguments) {
  constexpr const char* kPlaces[] = {"%option%", "%canonical_option%", "%original_token%", "%prefix%",
                                     "%value%"};
  const auto bad = std::find_if(arguments.begin(), arguments.end(), [&](const Text& argument) {
    return std::any_of(std::begin(kPlaces), std::end(kPlaces),
                       [&](const char* place) { return argument.find(place) != Text::npos; });
  });
  const bool of_boost = dynamic_cast<const po::error_with_option_name*>(&error) != nullptr;
  return of_boost && bad != arguments.end() ? fmt::format("cannot understand '{}'", *bad) : error.what();
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// A configuration file is the long options of the command line, one a line, without the dashes.
void read_file(const std::string& file_name, po::variables_map& values) {
  std::ifstream file(file_name);
  if (!file) throw Refusal(fmt::format("Cannot read the configuration file '{}'.", file_name));
  Texts arguments;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    std::string text = trimmed(line);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t'))
        text = trimmed(text.substr(0, i));
    }
    if (text.empty()) continue;
    const std::size_t equals = text.find('=');
    std::string argument = "--" + trimmed(text.substr(0, equals));
    if (equals != std::string::npos) argument += "=" + trimmed(text.substr(equals + 1));
    try {
      // Line by line first, so that an error can tell which.
      po::variables_map ignored;
      po::store(parse({argument}), ignored);
      if (ignored.count("config-file") != 0)
        throw Refusal("config-file cannot be set in a configuration file");
    } catch (const std::exception& error) {
      throw Refusal(fmt::format("{}:{}: {}.", file_name, number, reason(error, {argument})));
    }
    arguments.push_back(argument);
  }
  // Values that are there already stay: the command line has been stored before.
  po::store(parse(arguments), values);
}

std::optional<std::int64_t> number_within(const Text& text, std::int64_t least, std::int64_t most) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

template <typename Number>
void set_number(const po::variables_map& values, const char* name, Number& number, std::int64_t least,
                std::int64_t most) {
  if (values.count(name) == 0) return;
  const auto& text = values[name].as<Text>();
  const auto value = number_within(text, least, most);
  if (!value) throw Refusal(fmt::format("--{} must be a number from {} to {}, not '{}'.", name, least, most, text));
  number = static_cast<Number>(*value);
}

void set_text(const po::variables_map& values, const char* name, std::string& text) {
  if (values.count(name) == 0) return;
  text = values[name].as<Text>();
  if (text.empty() && std::string_view(name) != "initial-password")
    throw Refusal(fmt::format("--{} must not be empty.", name));
}

void set_addresses(const po::variables_map& values, const char* own_name, Texts& addresses) {
  const char* const name = values.count(own_name) != 0 ? own_name : "bind";
  const bool by_default = values.count("no-default-bind") == 0;
  addresses.clear();
  if (by_default) addresses.emplace_back("localhost");
  if (values.count(name) != 0) {
    for (const auto& address : values[name].as<Texts>()) {
      if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
        addresses.push_back(address);
    }
  }
  if (addresses.empty())
    throw Refusal("--no-default-bind leaves no address to listen on: name one with --bind.");
}

std::uint16_t with_offset(std::uint16_t port, int offset) {
  if (port == 0) return 0;
  if (port + offset > std::numeric_limits<std::uint16_t>::max()) {
    throw Refusal(fmt::format("Port {} with the offset {} is beyond the last port, 65535.", port, offset));
  }
  return static_cast<std::uint16_t>(port + offset);
}

/// `port`: driver or http.
TlsSettings tls_settings(const po::variables_map& values, const std::string& port) {
  TlsSettings tls;
  const auto name = [&](const char* part) { return port + "-tls-" + part; };
  set_text(values, name("key").c_str(), tls.key_file);
  set_text(values, name("cert").c_str(), tls.cert_file);
  if (tls.key_file.empty() != tls.cert_file.empty())
    throw Refusal(fmt::format("--{} and --{} must be given together.", name("key"), name("cert")));
  if (port == "driver") set_text(values, "driver-tls-ca", tls.ca_file);
  if (!tls.ca_file.empty() && !tls.enabled())
    throw Refusal("--driver-tls-ca wants --driver-tls-key and --driver-tls-cert too.");
  set_text(values, "tls-min-protocol", tls.min_protocol);
  constexpr std::string_view kProtocols[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
  if (std::find(std::begin(kProtocols), std::end(kProtocols), tls.min_protocol) == std::end(kProtocols)) {
    throw Refusal(fmt::format("--tls-min-protocol must be TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3, not '{}'.",
                              tls.min_protocol));
  }
  set_text(values, "tls-ciphers", tls.ciphers);
  set_text(values, "tls-ecdh-curve", tls.ecdh_curve);
  set_text(values, "tls-dhparams", tls.dhparams_file);
  return tls;
}

LogLevel parse_level(const std::string& text) {
  constexpr const char* kNames[] = {"debug", "info", "notice", "warn", "error"};
  for (int i = 0; i < 5; ++i) {
    if (text == kNames[i]) return static_cast<LogLevel>(i);
  }
  throw Refusal(fmt::format("--log-level must be debug, info, notice, warn or error, not '{}'.", text));
}

bool is_name(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

std::string machine_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  std::string text = name;
  for (char& c : text) {
    if (!is_name({c}) || c == '.') c = '_';
  }
  return text.empty() ? "reqld" : text;
}

void require_name(std::string_view option, const std::string& text) {
  if (!is_name(text)) throw Refusal(fmt::format("--{} may have letters, digits, '_', '-' and '.' only: '{}'.", option, text));
}

std::optional<std::uint64_t> parse_cache_size(const std::string& text) {
  if (text == "auto") return std::nullopt;
  const auto size = number_within(text, 0, 1 << 30);
  if (!size) throw Refusal(fmt::format("--cache-size must be a number of megabytes or 'auto', not '{}'.", text));
  return static_cast<std::uint64_t>(*size);
}

void note_foreign(const po::variables_map& values, Options& options) {
  if (values.count("join") != 0) throw Refusal("--join: reqld is a single server and cannot join a cluster.");
  for (const Foreign& option : kForeign) {
    if (values.count(option.name) != 0 && option.note != nullptr) options.notes.emplace_back(option.note);
  }
}

Options interpret(const po::variables_map& values) {
  constexpr std::int64_t kMany = 1'000'000'000;
  Options options;
  note_foreign(values, options);
  set_text(values, "directory", options.directory);
  set_text(values, "log-file", options.log_file);
  set_text(values, "pid-file", options.pid_file);
  set_text(values, "ports-file", options.ports_file);
  set_addresses(values, "bind-driver", options.driver_addresses);
  set_addresses(values, "bind-http", options.http_addresses);
  int offset = 0;
  set_number(values, "port-offset", offset, 0, 65535);
  set_number(values, "driver-port", options.driver_port, 0, 65535);
  set_number(values, "http-port", options.http_port, 0, 65535);
  options.driver_port = with_offset(options.driver_port, offset);
  options.http_port = with_offset(options.http_port, offset);
  options.http_admin = values.count("no-http-admin") == 0;
  options.driver_tls = tls_settings(values, "driver");
  options.http_tls = tls_settings(values, "http");
  set_number(values, "max-connections", options.max_connections, 1, kMany);
  set_number(values, "max-queries-per-connection", options.max_queries_per_connection, 1, kMany);
  set_number(values, "max-cursors-per-connection", options.max_cursors_per_connection, 1, kMany);

  options.server_name = machine_name();
  options.server_name_given = values.count("server-name") != 0;
  set_text(values, "server-name", options.server_name);
  require_name("server-name", options.server_name);
  options.server_tags_given = values.count("server-tag") != 0;
  if (options.server_tags_given) {
    for (const std::string& tag : values["server-tag"].as<Texts>()) {
      require_name("server-tag", tag);
      if (std::find(options.server_tags.begin(), options.server_tags.end(), tag) == options.server_tags.end())
        options.server_tags.push_back(tag);
    }
  }
  options.cache_size_given = values.count("cache-size") != 0;
  if (options.cache_size_given) options.cache_size_mb = parse_cache_size(values["cache-size"].as<Texts>().back());
  options.initial_password_given = values.count("initial-password") != 0;
  set_text(values, "initial-password", options.initial_password);
  set_number(values, "cores", options.cores, 1, 1024);
  set_number(values, "query-memory", options.query_memory_mb, 1, kMany);
  set_number(values, "commit-log-hours", options.commit_log_hours, 0, 1'000'000);
  set_number(values, "commit-log-size", options.commit_log_mb, 1, kMany);
  set_number(values, "change-log-seconds", options.change_log_seconds, 1, kMany);
  set_number(values, "change-log-size", options.change_log_mb, 1, kMany);
  options.daemon = values.count("daemon") != 0;
  set_text(values, "runuser", options.run_user);
  set_text(values, "rungroup", options.run_group);
  if (values.count("log-level") != 0) options.log_level = parse_level(values["log-level"].as<Text>());

  if (values.count("r-http-allow") != 0) options.http_allow = values["r-http-allow"].as<Texts>();
  if (values.count("r-http-deny") != 0) options.http_deny = values["r-http-deny"].as<Texts>();
  set_text(values, "reql-http-proxy", options.http_proxy);
  set_number(values, "r-http-max-requests", options.http_max_requests, 1, kMany);
  set_number(values, "r-http-max-body", options.http_max_body_mb, 1, kMany);
  return options;
}

CommandLine parse_or_throw(Texts arguments, const Texts& other_commands) {
  CommandLine line;
  if (!arguments.empty() && !arguments.front().starts_with("-")) {
    const std::string command = arguments.front();
    arguments.erase(arguments.begin());
    if (command == "serve") {
      line.command = Command::kServeExisting;
    } else if (command == "create") {
      line.command = Command::kCreate;
    } else if (command == "help") {
      line.command = Command::kHelp;
      if (!arguments.empty()) line.name = arguments.front();
      return line;
    } else if (std::find(other_commands.begin(), other_commands.end(), command) != other_commands.end()) {
      line.command = Command::kOther;
      line.name = command;
      line.arguments = std::move(arguments);
      return line;
    } else {
      throw Refusal(fmt::format("Unknown command '{}'. `reqld help` lists what there is.", command));
    }
  }
  po::variables_map values;
  po::store(parse(arguments), values);
  if (values.count("help") != 0) {
    line.command = Command::kHelp;
  } else if (values.count("version") != 0) {
    line.command = Command::kVersion;
  } else {
    if (values.count("config-file") != 0) read_file(values["config-file"].as<Text>(), values);
    line.options = interpret(values);
  }
  return line;
}

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments,
                               const std::vector<std::string>& other_commands) {
  try {
    return parse_or_throw(arguments, other_commands);
  } catch (const Refusal& refusal) {
    CommandLine line;
    line.error = refusal.what();
    return line;
  } catch (const po::error& error) {
    CommandLine line;
    line.error = fmt::format("{}. `reqld help` lists the options.", reason(error, arguments));
    line.error.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(line.error.front())));
    return line;
  }
}

std::string help_text(const std::string& other_commands) {
  std::ostringstream text;
  text << "Usage: reqld [COMMAND] [OPTIONS]\n\n"
          "Commands:\n"
          "  (none)   serve the data directory; make it when there is none\n"
          "  serve    serve an existing data directory\n"
          "  create   make a data directory and end\n"
          "  help     print this; `reqld help COMMAND` tells more of one\n"
       << other_commands << supported()
       << "\nOptions can also be given in a file, one `name=value` a line: see --config-file.\n"
          "RethinkDB's options that have no effect here are accepted; the log says so.\n";
  return text.str();
}

}  // namespace reqld::config
