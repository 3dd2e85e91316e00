// The control socket: `control` in the data directory, for the subcommands that work on a running server. Who
// may connect is who the server runs as, and root.
//
// A request is one line, `backup` or `check`. A backup is answered with its bytes, a check with lines:
// `progress DONE TOTAL WHAT`, `finding TEXT`, and last `report` with its numbers; either with `error TEXT`
// when it cannot be had.
#pragma once

#include <memory>
#include <string>

#include "storage/database.hpp"
#include "storage/tools/check.hpp"

namespace reqld::server {

class Control {
 public:
  /// `database` outlives it. Returns null, and an error text, when there can be no socket.
  static std::unique_ptr<Control> open(const std::string& directory, storage::Database& database,
                                       storage::IndexFunctionFactory index_functions, std::string& error);
  /// Ends what is under way; the other side notices.
  ~Control();

 private:
  struct Impl;
  explicit Control(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Connects to the server on a data directory. A descriptor; -1: no server runs on it, or `error` says what
/// is wrong.
int connect_control(const std::string& directory, std::string& error);

/// The `report` line of a check, without its end.
std::string encode_report(const storage::CheckReport& report);
bool decode_report(const std::string& line, storage::CheckReport& report);

}  // namespace reqld::server
