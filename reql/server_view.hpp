// What system tables show of the server around the language.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reqld::reql {

struct LogLine {
  std::chrono::system_clock::time_point at;  ///< no two lines have the same
  double uptime_seconds = 0;
  std::string_view level;  ///< "debug", "info", "notice", "warn", "error"
  std::string message;
};

/// The server implements it. Thread-safe.
class ServerView {
 public:
  virtual std::uint64_t client_connections() const = 0;
  /// The newest lines of the log, oldest first. FeedHub::system_table_changed is told of new ones.
  virtual std::vector<LogLine> log_lines() const = 0;

 protected:
  ~ServerView() = default;
};

}  // namespace reqld::reql
