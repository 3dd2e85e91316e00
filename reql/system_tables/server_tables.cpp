// server_status, current_issues, _debug_stats: this one server as the cluster it is.

#include <unistd.h>

#include <fstream>
#include <iterator>

#include "datum/time.hpp"
#include "reql/running_queries.hpp"
#include "reql/server_settings.hpp"
#include "reql/system_tables/system_table.hpp"

namespace reqld::reql {

namespace {

// A table whose rows one function makes.
class ComputedTable : public SystemTable {
 public:
  using Rows = std::vector<Datum> (*)(Context& cx);
  ComputedTable(std::string name, IdentifierFormat format, Rows make)
      : SystemTable(std::move(name), format), make_(make) {}

 protected:
  std::vector<Datum> rows(Context& cx) override { return make_(cx); }

 private:
  const Rows make_;
};

Datum text(const std::string& s) {
  return Datum::string(s);
}

Datum arguments() {
  ArrayBuilder out;
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\0', at), all.size());
    out.add(text(all.substr(at, end - at)));
    at = end + 1;
  }
  return out.finish();
}

std::vector<Datum> server_status(Context& cx) {
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  const std::chrono::duration<double> since_epoch = cx.engine().started().time_since_epoch();
  const Datum started = time_from_epoch(since_epoch.count());
  ObjectBuilder address;
  address.set("host", text(host));
  address.set("port", Datum::number(0));
  ObjectBuilder network;
  network.set("hostname", text(host));
  network.set("canonical_addresses", Datum::array({address.finish()}));
  network.set("connected_to", Datum::empty_object());
  // There is no port for other servers.
  network.set("cluster_port", Datum());
  network.set("reql_port", Datum::number(cx.engine().options().driver_port));
  const auto http_port = cx.engine().options().http_port;
  network.set("http_admin_port", http_port ? Datum::number(*http_port) : Datum());
  network.set("time_connected", started);
  ObjectBuilder process;
  process.set("argv", arguments());
  // The system's page cache is the cache: of itself, nothing is set aside.
  const auto cache_size = find_setting(cx.database(), "cache_size_mb");
  process.set("cache_size_mb", cache_size && cache_size->is(Type::kNumber) ? *cache_size : Datum::number(0));
  process.set("pid", Datum::number(static_cast<double>(getpid())));
  process.set("time_started", started);
  process.set("version", text("rethinkdb 2.4.4 (as reqld)"));
  ObjectBuilder row;
  row.set("id", text(cx.engine().options().server_id));
  row.set("name", text(cx.engine().options().server_name));
  row.set("network", network.finish());
  row.set("process", process.finish());
  return {row.finish()};
}

// What is counted of the server. No promise of what that is.
std::vector<Datum> debug_stats(Context& cx) {
  const auto number = [](std::uint64_t n) { return Datum::number(static_cast<double>(n)); };
  const storage::RowCounts rows = cx.database().activity();
  ObjectBuilder row;
  row.set("id", text(cx.engine().options().server_id));
  row.set("name", text(cx.engine().options().server_name));
  row.set("queries", number(cx.engine().running().started()));
  row.set("rows_read", number(rows.rows_read));
  row.set("rows_read_bytes", number(rows.bytes_read));
  row.set("rows_written", number(rows.rows_written));
  row.set("rows_written_bytes", number(rows.bytes_written));
  return {row.finish()};
}

std::vector<Datum> current_issues(Context& cx) {
  const auto failure = cx.database().engine().failure();
  if (!failure) return {};
  ObjectBuilder info;
  info.set("message", text(failure->message));
  info.set("servers", Datum::array({text(cx.engine().options().server_name)}));
  ObjectBuilder row;
  row.set("id", text(system_table_id("current_issues")));
  row.set("type", text("storage_failed"));
  row.set("critical", Datum::boolean(true));
  row.set("description", text("Writes have stopped: " + failure->message));
  row.set("info", info.finish());
  return {row.finish()};
}

}  // namespace

Ref<Table> make_server_status_table(IdentifierFormat f) {
  return make_ref<ComputedTable>("server_status", f, server_status);
}
Ref<Table> make_debug_stats_table(IdentifierFormat f) {
  return make_ref<ComputedTable>("_debug_stats", f, debug_stats);
}
Ref<Table> make_current_issues_table(IdentifierFormat f) {
  return make_ref<ComputedTable>("current_issues", f, current_issues);
}

}  // namespace reqld::reql
