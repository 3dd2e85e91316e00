#include "server/commands.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>

#include "config/options.hpp"
#include "server/assembly.hpp"
#include "server/data_commands.hpp"
#include "server/serve.hpp"

namespace reqld::server {
namespace {

int fail(const std::string& text) {
  fmt::print(stderr, "reqld: {}\n", text);
  return 1;
}

std::string command_summaries() {
  std::string text;
  for (const auto& command : data_commands())
    text += fmt::format("  {:<8} {}\n", command.name, command.summary);
  return text;
}

int create(const config::Options& options) {
  std::error_code ignored;
  if (std::filesystem::exists(options.directory, ignored) &&
      !std::filesystem::is_empty(options.directory, ignored)) {
    return fail(fmt::format("'{}' exists already, and is not empty.", options.directory));
  }
  const Assembled assembled = assemble(options, true, 1);
  if (!assembled.error.empty()) return fail(assembled.error);
  if (!assembled.generated_password.empty())
    fmt::print("The password of `admin` is {}\n", assembled.generated_password);
  fmt::print("Made the data directory '{}'.\n", options.directory);
  return 0;
}

}  // namespace

int run(const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const auto& command : data_commands()) names.emplace_back(command.name);
  const config::CommandLine line = config::parse_command_line(arguments, names);
  if (!line.error.empty()) return fail(line.error);
  switch (line.command) {
    case config::Command::kHelp:
      for (const auto& command : data_commands()) {
        if (line.name == command.name) return command.run({"--help"});
      }
      fmt::print("{}", config::help_text(command_summaries()));
      return 0;
    case config::Command::kVersion:
      fmt::print("reqld {} (speaks the protocol of RethinkDB 2.4.4)\n", REQLD_VERSION);
      return 0;
    case config::Command::kCreate:
      return create(line.options);
    case config::Command::kServe:
      return serve(line.options, true);
    case config::Command::kServeExisting:
      return serve(line.options, false);
    case config::Command::kOther:
      for (const auto& command : data_commands()) {
        if (line.name == command.name) return command.run(line.arguments);
      }
  }
  return fail("no such command");
}

}  // namespace reqld::server
