// kill -9 of a process that works on a database, again and again on the same one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace reqld::crash {

struct KillReport {
  int rounds = 0;
  std::uint64_t acknowledged = 0;
  double slowest_open_ms = 0;
  std::optional<std::string> failure;
};
/// `program` is this executable.
KillReport kill_rounds(const std::string& program, const std::string& directory, int rounds,
                       std::uint64_t seed);

/// The child: works on `directory` until killed, and writes each acknowledgement to descriptor `out`.
int kill_child(const std::string& directory, std::uint64_t round, int out);

}  // namespace reqld::crash
