#include "config/options.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

using namespace reqld::config;

namespace {

CommandLine parse(const std::vector<std::string>& arguments) {
  return parse_command_line(arguments, {"check"});
}

Options options(const std::vector<std::string>& arguments) {
  const CommandLine line = parse(arguments);
  CHECK(line.error == "");
  return line.options;
}

std::string error(const std::vector<std::string>& arguments) {
  return parse(arguments).error;
}

/// A configuration file for one test.
class File {
 public:
  explicit File(const std::string& text) {
    const int fd = mkstemp(name_);
    REQUIRE(fd >= 0);
    close(fd);
    std::ofstream(name_) << text;
  }
  ~File() { unlink(name_); }
  std::string name() const { return name_; }

 private:
  char name_[32] = "/tmp/reqld-conf-XXXXXX";
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("defaults") {
  const Options o = options({});
  CHECK(o.directory == "reqld_data");
  CHECK(o.driver_addresses == Texts{"localhost"});
  CHECK(o.http_addresses == Texts{"localhost"});
  CHECK(o.driver_port == 28015);
  CHECK(o.http_port == 8080);
  CHECK(o.http_admin);
  CHECK_FALSE(o.daemon);
  CHECK_FALSE(o.server_name.empty());
  CHECK_FALSE(o.server_name_given);
  CHECK_FALSE(o.server_tags_given);
  CHECK(o.notes.empty());
}

TEST_CASE("options of the command line") {
  const Options o = options({"-d",
                             "/data",
                             "--bind",
                             "all",
                             "--bind-http=127.0.0.1",
                             "--driver-port",
                             "1000",
                             "-o",
                             "7",
                             "--no-http-admin",
                             "-n",
                             "kismet",
                             "-c",
                             "3",
                             "--initial-password",
                             "",
                             "--daemon",
                             "--log-level",
                             "warn",
                             "--r-http-deny",
                             "10.0.0.0/8",
                             "--r-http-deny",
                             "127.0.0.0/8",
                             "-t",
                             "a",
                             "-t",
                             "b"});
  CHECK(o.directory == "/data");
  CHECK(o.driver_addresses == Texts{"localhost", "all"});
  CHECK(o.http_addresses == Texts{"localhost", "127.0.0.1"});
  CHECK(o.driver_port == 1007);
  CHECK(o.http_port == 8087);
  CHECK_FALSE(o.http_admin);
  CHECK(o.server_name == "kismet");
  CHECK(o.server_name_given);
  CHECK(o.server_tags_given);
  CHECK(o.cores == 3);
  CHECK(o.initial_password_given);
  CHECK(o.initial_password.empty());
  CHECK(o.daemon);
  CHECK(o.log_level == LogLevel::kWarn);
  CHECK(o.http_deny == Texts{"10.0.0.0/8", "127.0.0.0/8"});
  CHECK(o.server_tags == Texts{"default", "a", "b"});
}

TEST_CASE("a free port stays a free port") {
  CHECK(options({"--driver-port", "0", "--port-offset", "100"}).driver_port == 0);
}

TEST_CASE("loopback can be left out") {
  CHECK(options({"--no-default-bind", "--bind", "10.0.0.1"}).driver_addresses == Texts{"10.0.0.1"});
  CHECK(error({"--no-default-bind"}) ==
        "--no-default-bind leaves no address to listen on: name one with --bind.");
}

TEST_CASE("commands") {
  CHECK(parse({}).command == Command::kServe);
  CHECK(parse({"serve", "-d", "x"}).command == Command::kServeExisting);
  CHECK(parse({"serve", "-d", "x"}).options.directory == "x");
  CHECK(parse({"create"}).command == Command::kCreate);
  CHECK(parse({"help"}).command == Command::kHelp);
  CHECK(parse({"--help"}).command == Command::kHelp);
  CHECK(parse({"-h"}).command == Command::kHelp);
  CHECK(parse({"--version"}).command == Command::kVersion);
  CHECK(parse({"-v"}).command == Command::kVersion);
  const CommandLine check = parse({"check", "DIR", "--deep"});
  CHECK(check.command == Command::kOther);
  CHECK(check.name == "check");
  CHECK(check.arguments == Texts{"DIR", "--deep"});
  CHECK(error({"proxy"}) == "Unknown command 'proxy'. `reqld help` lists what there is.");
}

TEST_CASE("bad options are told clearly") {
  CHECK(error({"--nosuch"}) == "Unrecognised option '--nosuch'. `reqld help` lists the options.");
  CHECK(error({"--dir", "x"}) == "Unrecognised option '--dir'. `reqld help` lists the options.");
  CHECK(error({"--driver-port", "70000"}) == "--driver-port must be a number from 0 to 65535, not '70000'.");
  CHECK(error({"--driver-port", "-1"}) == "--driver-port must be a number from 0 to 65535, not '-1'.");
  CHECK(error({"--http-port", "80x"}) == "--http-port must be a number from 0 to 65535, not '80x'.");
  CHECK(error({"--http-port", ""}) != "");
  CHECK(error({"--driver-port"}) != "");
  CHECK(error({"--port-offset", "60000"}) ==
        "Port 28015 with the offset 60000 is beyond the last port, 65535.");
  CHECK(error({"--cores", "0"}) == "--cores must be a number from 1 to 1024, not '0'.");
  CHECK(error({"--log-level", "loud"}) ==
        "--log-level must be debug, info, notice, warn or error, not 'loud'.");
  CHECK(error({"--server-name", "a b"}) != "");
  CHECK(error({"--directory", ""}) == "--directory must not be empty.");
  CHECK(error({"-d", "a", "-d", "b"}) != "");
  CHECK(error({"-d", "a", "stray"}) != "");
  CHECK(error({"--driver-tls-key", "k"}) == "--driver-tls-key and --driver-tls-cert must be given together.");
  CHECK(error({"--http-tls-cert", "c"}) == "--http-tls-key and --http-tls-cert must be given together.");
  CHECK(error({"--driver-tls-ca", "c"}) != "");
  CHECK(error({"--tls-min-protocol", "SSLv3"}) ==
        "--tls-min-protocol must be TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3, not 'SSLv3'.");
  CHECK(error({"--join", "host:29015"}) == "--join: reqld is a single server and cannot join a cluster.");
  CHECK(error({"-j", "host:29015"}) != "");
  // Boost would fill in the name into itself for ever.
  CHECK(error({"--%original_token%"}) ==
        "Cannot understand '--%original_token%'. `reqld help` lists the options.");
}

TEST_CASE("RethinkDB's options without effect are accepted") {
  const Options o = options({"--cache-size", "1024", "--io-threads", "64", "--cluster-port", "29015",
                             "--no-update-check", "--bind-cluster", "all", "--canonical-address", "a",
                             "--canonical-address", "b", "--direct-io"});
  CHECK(o.notes.size() == 6);
}

TEST_CASE("the size of a cache is a number or auto") {
  CHECK_FALSE(options({}).cache_size_given);
  CHECK(options({"--cache-size", "0"}).cache_size_mb == 0);
  CHECK(options({"--cache-size", "1024"}).cache_size_mb == 1024);
  const Options o = options({"--cache-size", "auto"});
  CHECK(o.cache_size_given);
  CHECK_FALSE(o.cache_size_mb);
  for (const char* size : {"", "-1", "1.5", "x", "1099511627776"}) CHECK(error({"--cache-size", size}) != "");
}

TEST_CASE("a configuration file") {
  const File file(
      "# a comment\n"
      "\n"
      "directory = /var/lib/reqld  # behind a value\r\n"
      "bind=all\n"
      "driver-port=28115\n"
      "  no-http-admin\n"
      "daemon\n"
      "server-tag=a\n"
      "server-tag=b\n"
      "initial-password=se#cret=x\n");
  const Options o = options({"--config-file", file.name(), "--driver-port", "1", "--server-tag", "c"});
  CHECK(o.directory == "/var/lib/reqld");
  CHECK(o.driver_addresses == Texts{"localhost", "all"});
  CHECK(o.driver_port == 1);  // the command line wins
  CHECK(o.server_tags == Texts{"default", "c"});
  CHECK_FALSE(o.http_admin);
  CHECK(o.daemon);
  CHECK(o.initial_password == "se#cret=x");
}

TEST_CASE("TLS of either port") {
  const auto line = parse_command_line({"--driver-tls-key", "k", "--driver-tls-cert", "c", "--driver-tls-ca",
                                        "a", "--tls-min-protocol", "TLSv1.3", "--tls-ciphers", "HIGH"});
  CHECK(line.error.empty());
  CHECK(line.options.driver_tls.enabled());
  CHECK(line.options.driver_tls.cert_file == "c");
  CHECK(line.options.driver_tls.ca_file == "a");
  CHECK(line.options.driver_tls.min_protocol == "TLSv1.3");
  CHECK(line.options.driver_tls.ciphers == "HIGH");
  CHECK_FALSE(line.options.http_tls.enabled());
}

TEST_CASE("errors in a configuration file name the line") {
  const File unknown("bind=all\nnosuch=1\n");
  CHECK(error({"--config-file", unknown.name()}) == unknown.name() + ":2: unrecognised option '--nosuch=1'.");
  const File garbage("what is this\n");
  CHECK(error({"--config-file", garbage.name()}).starts_with(garbage.name() + ":1: "));
  const File nested("config-file=x\n");
  CHECK(error({"--config-file", nested.name()}).starts_with(nested.name() + ":1: "));
  const File bad_number("driver-port=abc\n");
  CHECK(error({"--config-file", bad_number.name()}) ==
        "--driver-port must be a number from 0 to 65535, not 'abc'.");
  CHECK(error({"--config-file", "/nosuch/file"}) == "Cannot read the configuration file '/nosuch/file'.");
}

TEST_CASE("the help names every option that has an effect, and no other") {
  const std::string text = help_text();
  for (const char* name :
       {"--directory", "--bind", "--driver-port", "--r-http-deny", "--initial-password", "--version"}) {
    CHECK(text.find(name) != std::string::npos);
  }
  CHECK(text.find("--cluster-port") == std::string::npos);
}
