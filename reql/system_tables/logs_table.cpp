// logs: the newest lines of the server's log.

#include <fmt/chrono.h>

#include "datum/time.hpp"
#include "datum/utf8.hpp"
#include "reql/server_view.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/table_config.hpp"

namespace reqld::reql {

namespace {

// "2015-01-08T22:31:35.123456789Z": sorts by time.
std::string precise_time(std::chrono::system_clock::time_point at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(at - seconds);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), rest.count());
}

// A line may hold any bytes, and be cut off between any two; a string that drivers read may not.
std::string as_utf8(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  while (!line.empty()) {
    const std::size_t bytes = utf8::first(line).bytes;
    const bool alone = bytes == 1 && static_cast<unsigned char>(line[0]) >= 0x80;
    out += alone ? std::string_view("?") : line.substr(0, bytes);
    line.remove_prefix(bytes);
  }
  return out;
}

class LogsTable : public SystemTable {
 public:
  explicit LogsTable(IdentifierFormat format) : SystemTable("logs", format) {}
  SystemChange changed_by() const override { return SystemChange::kLog; }

 protected:
  std::vector<Datum> rows(Context& cx) override {
    const EngineOptions& options = cx.engine().options();
    std::vector<Datum> out;
    if (!options.server) return out;
    const Datum server_id = Datum::string(options.server_id);
    const Datum server = server_as(cx.engine(), format());
    for (const LogLine& line : options.server->log_lines()) {
      const std::chrono::duration<double> since_epoch = line.at.time_since_epoch();
      ObjectBuilder row;
      row.set("id", Datum::array({Datum::string(precise_time(line.at)), server_id}));
      row.set("level", Datum::string(line.level));
      row.set("message", Datum::string(as_utf8(line.message)));
      row.set("server", server);
      row.set("timestamp", time_from_epoch(since_epoch.count()));
      row.set("uptime", Datum::number(line.uptime_seconds));
      out.push_back(row.finish());
    }
    return out;
  }
};

}  // namespace

Ref<Table> make_logs_table(IdentifierFormat format) {
  return make_ref<LogsTable>(format);
}

}  // namespace reqld::reql
