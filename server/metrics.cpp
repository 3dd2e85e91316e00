#include "server/metrics.hpp"

#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace reqld::server {
namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t open_files() {
  std::error_code error;
  const auto files = std::filesystem::directory_iterator("/proc/self/fd", error);
  return error ? 0 : static_cast<std::uint64_t>(std::distance(begin(files), end(files)));
}

double unix_seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void append(std::string& text, const char* name, const char* type, const char* help, double value) {
  fmt::format_to(std::back_inserter(text), "# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", name, type, help,
                 value);
}

void append(std::string& text, const char* name, const char* type, const char* help, std::uint64_t value) {
  fmt::format_to(std::back_inserter(text), "# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", name, type, help,
                 value);
}

std::string html_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string uptime_text(std::chrono::system_clock::time_point started) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now() - started).count();
  return fmt::format("{} d {:02}:{:02}:{:02}", seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60,
                     seconds % 60);
}

}  // namespace

std::string metrics_text(const ServerCounters& c, const ServerIdentity& identity) {
  std::string text = fmt::format(
      "# HELP reqld_info The server.\n# TYPE reqld_info "
      "gauge\nreqld_info{{version=\"{}\",name=\"{}\",id=\"{}\"}} 1\n",
      identity.version, identity.name, identity.id);
  append(text, "reqld_connections_total", "counter", "Driver connections accepted.", c.connections_opened);
  append(text, "reqld_connections_refused_total", "counter", "Driver connections beyond the limit.",
         c.connections_refused);
  append(text, "reqld_connections_open", "gauge", "Driver connections now.", c.connections_open);
  append(text, "reqld_handshakes_failed_total", "counter", "Connections that did not authenticate.",
         c.handshakes_failed);
  append(text, "reqld_queries_total", "counter", "Queries started.", c.queries);
  append(text, "reqld_continues_total", "counter", "Batches asked for of open cursors.", c.continues);
  append(text, "reqld_queries_running", "gauge", "Queries running now.", c.running);
  append(text, "reqld_cursors_open", "gauge", "Queries not finished: running, cursors and changefeeds.",
         c.open_cursors);
  append(text, "reqld_client_errors_total", "counter", "Messages that were no valid query.", c.client_errors);
  append(text, "reqld_queries_failed_total", "counter", "Queries that ended with a compile or runtime error.",
         c.failed_queries);
  append(text, "reqld_received_bytes_total", "counter", "Bytes read from drivers.", c.bytes_received);
  append(text, "reqld_sent_bytes_total", "counter", "Bytes written to drivers.", c.bytes_sent);
  append(text, "reqld_queued_output_bytes", "gauge", "Bytes that wait for slow drivers.",
         c.queued_output_bytes);
  append(text, "reqld_worker_queue", "gauge", "Heavy queries that wait for a worker thread.",
         c.waiting_for_worker);
  append(text, "process_cpu_seconds_total", "counter", "User and system CPU time.", cpu_seconds());
  append(text, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
  append(text, "process_open_fds", "gauge", "Open file descriptors.", open_files());
  append(text, "process_start_time_seconds", "gauge", "Start time, in seconds since 1970.",
         unix_seconds(identity.started));
  return text;
}

std::string status_page(const ServerCounters& c, const ServerIdentity& identity) {
  std::string rows;
  const auto row = [&](const char* label, const std::string& value) {
    fmt::format_to(std::back_inserter(rows), "<tr><th>{}</th><td>{}</td></tr>\n", label, html_escaped(value));
  };
  row("server", identity.name);
  row("id", identity.id);
  row("version", identity.version);
  row("up for", uptime_text(identity.started));
  row("connections", fmt::format("{}", c.connections_open));
  row("queries", fmt::format("{} ({} running)", c.queries, c.running));
  row("open cursors and feeds", fmt::format("{}", c.open_cursors));
  row("received / sent", fmt::format("{} / {} bytes", c.bytes_received, c.bytes_sent));
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>reqld: {}</title>\n"
      "<style>body{{font:15px/1.5 sans-serif;margin:3em "
      "auto;max-width:40em}}th{{text-align:left;padding-right:2em}}</style>\n"
      "</head><body><h1>reqld</h1>\n<table>\n{}</table>\n"
      "<p><a href=\"/health\">health</a> &middot; <a href=\"/metrics\">metrics</a></p>\n</body></html>\n",
      html_escaped(identity.name), rows);
}

}  // namespace reqld::server
