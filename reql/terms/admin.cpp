// What exists: databases, tables, secondary indexes, write hooks.

#include <algorithm>
#include <set>

#include "datum/json.hpp"
#include "reql/creation.hpp"
#include "reql/eval.hpp"
#include "reql/index_definition.hpp"
#include "reql/names.hpp"
#include "reql/permissions.hpp"
#include "reql/placement.hpp"
#include "reql/print.hpp"
#include "reql/storage_call.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/table.hpp"
#include "reql/table_config.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

Datum counter(std::string_view name, double n) {
  ObjectBuilder out;
  out.set(name, Datum::number(n));
  return out.finish();
}

void check(const storage::Result<storage::Sequence>& result) {
  if (!result) throw_storage_error(result.error());
}

const storage::DbInfo& find_database(const storage::Catalog& catalog, const std::string& name) {
  const storage::DbInfo* db = catalog.db(name);
  if (!db) throw_op_failed("Database `" + name + "` does not exist.");
  return *db;
}

// --- databases

Value db_create(Args& args) {
  Context& cx = args.cx();
  const std::string name = args.string(0);
  Args::blaming(args.node_of(0), [&] { check_name("Database", name); });
  create_database(cx, {.id = {}, .name = name});
  return Value(config_change(Datum(), db_config(find_database(*cx.database().catalog(), name)), "dbs_created"));
}

Value db_drop(Args& args) {
  Context& cx = args.cx();
  const std::string name = args.string(0);
  Args::blaming(args.node_of(0), [&] { check_name("Database", name); });
  if (name == kSystemDatabase) throw_op_failed("Database `rethinkdb` is special; you can't delete it.");
  require(cx, Permission::kConfig, {database_id(cx, name), {}});
  const auto catalog = cx.database().catalog();
  const storage::DbInfo& db = find_database(*catalog, name);
  const std::size_t tables = catalog->tables.of_database(db.id).size();
  check(await_storage(cx, [&](auto done) { cx.database().drop_db(db.id, std::move(done)); }));
  ObjectBuilder out(config_change(db_config(db), Datum(), "dbs_dropped"));
  out.set("tables_dropped", Datum::number(static_cast<double>(tables)));
  return Value(out.finish());
}

Value db_list(Args& args) {
  std::set<std::string> names{std::string(kSystemDatabase)};
  const auto catalog = args.cx().database().catalog();
  for (const auto& [name, db] : catalog->dbs) names.insert(name);
  ArrayBuilder out;
  for (const std::string& name : names) out.add(Datum::string(name));
  return Value(out.finish());
}

// --- tables

// The (db, name) arguments that table_create, table_drop and table_list take.
struct TableName {
  std::string database;
  std::string name;
};

TableName read_table_name(Args& args) {
  TableName out;
  if (args.size() == 2) out.database = args.database(0);
  const std::size_t at = args.size() - 1;
  out.name = args.string(at);
  if (args.size() == 1) out.database = default_database(args.env());
  Args::blaming(args.node_of(at), [&] { check_name("Table", out.name); });
  return out;
}

storage::Durability read_table_durability(Args& args) {
  const auto text = args.string_optarg("durability");
  if (!text || *text == "hard") return storage::Durability::kHard;
  if (*text == "soft") return storage::Durability::kSoft;
  throw EvalError(ErrorCode::kQueryLogic,
                  "Durability option `" + *text + "` unrecognized (options are \"hard\" and \"soft\").",
                  args.optarg_node("durability"));
}

Value table_create(Args& args) {
  Context& cx = args.cx();
  const TableName name = read_table_name(args);
  storage::TableInfo table;
  table.name = name.name;
  table.durability = read_table_durability(args);
  table.primary_key = args.string_optarg("primary_key").value_or("id");
  check_replicas(args);
  if (const auto shards = read_shards(args)) {
    ObjectBuilder settings;
    settings.set("shards", Datum::integer(*shards));
    table.settings = settings.finish();
  }
  if (name.database == kSystemDatabase) {
    throw_op_failed("Database `rethinkdb` is special; you can't create new tables in it.");
  }
  const auto before = cx.database().catalog();
  const storage::DbInfo& db = find_database(*before, name.database);
  create_table(cx, db, table);
  const auto created = cx.database().catalog()->table(db, name.name);
  if (!created) throw_op_failed("Table `" + name.database + "." + name.name + "` does not exist.");
  return Value(config_change(Datum(), table_config(cx.engine(), name.database, *created), "tables_created"));
}

Value table_drop(Args& args) {
  Context& cx = args.cx();
  const TableName name = read_table_name(args);
  if (name.database == kSystemDatabase) {
    throw_op_failed("Database `rethinkdb` is special; you can't drop tables in it.");
  }
  const std::string missing = "Table `" + name.database + "." + name.name + "` does not exist.";
  const auto catalog = cx.database().catalog();
  const auto table = catalog->table(find_database(*catalog, name.database), name.name);
  if (!table) throw_op_failed(missing);
  require(cx, Permission::kConfig, {table->db_id, table->id});
  const auto result = await_storage(cx, [&](auto done) { cx.database().drop_table(table->id, std::move(done)); });
  if (!result && result.error().kind == storage::ErrorKind::kNotFound) throw_op_failed(missing);
  check(result);
  return Value(config_change(table_config(cx.engine(), name.database, *table), Datum(), "tables_dropped"));
}

Value table_list(Args& args) {
  const std::string database = args.has(0) ? args.database(0) : default_database(args.env());
  ArrayBuilder out;
  for (const std::string& name : list_tables(args.cx(), database)) out.add(Datum::string(name));
  return Value(out.finish());
}

// --- secondary indexes

struct StoredTarget {
  Ref<Table> table;
  std::shared_ptr<const storage::TableInfo> info;
  std::string qualified;  ///< db.table
};

StoredTarget index_target(Args& args) {
  StoredTarget out;
  out.table = args.table(0);
  out.info = out.table->stored();
  out.qualified = out.table->database() + "." + out.table->name();
  return out;
}

void require_config(Context& cx, const StoredTarget& target) {
  require(cx, Permission::kConfig, {target.info->db_id, target.info->id});
}

[[noreturn]] void refuse_system_index() {
  throw_op_failed("Database `rethinkdb` is special; you can't create secondary indexes on the tables in it.");
}

void refuse_primary(const StoredTarget& target, const std::string& name) {
  if (name == target.table->primary_key()) {
    throw_logic("Index name conflict: `" + name + "` is the name of the primary key.");
  }
}

// row -> row.getField(name), with the server's own variable (a negative number).
Function::Source field_source(const std::string& name) {
  std::string json = "[69,[[2,[-1]],[31,[[10,[-1]],";
  append_json_string(name, json);
  return {json + "]]]]", false};
}

Value index_create(Args& args) {
  Context& cx = args.cx();
  const StoredTarget target = index_target(args);
  const std::string name = args.string(1);
  refuse_primary(target, name);
  Datum definition;
  const bool multi = args.bool_optarg("multi").value_or(false);
  const bool geo = args.bool_optarg("geo").value_or(false);
  if (args.has(2)) {
    const Value v = args.value(2);
    if (v.is_datum() && v.raw_datum().is(Type::kBinary)) {
      definition = parse_index_function(v.raw_datum().binary_bytes());
    } else {
      const Ref<Function> f = to_function(args.env(), v, Shorthand::kNone, args.node_of(2));
      const Node* blame = args.node_of(2)->def->type == TermType::kFunc ? args.node_of(2)->args[1] : args.node_of(2);
      const auto source = f->source();
      if (!f->deterministic() || (f->flags() & kConstantInQuery) || !source) {
        throw EvalError(ErrorCode::kQueryLogic,
                        "Could not prove function deterministic.  Index functions must be deterministic.", blame);
      }
      definition = make_index_definition(*source, multi, geo);
    }
  } else {
    definition = make_index_definition(field_source(name), multi, geo);
  }
  if (!target.info) refuse_system_index();
  require_config(cx, target);
  storage::IndexInfo index;
  index.name = name;
  index.multi = definition.get("multi")->as_bool();
  index.geo = definition.get("geo")->as_bool();
  index.definition = definition;
  const auto result =
      await_storage(cx, [&](auto done) { cx.database().create_index(target.info->id, index, std::move(done)); });
  if (!result && result.error().kind == storage::ErrorKind::kExists) {
    throw_op_failed("Index `" + name + "` already exists on table `" + target.qualified + "`.");
  }
  check(result);
  return Value(counter("created", 1));
}

Value index_drop(Args& args) {
  Context& cx = args.cx();
  const StoredTarget target = index_target(args);
  const std::string name = args.string(1);
  const std::string missing = "Index `" + name + "` does not exist on table `" + target.qualified + "`.";
  if (!target.info) throw_op_failed(missing);
  require_config(cx, target);
  const auto result =
      await_storage(cx, [&](auto done) { cx.database().drop_index(target.info->id, name, std::move(done)); });
  if (!result && result.error().kind == storage::ErrorKind::kNotFound) throw_op_failed(missing);
  check(result);
  return Value(counter("dropped", 1));
}

Value index_list(Args& args) {
  const StoredTarget target = index_target(args);
  ArrayBuilder out;
  if (target.info) {
    for (const auto& [name, index] : target.info->indexes) out.add(Datum::string(name));
  }
  return Value(out.finish());
}

Value index_rename(Args& args) {
  Context& cx = args.cx();
  const StoredTarget target = index_target(args);
  const std::string from = args.string(1);
  const std::string to = args.string(2);
  refuse_primary(target, from);
  refuse_primary(target, to);
  const bool overwrite = args.bool_optarg("overwrite").value_or(false);
  if (!target.info) refuse_system_index();
  require_config(cx, target);
  if (from == to && target.info->indexes.contains(from)) return Value(counter("renamed", 0));
  const auto result = await_storage(
      cx, [&](auto done) { cx.database().rename_index(target.info->id, from, to, overwrite, std::move(done)); });
  if (!result && (result.error().kind == storage::ErrorKind::kNotFound || result.error().kind == storage::ErrorKind::kExists)) {
    throw_op_failed(overwrite ? "Index `" + from + "` does not exist on table `" + target.qualified + "`."
                              : "Index `" + from + "` does not exist or index `" + to + "` already exists on table `" +
                                    target.qualified + "`.");
  }
  check(result);
  return Value(counter("renamed", 1));
}

Datum index_state(const storage::IndexInfo& index, std::uint64_t rows) {
  ObjectBuilder out;
  out.set("index", Datum::string(index.name));
  out.set("multi", Datum::boolean(index.multi));
  out.set("geo", Datum::boolean(index.geo));
  out.set("outdated", Datum::boolean(false));
  out.set("ready", Datum::boolean(index.ready));
  if (!index.ready) {
    const double done = static_cast<double>(index.built_rows);
    out.set("progress", Datum::number(rows == 0 ? 0 : std::min(done / static_cast<double>(rows), 0.999)));
  }
  out.set("function", Datum::binary(index_function_binary(index.definition)));
  out.set("query", Datum::string(print_index_create(index.name, index.definition)));
  return out.finish();
}

// The state of the indexes that the arguments name (all when none), in order of their names. The table is looked up anew.
struct IndexStates {
  Datum states;
  bool all_ready = true;
};

IndexStates read_index_states(Context& cx, const StoredTarget& target, const std::set<std::string>& wanted) {
  IndexStates out;
  ArrayBuilder states;
  const auto catalog = cx.database().catalog();
  const auto table = catalog->tables.by_id(target.info->id);
  if (!table) throw_op_failed("Table `" + target.qualified + "` does not exist.");
  for (const std::string& name : wanted) {
    if (!table->indexes.contains(name)) {
      throw_op_failed("Index `" + name + "` was not found on table `" + target.qualified + "`.");
    }
  }
  std::optional<std::uint64_t> rows;
  for (const auto& [name, index] : table->indexes) {
    if (!wanted.empty() && !wanted.contains(name)) continue;
    if (!index->ready && !rows) rows = cx.database().reader()->count(*table);
    out.all_ready &= index->ready;
    states.add(index_state(*index, rows.value_or(0)));
  }
  out.states = states.finish();
  return out;
}

std::set<std::string> read_index_names(Args& args) {
  std::set<std::string> names;
  for (std::size_t i = 1; i < args.size(); ++i) names.insert(args.string(i));
  return names;
}

Value index_status(Args& args) {
  const StoredTarget target = index_target(args);
  const std::set<std::string> names = read_index_names(args);
  if (!target.info) return Value(Datum::empty_array());
  return Value(read_index_states(args.cx(), target, names).states);
}

// Wakes once when the catalog changes next, or the query is cancelled.
void await_catalog_change(Context& cx, const std::shared_ptr<const storage::Catalog>& seen);

Value index_wait(Args& args) {
  Context& cx = args.cx();
  const StoredTarget target = index_target(args);
  const std::set<std::string> names = read_index_names(args);
  if (!target.info) return Value(Datum::empty_array());
  for (;;) {
    const auto seen = cx.database().catalog();
    const IndexStates now = read_index_states(cx, target, names);
    if (now.all_ready) return Value(now.states);
    await_catalog_change(cx, seen);
    cx.check_in();
  }
}

// One wait: registered with the database for its length. Whoever comes first (a change, a cancellation) resumes the query.
class CatalogWait : public storage::ChangeListener, public std::enable_shared_from_this<CatalogWait> {
 public:
  explicit CatalogWait(std::function<void()> resume) : resume_(std::move(resume)) {}
  bool wants(const storage::TableInfo&) override { return false; }
  void on_changes(const std::vector<storage::RowChange>&) override {}
  void on_catalog(const storage::CatalogChange&) override { wake(); }
  void wake() {
    if (!woken_.exchange(true)) resume_();
  }

 private:
  std::atomic<bool> woken_{false};
  const std::function<void()> resume_;
};

void await_catalog_change(Context& cx, const std::shared_ptr<const storage::Catalog>& seen) {
  std::shared_ptr<CatalogWait> wait;
  cx.waiting().await([&](std::function<void()> resume) {
    wait = std::make_shared<CatalogWait>(std::move(resume));
    cx.database().add_listener(wait.get());
    if (cx.cancellation) cx.cancellation->set_listener([w = wait] { w->wake(); });
    // It may have changed between the look and the registration.
    if (cx.database().catalog() != seen) wait->wake();
  });
  if (cx.cancellation) cx.cancellation->clear_listener();
  cx.database().remove_listener(wait.get());
}

// --- write hooks

Value set_write_hook(Args& args) {
  Context& cx = args.cx();
  const StoredTarget target = index_target(args);
  const Value v = args.value(1);
  Datum hook;
  if (v.is_datum() && v.raw_datum().is(Type::kBinary)) {
    hook = parse_write_hook(v.raw_datum().binary_bytes());
  } else if (!(v.is_datum() && v.raw_datum().is_null())) {
    const Ref<Function> f = to_function(args.env(), v, Shorthand::kNone, args.node_of(1));
    const Node* blame = args.node_of(1)->def->type == TermType::kFunc ? args.node_of(1)->args[1] : args.node_of(1);
    const auto source = f->source();
    if (!f->deterministic() || (f->flags() & kConstantInQuery) || !source) {
      throw EvalError(ErrorCode::kQueryLogic,
                      "Could not prove function deterministic.  Write hook functions must be deterministic.", blame);
    }
    if (f->arity().value_or(3) != 3) throw_logic("Write hook functions must expect 3 arguments.");
    hook = make_write_hook(*source);
  }
  if (!target.info) throw_op_failed("Database `rethinkdb` is special; you can't set a write hook on the tables in it.");
  require_config(cx, target);
  bool had_one = false;
  check(await_storage(cx, [&](auto done) {
    cx.database().alter_table(
        target.info->id,
        [&](storage::TableInfo& table) -> storage::Result<void> {
          had_one = !table.write_hook.is_null();
          table.write_hook = hook;
          return {};
        },
        std::move(done));
  }));
  return Value(counter(hook.is_null() ? "deleted" : had_one ? "replaced" : "created", 1));
}

Value get_write_hook(Args& args) {
  const Ref<Table> table = args.table(0);
  const auto info = table->stored();
  if (info) require(args.cx(), Permission::kConfig, {info->db_id, info->id});
  return Value(info ? describe_write_hook(info->write_hook) : Datum());
}

constexpr Optarg kTableCreateOptargs[] = {
    {"primary_key", "the name of the primary key's field (`id`)"},
    {"durability", "what writes do that do not say: `hard` (the default) or `soft`"},
    {"shards", "how many shards; one server keeps one of everything, so more have no effect"},
    {"replicas", "1, or {tag of this server: 1}"},
    {"primary_replica_tag", "with `replicas` as an object: the tag of the primary replica's server"},
    {"nonvoting_replica_tags", "with `replicas` as an object: tags whose replicas do not vote"},
    {"datacenter", "without effect: server tags took its place"},
};
constexpr Optarg kIndexCreateOptargs[] = {
    {"multi", "an entry for each element of an array (false)"},
    {"geo", "an index of geometries (false)"},
};
constexpr Optarg kIndexRenameOptargs[] = {
    {"overwrite", "drop the index that has the new name (false)"},
};

constexpr TermFlags kMeta = kWrites;
constexpr TermFlags kLook = kReadsTable;

constexpr Example kDbCreateExamples[] = {
    {"r.db_create('shop').pluck('dbs_created')",
     R"([33,[[57,["shop"]],"dbs_created"]])",
     R"({"dbs_created":1})"},
    {"r.db_create('test')", R"([57,["test"]])", "Database `test` already exists."},
};
constexpr Example kDbDropExamples[] = {
    {"r.db_drop('test').pluck('dbs_dropped', 'tables_dropped')",
     R"([33,[[58,["test"]],"dbs_dropped","tables_dropped"]])",
     R"({"dbs_dropped":1,"tables_dropped":3})"},
    {"r.db_drop('nosuch')", R"([58,["nosuch"]])", "Database `nosuch` does not exist."},
};
constexpr Example kDbListExamples[] = {
    {"r.db_list()", "[59,[]]", R"(["rethinkdb","test"])"},
};
constexpr Example kTableCreateExamples[] = {
    {"r.table_create('orders', primary_key='number').pluck('tables_created')",
     R"([33,[[60,["orders"],{"primary_key":"number"}],"tables_created"]])",
     R"({"tables_created":1})"},
    {"r.table_create('players')", R"([60,["players"]])", "Table `test.players` already exists."},
};
constexpr Example kTableDropExamples[] = {
    {"r.table_drop('teams').pluck('tables_dropped')",
     R"([33,[[61,["teams"]],"tables_dropped"]])",
     R"({"tables_dropped":1})"},
};
constexpr Example kTableListExamples[] = {
    {"r.table_list()", "[62,[]]", R"(["places","players","teams"])"},
};
constexpr Example kIndexCreateExamples[] = {
    {"r.table('players').index_create('initial', lambda p: p['name'].slice(0, 1))",
     R"([75,[[15,["players"]],"initial",[69,[[2,[1]],[30,[[170,[[10,[1]],"name"]],0,1]]]]]])",
     R"({"created":1})"},
    {"r.table('players').index_create('team')",
     R"([75,[[15,["players"]],"team"]])",
     "Index `team` already exists on table `test.players`."},
};
constexpr Example kIndexDropExamples[] = {
    {"r.table('players').index_drop('team')", R"([76,[[15,["players"]],"team"]])", R"({"dropped":1})"},
    {"r.table('players').index_drop('nosuch')",
     R"([76,[[15,["players"]],"nosuch"]])",
     "Index `nosuch` does not exist on table `test.players`."},
};
constexpr Example kIndexListExamples[] = {
    {"r.table('players').index_list()", R"([77,[[15,["players"]]]])", R"(["score","tags","team"])"},
};
constexpr Example kIndexRenameExamples[] = {
    {"r.table('players').index_rename('team', 'club')",
     R"([156,[[15,["players"]],"team","club"]])",
     R"({"renamed":1})"},
    {"r.table('players').index_rename('team', 'score')",
     R"([156,[[15,["players"]],"team","score"]])",
     "Index `team` does not exist or index `score` already exists on table `test.players`."},
};
constexpr Example kIndexStatusExamples[] = {
    {"r.table('players').index_status('tags').pluck('index', 'multi', 'geo', 'ready')",
     R"([33,[[139,[[15,["players"]],"tags"]],"index","multi","geo","ready"]])",
     R"([{"geo":false,"index":"tags","multi":true,"ready":true}])"},
};
constexpr Example kIndexWaitExamples[] = {
    {"r.table('players').index_wait('team').pluck('index', 'query')",
     R"([33,[[140,[[15,["players"]],"team"]],"index","query"]])",
     "[{\"index\":\"team\",\"query\":\"indexCreate('team', function(_var1) { return _var1.getField(\\\"team\\\"); })\"}]"},
};
constexpr Example kSetWriteHookExamples[] = {
    {"r.table('teams').set_write_hook(lambda context, old, new: new.merge({'checked': True}))",
     R"([189,[[15,["teams"]],[69,[[2,[1,2,3]],[35,[[10,[3]],{"checked":true}]]]]]])",
     R"({"created":1})"},
    {"r.table('teams').set_write_hook(None)", R"([189,[[15,["teams"]],null]])", R"({"deleted":1})"},
};
constexpr Example kGetWriteHookExamples[] = {
    {"r.table('teams').get_write_hook()", R"([190,[[15,["teams"]]]])", "null"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kDbCreate, .name = "db_create", .arity = exactly(1), .flags = kMeta, .eval = db_create,
     .signature = "r.db_create(name) → object",
     .doc = "Creates a database.",
     .examples = kDbCreateExamples},
    {.type = TermType::kDbDrop, .name = "db_drop", .arity = exactly(1), .flags = kMeta, .eval = db_drop,
     .signature = "r.db_drop(name) → object",
     .doc = "Drops a database with its tables.",
     .examples = kDbDropExamples},
    {.type = TermType::kDbList, .name = "db_list", .arity = exactly(0), .flags = kLook, .eval = db_list,
     .signature = "r.db_list() → array",
     .doc = "The names of all databases.",
     .examples = kDbListExamples},
    {.type = TermType::kTableCreate, .name = "table_create", .arity = between(1, 2), .flags = kMeta, .eval = table_create,
     .optargs = kTableCreateOptargs,
     .signature = "db.table_create(name) → object\nr.table_create(name) → object",
     .doc = "Creates a table.",
     .examples = kTableCreateExamples},
    {.type = TermType::kTableDrop, .name = "table_drop", .arity = between(1, 2), .flags = kMeta, .eval = table_drop,
     .signature = "db.table_drop(name) → object\nr.table_drop(name) → object",
     .doc = "Drops a table with its rows and indexes.",
     .examples = kTableDropExamples},
    {.type = TermType::kTableList, .name = "table_list", .arity = between(0, 1), .flags = kLook, .eval = table_list,
     .signature = "db.table_list() → array\nr.table_list() → array",
     .doc = "The names of a database's tables.",
     .examples = kTableListExamples},
    {.type = TermType::kIndexCreate, .name = "index_create", .arity = between(2, 3), .flags = kMeta, .eval = index_create,
     .optargs = kIndexCreateOptargs,
     .signature = "table.index_create(name[, function]) → object",
     .doc = "Creates a secondary index; it is built in the background.",
     .examples = kIndexCreateExamples},
    {.type = TermType::kIndexDrop, .name = "index_drop", .arity = exactly(2), .flags = kMeta, .eval = index_drop,
     .signature = "table.index_drop(name) → object",
     .doc = "Drops a secondary index.",
     .examples = kIndexDropExamples},
    {.type = TermType::kIndexList, .name = "index_list", .arity = exactly(1), .flags = kLook, .eval = index_list,
     .signature = "table.index_list() → array",
     .doc = "The names of a table's secondary indexes.",
     .examples = kIndexListExamples},
    {.type = TermType::kIndexRename, .name = "index_rename", .arity = exactly(3), .flags = kMeta, .eval = index_rename,
     .optargs = kIndexRenameOptargs,
     .signature = "table.index_rename(old_name, new_name) → object",
     .doc = "Renames a secondary index.",
     .examples = kIndexRenameExamples},
    {.type = TermType::kIndexStatus, .name = "index_status", .arity = at_least(1), .flags = kLook, .eval = index_status,
     .signature = "table.index_status([name, …]) → array",
     .doc = "How far indexes are built, and what they are.",
     .examples = kIndexStatusExamples},
    {.type = TermType::kIndexWait, .name = "index_wait", .arity = at_least(1), .flags = kLook, .eval = index_wait,
     .signature = "table.index_wait([name, …]) → array",
     .doc = "Waits until indexes are ready.",
     .examples = kIndexWaitExamples},
    {.type = TermType::kSetWriteHook, .name = "set_write_hook", .arity = exactly(2), .flags = kMeta, .eval = set_write_hook,
     .signature = "table.set_write_hook(function) → object\ntable.set_write_hook(null) → object",
     .doc = "Sets or (null) removes the function that every write of a table goes through.",
     .examples = kSetWriteHookExamples},
    {.type = TermType::kGetWriteHook, .name = "get_write_hook", .arity = exactly(1), .flags = kLook, .eval = get_write_hook,
     .signature = "table.get_write_hook() → object or null",
     .doc = "The write hook of a table, or null.",
     .examples = kGetWriteHookExamples},
};

}  // namespace

std::span<const TermDef> admin_terms() { return kTerms; }

}  // namespace reqld::reql
