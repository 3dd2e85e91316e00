#include "server/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace reqld::server::log {
namespace {

// spdlog has no level between info and warn: a notice is an info line that no filter holds back.
constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%f%z %P %v";

std::string_view name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug: ";
    case Level::kInfo:
      return "info: ";
    case Level::kNotice:
      return "notice: ";
    case Level::kWarn:
      return "warn: ";
    case Level::kError:
      return "error: ";
  }
  return "";
}

struct State {
  std::mutex mutex;  // guards `file_name` and the replacing of `file`
  std::string file_name;
  std::shared_ptr<spdlog::sinks::dist_sink_mt> sinks = std::make_shared<spdlog::sinks::dist_sink_mt>();
  spdlog::sink_ptr file;
  std::shared_ptr<spdlog::logger> logger;
  std::atomic<Level> level{Level::kInfo};

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

void write(Level level, std::string_view line) {
  State& s = state();
  std::string text(name(level));
  // One event, one line: nothing a client sends may forge another.
  for (const char c : line) {
    if (c == '\n' || c == '\r') {
      text += ' ';
    } else {
      text += c;
    }
  }
  s.logger->log(spdlog::level::info, text);
}

}  // namespace reqld::server::log
