// The subcommands of `reqld`, in one place.
#pragma once

#include <string>
#include <vector>

namespace reqld::server {

/// Runs what the command line asks for; returns the exit status. `arguments` without the program's name.
int run(const std::vector<std::string>& arguments);

}  // namespace reqld::server
