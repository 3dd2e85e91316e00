#include "server/data_commands.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/program_options.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "reql/index_definition.hpp"
#include "server/control.hpp"
#include "server/progress_bar.hpp"
#include "storage/tools/backup.hpp"
#include "storage/tools/check.hpp"

namespace reqld::server {
namespace {

namespace po = boost::program_options;
using storage::Result;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kNotUnderstood = 2;

/// Ends a command; its text is for the operator.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void fail(const storage::Error& error) {
  throw Failure(error.message.ends_with('.') ? error.message : error.message + ".");
}

/// The arguments of one subcommand.
struct Arguments {
  po::variables_map values;
  std::string text(const char* name) const {
    return values.count(name) != 0 ? values[name].as<std::string>() : "";
  }
  bool has(const char* name) const { return values.count(name) != 0; }
};

/// Parses, answers --help, and turns what goes wrong into an exit status.
int run_command(const std::vector<std::string>& arguments, const std::string& usage,
                po::options_description options, const std::vector<const char*>& positional,
                int (*body)(const Arguments&)) {
  options.add_options()("help,h", "print this");
  po::options_description all = options;
  po::positional_options_description places;
  for (const char* name : positional) {
    if (options.find_nothrow(name, false) == nullptr) all.add_options()(name, po::value<std::string>(), "");
    places.add(name, 1);
  }
  Arguments parsed;
  try {
    using namespace po::command_line_style;
    po::store(po::command_line_parser(arguments)
                  .options(all)
                  .positional(places)
                  .style(unix_style & ~allow_guessing)
                  .run(),
              parsed.values);
  } catch (const po::error& error) {
    fmt::print(stderr, "reqld: {}. Try --help.\n", error.what());
    return kNotUnderstood;
  }
  if (parsed.has("help")) {
    std::ostringstream text;
    text << usage << "\n" << options;
    fmt::print("{}", text.str());
    return kDone;
  }
  // A reader that goes away is an error of the write, with a text.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return body(parsed);
  } catch (const Failure& failure) {
    fmt::print(stderr, "reqld: {}\n", failure.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "reqld: {}\n", error.what());
  }
  return kFailed;
}

std::string directory_of(const Arguments& arguments) {
  const std::string directory = arguments.has("directory") ? arguments.text("directory") : "reqld_data";
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error))
    throw Failure(fmt::format("There is no directory '{}'.", directory));
  return directory;
}

void add_directory(po::options_description& options) {
  options.add_options()("directory,d", po::value<std::string>(), "the data directory (default: reqld_data)");
}

/// The connection to the server that runs on a directory.
class ServerConnection {
 public:
  explicit ServerConnection(const std::string& directory) {
    std::string error;
    fd_ = connect_control(directory, error);
    if (!error.empty()) throw Failure(error);
  }
  ~ServerConnection() {
    if (fd_ >= 0) close(fd_);
  }
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  bool connected() const { return fd_ >= 0; }
  storage::ByteSource source() const {
    return storage::descriptor_source(fd_, "the connection to the server");
  }
  void request(const char* line) const {
    if (const auto sent = storage::descriptor_sink(fd_, "the connection to the server")(line); !sent)
      fail(sent.error());
  }
  /// Without its end; nullopt when there is none any more.
  std::optional<std::string> read_line() {
    for (;;) {
      if (const auto end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      char bytes[4096];
      const auto got = source()(bytes, sizeof bytes);
      if (!got) fail(got.error());
      if (*got == 0) return std::nullopt;
      buffer_.append(bytes, *got);
    }
  }

 private:
  int fd_ = -1;
  std::string buffer_;
};

// ---------------------------------------------------------------- check

storage::CheckReport check_running(ServerConnection& server, ProgressBar& bar) {
  storage::CheckReport report;
  server.request("check\n");
  while (auto line = server.read_line()) {
    if (line->starts_with("finding ")) {
      report.findings.push_back(line->substr(8));
    } else if (line->starts_with("progress ")) {
      std::istringstream in(line->substr(9));
      std::uint64_t done = 0, total = 0;
      in >> done >> total;
      bar.show(done, total);
    } else if (line->starts_with("error ")) {
      throw Failure(line->substr(6));
    } else if (decode_report(*line, report)) {
      return report;
    }
  }
  throw Failure("The server ended before the check did.");
}

/// A directory of our own, gone at the end.
class Scratch {
 public:
  explicit Scratch(const std::string& parent) : path_(parent + "/reqld-check-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) {
      throw Failure(fmt::format("Cannot make a directory in '{}': {}.", parent, std::strerror(errno)));
    }
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

storage::CheckReport check_directory(const std::string& directory) {
  ProgressBar bar("checking", ProgressBar::Unit::kRows);
  ServerConnection server(directory);
  if (server.connected()) return check_running(server, bar);
  storage::CheckOptions options;
  options.index_functions = reql::index_function_factory();
  options.progress = [&](const std::string&, std::uint64_t done, std::uint64_t total) {
    bar.show(done, total);
  };
  auto report = storage::check_directory(directory, options);
  bar.clear();
  if (!report) fail(report.error());
  return std::move(*report);
}

storage::CheckReport check_backup(const std::string& path, const std::string& temporary) {
  const Scratch scratch(temporary);
  ProgressBar bar("reading", ProgressBar::Unit::kBytes);
  storage::RestoreOptions options;
  options.progress = [&](std::uint64_t done, std::uint64_t total) { bar.show(done, total); };
  const auto restored = storage::restore_from_path(path, scratch.path() + "/data", options);
  bar.clear();
  if (!restored) fail(restored.error());
  return check_directory(scratch.path() + "/data");
}

int check(const Arguments& arguments) {
  const std::string path = arguments.has("directory") ? arguments.text("directory") : "reqld_data";
  struct stat info {};
  if (path != "-" && stat(path.c_str(), &info) != 0)
    throw Failure(fmt::format("'{}': {}.", path, std::strerror(errno)));
  const char* const temporary = std::getenv("TMPDIR");
  const storage::CheckReport report = path != "-" && S_ISDIR(info.st_mode)
                                          ? check_directory(path)
                                          : check_backup(path, arguments.has("temp")  ? arguments.text("temp")
                                                               : temporary != nullptr ? temporary
                                                                                      : "/tmp");
  for (const auto& finding : report.findings) fmt::print("{}\n", finding);
  if (report.problems > report.findings.size())
    fmt::print("… and {} more.\n", report.problems - report.findings.size());
  fmt::print("{} databases, {} tables, {} indexes, {} rows, {} index entries, {} binaries of {}: {}\n",
             report.dbs, report.tables, report.indexes, report.rows, report.entries, report.blobs,
             readable_bytes(report.blob_bytes),
             report.ok() ? "no problems" : fmt::format("{} PROBLEMS", report.problems));
  return report.ok() ? kDone : kFailed;
}

// ---------------------------------------------------------------- backup, restore, compact

int backup(const Arguments& arguments) {
  if (!arguments.has("target"))
    throw Failure("Where to? Name a file, a directory, or `-` for standard output.");
  const std::string directory = directory_of(arguments);
  const std::string target = arguments.text("target");
  if (target == "-" && isatty(STDOUT_FILENO) != 0)
    throw Failure("A backup is nothing for a terminal: redirect the output, or name a file.");
  ProgressBar bar("backing up", ProgressBar::Unit::kBytes);
  const storage::ToolProgress progress = [&](std::uint64_t done, std::uint64_t total) {
    bar.show(done, total);
  };
  std::string written = target;
  const ServerConnection server(directory);
  const auto totals = server.connected()
                          ? storage::backup_to_path(
                                target,
                                [&](const storage::ByteSink& sink) {
                                  server.request("backup\n");
                                  return storage::relay_backup(server.source(), sink, progress);
                                },
                                &written)
                          : storage::backup_directory(directory, target,
                                                      {.data_directory = {}, .progress = progress}, &written);
  bar.clear();
  if (!totals) fail(totals.error());
  fmt::print(stderr, "Backed up '{}'{} to {}: {} records, {}.\n", directory,
             server.connected() ? " while it is served" : "",
             target == "-" ? "standard output" : "'" + written + "'", totals->keys,
             readable_bytes(totals->bytes));
  return kDone;
}

/// `2026-01-31T15:04:05.5Z`, `2026-01-31 15:04+02:00`; without a zone it is local time. µs since 1970.
std::uint64_t parse_time(const std::string& text) {
  const auto wrong = [&] {
    return Failure(fmt::format(
        "'{}' is no time. Write it as 2026-01-31T15:04:05Z, or 2026-01-31T15:04:05 for local time.", text));
  };
  std::string with_t = text;
  if (with_t.size() > 10 && with_t[10] == ' ') with_t[10] = 'T';
  tm fields{};
  const char* rest = strptime(with_t.c_str(), "%Y-%m-%dT%H:%M", &fields);
  if (rest == nullptr) throw wrong();
  double seconds = 0;
  if (*rest == ':') {
    const char* const from = rest + 1;
    char* end = nullptr;
    seconds = std::strtod(from, &end);
    if (end == from || *from == '-' || *from == '+' || seconds >= 61) throw wrong();
    rest = end;
  }
  std::optional<long> offset_s;
  const std::string zone = rest;
  if (zone == "Z") {
    offset_s = 0;
  } else if (!zone.empty()) {
    int hours = 0, minutes = 0, used = 0;
    char sign = 0;
    if (std::sscanf(zone.c_str(), "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 ||
        used != static_cast<int>(zone.size()) || (sign != '+' && sign != '-')) {
      throw wrong();
    }
    offset_s = (sign == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
  }
  fields.tm_isdst = -1;
  const std::time_t whole = offset_s ? timegm(&fields) - *offset_s : mktime(&fields);
  if (whole < 0) throw wrong();
  return static_cast<std::uint64_t>(whole) * 1'000'000 + static_cast<std::uint64_t>(seconds * 1e6);
}

int restore(const Arguments& arguments) {
  if (!arguments.has("backup")) throw Failure("Which backup? Name its file, or `-` for standard input.");
  const std::string directory = arguments.has("directory") ? arguments.text("directory") : "reqld_data";
  storage::RestoreOptions options;
  options.log_directory = arguments.text("log");
  if (options.log_directory.empty() && (arguments.has("until") || arguments.has("until-commit")))
    throw Failure("--until and --until-commit need --log: the backup itself is of one moment only.");
  if (arguments.has("until")) options.until_time_us = parse_time(arguments.text("until"));
  if (arguments.has("until-commit"))
    options.until_sequence = arguments.values["until-commit"].as<std::uint64_t>();
  ProgressBar bar("restoring", ProgressBar::Unit::kBytes);
  options.progress = [&](std::uint64_t done, std::uint64_t total) { bar.show(done, total); };
  const auto report = storage::restore_from_path(arguments.text("backup"), directory, options);
  bar.clear();
  if (!report) fail(report.error());
  fmt::print(stderr, "Restored '{}': {} records, {}.\n", directory, report->totals.keys,
             readable_bytes(report->totals.bytes));
  if (!options.log_directory.empty())
    fmt::print(stderr, "Then {} commits of the log, up to commit {}.\n", report->log_commits, report->newest);
  return kDone;
}

int compact(const Arguments& arguments) {
  const std::string directory = directory_of(arguments);
  ProgressBar bar("compacting", ProgressBar::Unit::kBytes);
  const auto report = storage::compact_directory(
      directory, [&](std::uint64_t done, std::uint64_t total) { bar.show(done, total); });
  bar.clear();
  if (!report) fail(report.error());
  fmt::print(stderr, "Compacted '{}': {} before, {} now.\n", directory, readable_bytes(report->bytes_before),
             readable_bytes(report->bytes_after));
  return kDone;
}

// ---------------------------------------------------------------- their command lines

int run_check(const std::vector<std::string>& arguments) {
  po::options_description options("Options");
  options.add_options()("directory,d", po::value<std::string>(), "another way to name the data directory")(
      "temp", po::value<std::string>(),
      "where a backup is unpacked to be checked (default: $TMPDIR or /tmp)");
  return run_command(
      arguments,
      "Usage: reqld check [DIRECTORY | BACKUP]\n\n"
      "Verifies everything: the order of keys, each document, indexes against rows, counts, binaries.\n"
      "Says what is wrong, a line each, and ends with status 1 then. Of a directory that a server runs\n"
      "on it checks one snapshot, inside the server; of a backup file (`-`: standard input) it restores\n"
      "a copy first.\n",
      options, {"directory"}, check);
}

int run_backup(const std::vector<std::string>& arguments) {
  po::options_description options("Options");
  add_directory(options);
  return run_command(
      arguments,
      "Usage: reqld backup [-d DIRECTORY] TARGET\n\n"
      "Writes one consistent snapshot of all tables to TARGET: a file, a directory (a file with the date\n"
      "in its name is made there), a named pipe, or `-` for standard output. A server on the directory\n"
      "goes on serving, reads and writes; it must run as the same user, or you must be root.\n\n"
      "    reqld backup -d /var/lib/reqld /backups\n"
      "    reqld backup -d /var/lib/reqld - | zstd | ssh host 'cat > reqld.backup.zst'\n",
      options, {"target"}, backup);
}

int run_restore(const std::vector<std::string>& arguments) {
  po::options_description options("Options");
  add_directory(options);
  options.add_options()(
      "log", po::value<std::string>(),
      "goes on with the commits in the log.* files here: the data directory that the backup is of, or a "
      "copy of them; see --commit-log-hours")(
      "until", po::value<std::string>(),
      "only up to this time, such as 2026-01-31T15:04:05Z; without a zone: local time")(
      "until-commit", po::value<std::uint64_t>(), "only up to this commit");
  return run_command(
      arguments,
      "Usage: reqld restore [-d DIRECTORY] BACKUP\n\n"
      "Makes a data directory, which must be new or empty, from a backup: a file, or `-` for standard "
      "input.\n"
      "Until all is there, no server starts on it; a restore that was interrupted can be repeated.\n\n"
      "    reqld restore -d /var/lib/reqld /backups/reqld-20260131-150405.backup\n"
      "    reqld restore -d new --log /var/lib/reqld --until '2026-01-31 14:59' nightly.backup\n",
      options, {"backup"}, restore);
}

int run_compact(const std::vector<std::string>& arguments) {
  po::options_description options("Options");
  options.add_options()("directory,d", po::value<std::string>(), "another way to name the data directory");
  return run_command(
      arguments,
      "Usage: reqld compact [DIRECTORY]\n\n"
      "Writes the data directory anew, so that it takes no more room than it needs. No server may run on\n"
      "it; as much room again is needed meanwhile. A crash leaves the old files or the new ones, whole.\n"
      "Backups made before cannot be continued with the log made after.\n",
      options, {"directory"}, compact);
}

}  // namespace

const std::vector<DataCommand>& data_commands() {
  static const std::vector<DataCommand> commands = {
      {"check", "verify everything in a data directory or a backup", run_check},
      {"backup", "write a snapshot of all tables, while the server runs or not", run_backup},
      {"restore", "make a data directory from a backup, up to a point in time", run_restore},
      {"compact", "give the space back that a data directory does not need", run_compact},
  };
  return commands;
}

}  // namespace reqld::server
