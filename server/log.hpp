// The server's log: one line per event with time and level, to stderr, a file, or both.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reql/server_view.hpp"

namespace reqld::server::log {

enum class Level : std::uint8_t { kDebug, kInfo, kNotice, kWarn, kError };

struct Options {
  Level level = Level::kInfo;
  bool to_stderr = true;
  std::string file;  ///< empty: none
};

/// Starts logging; before it, lines go to stderr. Returns an error text when the file cannot be opened.
std::string open(const Options& options);

/// Opens the file again under its name: after it was rotated away. Errors are logged.
void reopen();

/// Writes out what is buffered and ends logging to the file.
void close();

bool enabled(Level level);

/// The newest lines, oldest first: up to a thousand, long ones cut off.
std::vector<reql::LogLine> recent();
/// `listener` is called after each line, on the thread that writes it, until another one (or none) takes its
/// place; it must not log. Not called any more when this returns.
void set_listener(std::function<void()> listener);

/// Thread-safe, as all of this header.
void write(Level level, std::string_view line);

template <typename... A>
void debug(fmt::format_string<A...> format, A&&... arguments) {
  if (enabled(Level::kDebug)) write(Level::kDebug, fmt::format(format, std::forward<A>(arguments)...));
}
template <typename... A>
void info(fmt::format_string<A...> format, A&&... arguments) {
  if (enabled(Level::kInfo)) write(Level::kInfo, fmt::format(format, std::forward<A>(arguments)...));
}
/// What an operator wants to see at any level: started, listening, stopped.
template <typename... A>
void notice(fmt::format_string<A...> format, A&&... arguments) {
  write(Level::kNotice, fmt::format(format, std::forward<A>(arguments)...));
}
template <typename... A>
void warn(fmt::format_string<A...> format, A&&... arguments) {
  if (enabled(Level::kWarn)) write(Level::kWarn, fmt::format(format, std::forward<A>(arguments)...));
}
template <typename... A>
void error(fmt::format_string<A...> format, A&&... arguments) {
  write(Level::kError, fmt::format(format, std::forward<A>(arguments)...));
}

}  // namespace reqld::server::log
