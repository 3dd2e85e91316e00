// How tables are set up and doing: config, status, wait, reconfigure, rebalance. One server is the whole cluster: shards and
// replicas are kept as asked for and shown, and change nothing about where data is.

#include <algorithm>

#include "datum/json.hpp"
#include "reql/eval.hpp"
#include "reql/permissions.hpp"
#include "reql/placement.hpp"
#include "reql/storage_call.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/table.hpp"
#include "reql/table_config.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

using TablePtr = std::shared_ptr<const storage::TableInfo>;

// What these terms work on: one table, or all of a database.
struct Scope {
  std::string database;
  bool one_table = false;
  std::vector<TablePtr> tables;
};

Scope read_scope(Args& args, std::string_view system_database_error, std::string_view system_table_error = {}) {
  Context& cx = args.cx();
  if (args.size() == 0) throw_logic("`" + std::string(args.node().def->name) + "` can only be called on a table or database.");
  const Value v = args.value(0);
  Scope out;
  if (v.is(ValueKind::kDatabase)) {
    out.database = v.object<DatabaseRef>().name;
    if (out.database == kSystemDatabase) throw_op_failed(std::string(system_database_error));
    const auto catalog = cx.database().catalog();
    const storage::DbInfo* db = catalog->db(out.database);
    if (!db) throw_op_failed("Database `" + out.database + "` does not exist.");
    const auto tables = catalog->tables.of_database(db->id);
    out.tables.assign(tables.begin(), tables.end());
    return out;
  }
  return Args::blaming(args.node_of(0), [&] {
    if (!v.is(ValueKind::kTable)) throw_kind_error(cx, "TABLE", v);
    Table& table = *v.object<TableSlice>().table;
    out.database = table.database();
    out.one_table = true;
    const auto info = table.stored();
    if (!info) {
      EvalError error(ErrorCode::kOpFailed,
                      std::string(system_table_error.empty() ? system_database_error : system_table_error), &args.node());
      throw EvalError(error);
    }
    out.tables.push_back(info);
    return out;
  });
}

TablePtr current(Context& cx, const TablePtr& table) {
  const auto present = cx.database().catalog()->tables.by_id(table->id);
  return present ? present : table;
}

// --- config, status

// A row of a system table that may be looked at without reading that table.
Value row_of(Args& args, const std::string& system_table, Datum row) {
  const Datum id = *row.get("id");
  return Value(ValueKind::kSingleSelection,
               make_ref<SingleSelection>(open_table(args.cx(), std::string(kSystemDatabase), system_table), id, std::move(row)));
}

Value config(Args& args) {
  Context& cx = args.cx();
  const Value v = args.value(0);
  if (v.is(ValueKind::kDatabase)) {
    const std::string& name = v.object<DatabaseRef>().name;
    if (name == kSystemDatabase) throw_op_failed("Database `rethinkdb` is special; you can't configure it.");
    const auto catalog = cx.database().catalog();
    const storage::DbInfo* db = catalog->db(name);
    if (!db) throw_op_failed("Database `" + name + "` does not exist.");
    require(cx, Permission::kConfig, {db->id, {}});
    return row_of(args, "db_config", db_config(*db));
  }
  const Ref<Table> table = Args::blaming(args.node_of(0), [&] {
    if (!v.is(ValueKind::kTable)) throw_kind_error(cx, "TABLE", v);
    return v.object<TableSlice>().table;
  });
  const auto info = table->stored();
  if (!info) throw_op_failed("Database `rethinkdb` is special; you can't configure the tables in it.");
  require(cx, Permission::kConfig, {info->db_id, info->id});
  return row_of(args, "table_config", table_config(cx.engine(), table->database(), *info));
}

Value status(Args& args) {
  const Ref<Table> table = args.table(0);
  const auto info = table->stored();
  if (!info) {
    throw_op_failed("Database `rethinkdb` is special; the system tables in it don't have meaningful status information.");
  }
  return row_of(args, "table_status", table_status(args.cx().engine(), table->database(), *info, true));
}

// --- wait: a table that exists is ready

Value wait(Args& args) {
  const Scope scope = read_scope(args,
                                 "Database `rethinkdb` is special; the system tables in it are always available and don't need to "
                                 "be waited on.");
  if (const auto state = args.string_optarg("wait_for")) {
    static constexpr std::string_view kStates[] = {"all_replicas_ready", "ready_for_outdated_reads", "ready_for_reads",
                                                   "ready_for_writes"};
    if (std::find(std::begin(kStates), std::end(kStates), *state) == std::end(kStates)) {
      throw_logic("Unknown table readiness state: '" + *state +
                  "', must be one of 'ready_for_outdated_reads', 'ready_for_reads', 'ready_for_writes', or 'all_replicas_ready'.");
    }
  }
  if (const auto timeout = args.number_optarg("timeout"); timeout && *timeout < 0) {
    throw EvalError(ErrorCode::kQueryLogic, "`timeout` must not be negative.", args.optarg_node("timeout"));
  }
  ObjectBuilder out;
  out.set("ready", Datum::number(static_cast<double>(scope.tables.size())));
  return Value(out.finish());
}

// --- reconfigure, rebalance

Datum change_of(const Datum& old_val, const Datum& new_val) {
  ObjectBuilder out;
  out.set("old_val", old_val);
  out.set("new_val", new_val);
  return out.finish();
}

Datum with_shards(const Datum& settings, std::int64_t shards) {
  ObjectBuilder out = settings.is(Type::kObject) ? ObjectBuilder(settings) : ObjectBuilder();
  out.set("shards", Datum::integer(shards));
  return out.finish();
}

Value reconfigure(Args& args) {
  Context& cx = args.cx();
  const Scope scope = read_scope(args, "Database `rethinkdb` is special; you can't configure the tables in it.");
  for (const TablePtr& table : scope.tables) require(cx, Permission::kConfig, {table->db_id, table->id});
  const bool dry_run = args.bool_optarg("dry_run").value_or(false);
  if (const auto repair = args.datum_optarg("emergency_repair"); repair && !repair->is_null()) {
    const std::string mode = Args::blaming(args.optarg_node("emergency_repair"), [&] { return std::string(repair->as_string()); });
    if (mode != "unsafe_rollback" && mode != "unsafe_rollback_or_erase" && mode != "_debug_recommit") {
      throw EvalError(ErrorCode::kQueryLogic,
                      "`emergency_repair` should be \"unsafe_rollback\" or \"unsafe_rollback_or_erase\"",
                      args.optarg_node("emergency_repair"));
    }
    if (args.has_optarg("shards") || args.has_optarg("replicas") || args.has_optarg("primary_replica_tag") ||
        args.has_optarg("nonvoting_replica_tags")) {
      throw_logic("In emergency repair mode, you can't specify shards, replicas, etc.");
    }
    if (!scope.one_table) {
      throw_logic(
          "Can't emergency repair an entire database at once; instead you should run `reconfigure()` on each table individually.");
    }
    throw_op_failed("This table doesn't need to be repaired.");
  }
  for (const char* required : {"shards", "replicas"}) {
    if (!args.has_optarg(required)) throw_logic("Missing required argument `" + std::string(required) + "`.");
  }
  const auto shards = read_shards(args);
  check_replicas(args);
  ArrayBuilder config_changes, status_changes;
  for (const TablePtr& before : scope.tables) {
    const std::int64_t count = shards.value_or(shard_count(*before));
    storage::TableInfo after = *before;
    after.settings = with_shards(before->settings, count);
    if (!dry_run) {
      const auto result = await_storage(cx, [&](auto done) {
        cx.database().alter_table(
            before->id,
            [&](storage::TableInfo& table) -> storage::Result<void> {
              table.settings = with_shards(table.settings, count);
              return {};
            },
            std::move(done));
      });
      if (!result) throw_storage_error(result.error());
      after = *current(cx, before);
      status_changes.add(change_of(table_status(cx.engine(), scope.database, *before, true),
                                   table_status(cx.engine(), scope.database, after, shard_count(*before) == count)));
    }
    config_changes.add(change_of(table_config(cx.engine(), scope.database, *before),
                                 table_config(cx.engine(), scope.database, after)));
  }
  if (scope.tables.empty()) return Value(Datum::empty_object());
  ObjectBuilder out;
  out.set("reconfigured", Datum::number(dry_run ? 0 : static_cast<double>(scope.tables.size())));
  out.set("config_changes", config_changes.finish());
  if (!dry_run) out.set("status_changes", status_changes.finish());
  return Value(out.finish());
}

Value rebalance(Args& args) {
  Context& cx = args.cx();
  const Scope scope = read_scope(args, "Database `rethinkdb` is special; you can't rebalance the tables in it.");
  ArrayBuilder changes;
  for (const TablePtr& table : scope.tables) {
    require(cx, Permission::kConfig, {table->db_id, table->id});
    // With several shards the original moves data, and says so.
    const bool at_once = shard_count(*table) == 1;
    changes.add(change_of(table_status(cx.engine(), scope.database, *table, true),
                          table_status(cx.engine(), scope.database, *table, at_once)));
  }
  if (scope.tables.empty()) return Value(Datum::empty_object());
  ObjectBuilder out;
  out.set("rebalanced", Datum::number(static_cast<double>(scope.tables.size())));
  out.set("status_changes", changes.finish());
  return Value(out.finish());
}

constexpr Optarg kWaitOptargs[] = {
    {"timeout", "seconds to wait at most; without it there is no end"},
    {"wait_for", "`ready_for_outdated_reads`, `ready_for_reads`, `ready_for_writes`, `all_replicas_ready` (the default)"},
};
constexpr Optarg kReconfigureOptargs[] = {
    {"dry_run", "only say what would be done (false)"},
    {"emergency_repair",
     "`unsafe_rollback`, `unsafe_rollback_or_erase` or `_debug_recommit`: nothing needs repair on "
     "one server"},
    {"primary_replica_tag", "with `replicas` as an object: the tag of the primary replica's server"},
    {"nonvoting_replica_tags", "with `replicas` as an object: tags whose replicas do not vote"},
    {"replicas", "1, or {tag of this server: 1}"},
    {"shards", "how many shards"},
};

constexpr Example kConfigExamples[] = {
    {"r.table('players').config().pluck('name', 'db', 'primary_key', 'durability')",
     R"([33,[[174,[[15,["players"]]]],"name","db","primary_key","durability"]])",
     R"({"db":"test","durability":"hard","name":"players","primary_key":"id"})"},
    {"r.db('test').config()['name']", R"([170,[[174,[[14,["test"]]]],"name"]])", R"("test")"},
};
constexpr Example kStatusExamples[] = {
    {"r.table('players').status()['status']['all_replicas_ready']",
     R"([170,[[170,[[175,[[15,["players"]]]],"status"]],"all_replicas_ready"]])",
     "true"},
};
constexpr Example kWaitExamples[] = {
    {"r.table('players').wait()", R"([177,[[15,["players"]]]])", R"({"ready":1})"},
    {"r.db('test').wait(wait_for='all_replicas_ready', timeout=10)",
     R"([177,[[14,["test"]]],{"wait_for":"all_replicas_ready","timeout":10}])",
     R"({"ready":3})"},
};
constexpr Example kReconfigureExamples[] = {
    {"r.table('players').reconfigure(shards=1, replicas=1, dry_run=True)['reconfigured']",
     R"([170,[[176,[[15,["players"]]],{"shards":1,"replicas":1,"dry_run":true}],"reconfigured"]])",
     "0"},
    {"r.table('players').reconfigure(shards=1, replicas=2)",
     R"([176,[[15,["players"]]],{"shards":1,"replicas":2}])",
     "Can't put 2 replicas on servers with the tag `default` because there are only 1 servers with the tag `default`. It's impossible to have more replicas of the data than there are servers."},
};
constexpr Example kRebalanceExamples[] = {
    {"r.table('players').rebalance()['rebalanced']", R"([170,[[179,[[15,["players"]]]],"rebalanced"]])", "1"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kConfig, .name = "config", .arity = exactly(1), .flags = kReadsTable, .eval = config,
     .signature = "table.config() → selection\ndb.config() → selection",
     .doc = "The configuration of a table or database: a row that can be updated.",
     .examples = kConfigExamples},
    {.type = TermType::kStatus, .name = "status", .arity = exactly(1), .flags = kReadsTable, .eval = status,
     .signature = "table.status() → selection",
     .doc = "The state of a table.",
     .examples = kStatusExamples},
    {.type = TermType::kWait, .name = "wait", .arity = between(0, 1), .flags = kReadsTable, .eval = wait,
     .optargs = kWaitOptargs,
     .signature = "table.wait() → object\ndb.wait() → object",
     .doc = "Waits until tables are ready.",
     .examples = kWaitExamples},
    {.type = TermType::kReconfigure, .name = "reconfigure", .arity = exactly(1), .flags = kWrites, .eval = reconfigure,
     .optargs = kReconfigureOptargs,
     .signature = "table.reconfigure(shards=number, replicas=number) → object\ndb.reconfigure(…) → object",
     .doc = "Changes the shards and replicas of tables.",
     .examples = kReconfigureExamples},
    {.type = TermType::kRebalance, .name = "rebalance", .arity = between(0, 1), .flags = kWrites, .eval = rebalance,
     .signature = "table.rebalance() → object\ndb.rebalance() → object",
     .doc = "Evens out the shards of tables.",
     .examples = kRebalanceExamples},
};

}  // namespace

std::span<const TermDef> meta_terms() { return kTerms; }

}  // namespace reqld::reql
