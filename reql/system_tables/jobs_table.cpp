// jobs: queries and index builds under way. Deleting the row of a query ends it.

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/print.hpp"
#include "reql/running_queries.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/uuid.hpp"

namespace reqld::reql {

namespace {

Datum make_row(Context& cx, std::string_view type, const std::string& id, double seconds, Datum info) {
  ObjectBuilder row;
  row.set("id", Datum::array({Datum::string(type), Datum::string(id)}));
  row.set("type", Datum::string(type));
  row.set("duration_sec", Datum::number(seconds));
  row.set("servers", Datum::array({Datum::string(cx.engine().options().server_name)}));
  row.set("info", std::move(info));
  return row.finish();
}

Datum query_row(Context& cx, RunningQuery& query) {
  if (query.id.empty()) query.id = random_uuid();
  ObjectBuilder info;
  info.set("client_address", Datum::string(query.client->peer_host));
  info.set("client_port", Datum::number(query.client->peer_port));
  info.set("user", Datum::string(query.client->user));
  info.set("query", Datum::string(print_query(*query.program->root())));
  const std::chrono::duration<double> age = std::chrono::steady_clock::now() - query.started;
  return make_row(cx, "query", query.id, age.count(), info.finish());
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
    std::vector<Datum> out;
    cx.engine().running().for_each([&](RunningQuery& query) { out.push_back(query_row(cx, query)); });
    const auto catalog = cx.database().catalog();
    for (const auto& table : catalog->tables) {
      for (const auto& [name, index] : table->indexes) {
        if (index->ready) continue;
        ObjectBuilder info;
        info.set("table", Datum::string(table->name));
        info.set("index", Datum::string(name));
        const auto rows_in_all = static_cast<double>(cx.database().reader()->count(*table));
        info.set("progress", Datum::number(rows_in_all == 0 ? 0 : static_cast<double>(index->built_rows.rows()) / rows_in_all));
        out.push_back(make_row(cx, "index_construction", index->id, 0, info.finish()));
      }
    }
    return out;
  }
};

}  // namespace

Ref<Table> make_jobs_table(IdentifierFormat format) { return make_ref<JobsTable>(format); }

}  // namespace reqld::reql
