// jobs: queries and index builds under way. Deleting the row of a query ends it. Users other than `admin` see their own
// queries only.

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/print.hpp"
#include "reql/running_queries.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/table_config.hpp"
#include "reql/users.hpp"
#include "reql/uuid.hpp"

namespace reqld::reql {

namespace {

using Seconds = std::chrono::duration<double>;

Datum make_row(const Datum& server, std::string_view type, const std::string& id, Seconds age, Datum info) {
  ObjectBuilder row;
  row.set("id", Datum::array({Datum::string(type), Datum::string(id)}));
  row.set("type", Datum::string(type));
  row.set("duration_sec", Datum::number(age.count()));
  row.set("servers", Datum::array({server}));
  row.set("info", std::move(info));
  return row.finish();
}

Datum query_row(const Datum& server, RunningQuery& query) {
  if (query.id.empty()) query.id = random_uuid();
  ObjectBuilder info;
  info.set("client_address", Datum::string(query.client->peer_host));
  info.set("client_port", Datum::number(query.client->peer_port));
  info.set("user", Datum::string(query.client->user));
  info.set("query", Datum::string(print_query(*query.program->root())));
  return make_row(server, "query", query.id, std::chrono::steady_clock::now() - query.started, info.finish());
}

class JobsTable : public SystemTable {
 public:
  explicit JobsTable(IdentifierFormat format) : SystemTable("jobs", format) {}

  RowOutcome write_row(Context& cx, const Datum& key, bool /*key_generated*/, const RowFunction& compute) override {
    RowOutcome outcome;
    outcome.old_row = get(cx, key);
    outcome.new_row = compute(cx, outcome.old_row);
    if (!outcome.new_row.is_null()) {
      throw_logic("The `rethinkdb.jobs` system table only allows deletions, not inserts or updates.");
    }
    if (outcome.old_row.is_null()) return outcome;
    const Datum type = *outcome.old_row.get("type");
    if (type.as_string() != "query") throw_logic("Jobs of type `" + std::string(type.as_string()) + "` cannot be interrupted.");
    const Datum id = key.at(1);
    cx.engine().running().for_each([&](RunningQuery& query) {
      if (query.id == id.as_string()) query.cancel();
    });
    return outcome;
  }

 protected:
  std::vector<Datum> rows(Context& cx) override {
    const Datum server = server_as(cx.engine(), format());
    const std::string& user = cx.client().user;
    std::vector<Datum> out;
    cx.engine().running().for_each([&](RunningQuery& query) {
      if (user == kAdmin || user == query.client->user) out.push_back(query_row(server, query));
    });
    if (user != kAdmin) return out;
    const auto catalog = cx.database().catalog();
    for (const auto& [db_name, db] : catalog->dbs) {
      for (const auto& table : catalog->tables.of_database(db->id)) add_builds(cx, server, *db, *table, out);
    }
    return out;
  }

 private:
  void add_builds(Context& cx, const Datum& server, const storage::DbInfo& db, const storage::TableInfo& table,
                  std::vector<Datum>& out) const {
    const bool names = format() == IdentifierFormat::kName;
    for (const auto& [name, index] : table.indexes) {
      if (index->ready) continue;
      ObjectBuilder info;
      info.set("db", Datum::string(names ? db.name : db.id));
      info.set("table", Datum::string(names ? table.name : table.id));
      info.set("index", Datum::string(name));
      const auto rows_in_all = static_cast<double>(cx.database().reader()->count(table));
      info.set("progress", Datum::number(rows_in_all == 0 ? 0 : static_cast<double>(index->built_rows.rows()) / rows_in_all));
      out.push_back(make_row(server, "index_construction", index->id, index->built_rows.age(), info.finish()));
    }
  }
};

}  // namespace

Ref<Table> make_jobs_table(IdentifierFormat format) { return make_ref<JobsTable>(format); }

}  // namespace reqld::reql
