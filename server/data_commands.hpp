// The subcommands that look after the data: check, backup, restore, compact.
#pragma once

#include <string>
#include <vector>

namespace reqld::server {

/// One subcommand. `run` gets the arguments behind its name, and returns the exit status: 0 done, 1 failed, 2
/// not understood.
struct DataCommand {
  const char* name;
  const char* summary;  ///< one line, for the general help
  int (*run)(const std::vector<std::string>& arguments);
};

const std::vector<DataCommand>& data_commands();

}  // namespace reqld::server
