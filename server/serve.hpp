// `reqld` and `reqld serve`: the daemon from its start to its end.
#pragma once

#include "config/options.hpp"

namespace reqld::server {

/// Serves until SIGTERM or SIGINT, then ends within five seconds. `create`: make the data directory when
/// there is none. Returns the exit status; errors are on stderr, or in the log.
int serve(const config::Options& options, bool create);

}  // namespace reqld::server
