// fuzz libs: reqld_config reqld_http_fetch
// Any text as a configuration file, and as a command line: options within their bounds, or a sentence about
// what is wrong, never an exception.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "http_fetch/address_policy.hpp"

using namespace reqld;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

/// In memory where the system has it; one for each process.
const std::string& file_name() {
  static const std::string name = [] {
    const std::string directory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    std::string made = directory + "/reqld-config-fuzz-" + std::to_string(getpid());
    std::atexit([] { std::remove(file_name().c_str()); });
    return made;
  }();
  return name;
}

void check(const config::CommandLine& line) {
  if (!line.error.empty() || line.command == config::Command::kHelp ||
      line.command == config::Command::kVersion)
    return;
  const config::Options& options = line.options;
  require(!options.directory.empty() && !options.server_name.empty());
  require(!options.driver_addresses.empty() && !options.http_addresses.empty());
  require(options.max_connections > 0 && options.max_queries_per_connection > 0);
  require(options.query_memory_mb > 0 && options.http_max_body_mb > 0 && options.http_max_requests > 0);
  for (const auto& note : options.notes) require(!note.empty());
  (void)http_fetch::AddressPolicy::parse(options.http_allow, options.http_deny);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::ofstream(file_name(), std::ios::binary | std::ios::trunc) << text;
  check(config::parse_command_line({"--config-file", file_name()}));

  std::vector<std::string> arguments(1);
  for (const char c : text) {
    if (c == '\n') {
      arguments.emplace_back();
    } else {
      arguments.back() += c;
    }
  }
  // Not the name of any file: a fuzzer would read the machine's.
  for (const auto& argument : arguments) {
    if (argument.find("config-file") != std::string::npos) return 0;
  }
  check(config::parse_command_line(arguments));
  return 0;
}
