// stats: what queries read and write, of the cluster, the server, and each table.

#include "reql/activity_sampler.hpp"
#include "reql/running_queries.hpp"
#include "reql/server_view.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/table_config.hpp"

namespace reqld::reql {

namespace {

constexpr std::string_view kCluster = "cluster";
constexpr std::string_view kServer = "server";
constexpr std::string_view kTable = "table";
constexpr std::string_view kTableServer = "table_server";

Datum number(double n) {
  return Datum::number(n);
}
Datum number(std::uint64_t n) {
  return Datum::number(static_cast<double>(n));
}

Datum make_id(std::string_view kind, const std::string& first = {}, const std::string& second = {}) {
  ArrayBuilder id;
  id.add(Datum::string(kind));
  if (!first.empty()) id.add(Datum::string(first));
  if (!second.empty()) id.add(Datum::string(second));
  return id.finish();
}

// The `query_engine` of one row.
class QueryEngine {
 public:
  explicit QueryEngine(const ActivitySpan& span) : span_(span) {}

  QueryEngine& clients(Context& cx) {
    out_.set("client_connections",
             number(cx.engine().options().server ? cx.engine().options().server->client_connections() : 0));
    out_.set("clients_active", number(cx.engine().running().clients()));
    return *this;
  }
  QueryEngine& queries(bool with_total) {
    out_.set("queries_per_sec", number(span_.queries_per_second()));
    if (with_total) out_.set("queries_total", number(span_.queries()));
    return *this;
  }
  QueryEngine& rows(const storage::RowCounts& before, const storage::RowCounts& now, bool with_totals) {
    out_.set("read_docs_per_sec", number(span_.per_second(before.rows_read, now.rows_read)));
    out_.set("written_docs_per_sec", number(span_.per_second(before.rows_written, now.rows_written)));
    if (with_totals) {
      out_.set("read_docs_total", number(now.rows_read));
      out_.set("written_docs_total", number(now.rows_written));
    }
    return *this;
  }
  Datum finish() { return out_.finish(); }

 private:
  const ActivitySpan& span_;
  ObjectBuilder out_;
};

class StatsTable : public SystemTable {
 public:
  explicit StatsTable(IdentifierFormat format) : SystemTable("stats", format) {}
  SystemChange changed_by() const override { return SystemChange::kTime; }

 protected:
  std::vector<Datum> rows(Context& cx) override { return rows_of(cx, {}); }

  // Whoever asks for one row every second need not pay for a thousand tables.
  Datum row(Context& cx, const Datum& key) override {
    if (!key.is(Type::kArray) || key.array_size() == 0 || !key.at(0).is(Type::kString)) return Datum();
    const Datum kind = key.at(0);
    for (Datum& row : rows_of(cx, kind.as_string())) {
      if (*row.get("id") == key) return std::move(row);
    }
    return Datum();
  }

 private:
  // All rows where `kind` is empty.
  std::vector<Datum> rows_of(Context& cx, std::string_view kind) const {
    const auto wanted = [&](std::string_view of) { return kind.empty() || kind == of; };
    const ActivitySpan span = cx.engine().activity().look();
    std::vector<Datum> out;
    if (wanted(kCluster)) {
      ObjectBuilder row;
      row.set("id", make_id(kCluster));
      row.set(
          "query_engine",
          QueryEngine(span).clients(cx).queries(false).rows(span.rows_before(), span.rows(), false).finish());
      out.push_back(row.finish());
    }
    if (wanted(kServer)) {
      ObjectBuilder row;
      row.set("id", make_id(kServer, cx.engine().options().server_id));
      row.set("server", server_as(cx.engine(), format()));
      row.set(
          "query_engine",
          QueryEngine(span).clients(cx).queries(true).rows(span.rows_before(), span.rows(), true).finish());
      out.push_back(row.finish());
    }
    if (!wanted(kTable) && !wanted(kTableServer)) return out;
    const auto catalog = cx.database().catalog();
    for (const auto& [name, db] : catalog->dbs) {
      for (const auto& table : catalog->tables.of_database(db->id)) {
        if (wanted(kTable)) out.push_back(table_row(span, *db, *table));
        if (wanted(kTableServer)) out.push_back(table_server_row(cx, span, *db, *table));
      }
    }
    return out;
  }

  void set_names(ObjectBuilder& row, const storage::DbInfo& db, const storage::TableInfo& table) const {
    const bool names = format() == IdentifierFormat::kName;
    row.set("db", Datum::string(names ? db.name : db.id));
    row.set("table", Datum::string(names ? table.name : table.id));
  }

  Datum table_row(const ActivitySpan& span, const storage::DbInfo& db,
                  const storage::TableInfo& table) const {
    ObjectBuilder row;
    row.set("id", make_id(kTable, table.id));
    set_names(row, db, table);
    row.set("query_engine",
            QueryEngine(span).rows(span.rows_before(table.id), span.rows(table.id), false).finish());
    return row.finish();
  }

  Datum table_server_row(Context& cx, const ActivitySpan& span, const storage::DbInfo& db,
                         const storage::TableInfo& table) const {
    const storage::RowCounts before = span.rows_before(table.id), now = span.rows(table.id);
    ObjectBuilder row;
    row.set("id", make_id(kTableServer, table.id, cx.engine().options().server_id));
    set_names(row, db, table);
    row.set("server", server_as(cx.engine(), format()));
    row.set("query_engine", QueryEngine(span).rows(before, now, true).finish());
    row.set("storage_engine", storage_engine(cx, span, table, before, now));
    return row.finish();
  }

  // Pages of all tables lie in one file that the system caches: nothing but the rows is one table's own.
  static Datum storage_engine(Context& cx, const ActivitySpan& span, const storage::TableInfo& table,
                              const storage::RowCounts& before, const storage::RowCounts& now) {
    ObjectBuilder cache;
    cache.set("in_use_bytes", number(0.0));
    ObjectBuilder space;
    space.set("data_bytes", number(cx.database().table_bytes(table)));
    space.set("garbage_bytes", number(0.0));
    space.set("metadata_bytes", number(0.0));
    space.set("preallocated_bytes", number(0.0));
    ObjectBuilder disk;
    disk.set("read_bytes_per_sec", number(span.per_second(before.bytes_read, now.bytes_read)));
    disk.set("read_bytes_total", number(now.bytes_read));
    disk.set("written_bytes_per_sec", number(span.per_second(before.bytes_written, now.bytes_written)));
    disk.set("written_bytes_total", number(now.bytes_written));
    disk.set("space_usage", space.finish());
    ObjectBuilder out;
    out.set("cache", cache.finish());
    out.set("disk", disk.finish());
    return out.finish();
  }
};

}  // namespace

Ref<Table> make_stats_table(IdentifierFormat format) {
  return make_ref<StatsTable>(format);
}

}  // namespace reqld::reql
