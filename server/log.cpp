#include "server/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace reqld::server::log {
namespace {

// spdlog has no level between info and warn: a notice is an info line that no filter holds back.
constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%f%z %P %v";

constexpr std::size_t kMostRecent = 1000;
constexpr std::size_t kMostRecentBytes = 2000;  // of one line

std::string_view name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kNotice:
      return "notice";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "";
}

/// What the `logs` table shows. Thread-safe.
class Recent {
 public:
  void add(Level level, std::string_view message) {
    {
      const std::lock_guard lock(mutex_);
      const std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - started_;
      reql::LogLine line{.at = std::chrono::system_clock::now(),
                         .uptime_seconds = uptime.count(),
                         .level = name(level),
                         .message = std::string(message.substr(0, kMostRecentBytes))};
      // Their times are their names.
      if (!lines_.empty() && line.at <= lines_.back().at)
        line.at = lines_.back().at + std::chrono::nanoseconds(1);
      if (lines_.size() == kMostRecent) lines_.pop_front();
      lines_.push_back(std::move(line));
    }
    const std::lock_guard lock(listener_mutex_);
    if (listener_) listener_();
  }
  std::vector<reql::LogLine> lines() {
    const std::lock_guard lock(mutex_);
    return {lines_.begin(), lines_.end()};
  }
  void set_listener(std::function<void()> listener) {
    const std::lock_guard lock(listener_mutex_);
    listener_ = std::move(listener);
  }

 private:
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::deque<reql::LogLine> lines_;
  std::mutex listener_mutex_;
  std::function<void()> listener_;
};

struct State {
  std::mutex mutex;  // guards `file_name` and the replacing of `file`
  std::string file_name;
  std::shared_ptr<spdlog::sinks::dist_sink_mt> sinks = std::make_shared<spdlog::sinks::dist_sink_mt>();
  spdlog::sink_ptr file;
  std::shared_ptr<spdlog::logger> logger;
  std::atomic<Level> level{Level::kInfo};
  Recent recent;

  State() {
    sinks->add_sink(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger = std::make_shared<spdlog::logger>("reqld", sinks);
    logger->set_level(spdlog::level::trace);
    logger->set_pattern(kPattern);
    logger->flush_on(spdlog::level::trace);
  }
};

State& state() {
  static State* const it = new State;  // outlives every thread that might still log at exit
  return *it;
}

spdlog::sink_ptr open_file(const std::string& file_name) {
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file_name);
  sink->set_pattern(kPattern);
  return sink;
}

}  // namespace

std::string open(const Options& options) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.level = options.level;
  std::vector<spdlog::sink_ptr> sinks;
  if (options.to_stderr) sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  if (!options.file.empty()) {
    try {
      s.file = open_file(options.file);
    } catch (const spdlog::spdlog_ex& error) {
      return error.what();
    }
    s.file_name = options.file;
    sinks.push_back(s.file);
  }
  for (auto& sink : sinks) sink->set_pattern(kPattern);
  s.sinks->set_sinks(std::move(sinks));
  return {};
}

void reopen() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (s.file_name.empty()) return;
  try {
    auto fresh = open_file(s.file_name);
    s.sinks->add_sink(fresh);
    s.sinks->remove_sink(s.file);
    s.file = std::move(fresh);
  } catch (const spdlog::spdlog_ex& error) {
    s.logger->error("error: cannot reopen the log file, going on with the old one: {}", error.what());
  }
}

void close() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.logger->flush();
  if (s.file) s.sinks->remove_sink(s.file);
  s.file.reset();
  s.file_name.clear();
}

bool enabled(Level level) {
  return level >= state().level.load(std::memory_order_relaxed);
}

std::vector<reql::LogLine> recent() {
  return state().recent.lines();
}

void set_listener(std::function<void()> listener) {
  state().recent.set_listener(std::move(listener));
}

void write(Level level, std::string_view line) {
  State& s = state();
  const std::size_t prefix = name(level).size() + 2;
  std::string text(name(level));
  text += ": ";
  // One event, one line: nothing a client sends may forge another.
  for (const char c : line) {
    if (c == '\n' || c == '\r') {
      text += ' ';
    } else {
      text += c;
    }
  }
  s.logger->log(spdlog::level::info, text);
  s.recent.add(level, std::string_view(text).substr(prefix));
}

}  // namespace reqld::server::log
