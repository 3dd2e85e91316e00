// Databases and tables as things to read from: db, table, get, get_all, between.

#include <algorithm>

#include "datum/json.hpp"
#include "datum/key_codec.hpp"
#include "reql/eval.hpp"
#include "reql/names.hpp"
#include "reql/sequence.hpp"
#include "reql/streams/concat.hpp"
#include "reql/table.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

Value database(Args& args) {
  const std::string name = args.string(0);
  Args::blaming(args.node_of(0), [&] { check_name("Database", name); });
  return Value(ValueKind::kDatabase, make_ref<DatabaseRef>(name));
}

void check_read_mode(Args& args, std::string_view optarg) {
  const auto mode = args.string_optarg(optarg);
  if (!mode || *mode == "single" || *mode == "majority" || *mode == "outdated") return;
  throw_logic("Read mode `" + *mode + "` unrecognized (options are \"majority\", \"single\", and \"outdated\").");
}

void refuse_use_outdated(Args& args) {
  if (!args.has_optarg("use_outdated")) return;
  throw_logic("The `use_outdated` optarg is no longer supported.  Use the `read_mode` optarg instead.");
}

Value table(Args& args) {
  std::string database_name;
  const std::size_t name_at = args.size() - 1;
  if (args.size() == 2) database_name = args.database(0);
  if (args.size() == 1) database_name = default_database(args.env());
  const std::string name = args.string(name_at);
  Args::blaming(args.node_of(name_at), [&] { check_name("Table", name); });
  check_read_mode(args, "read_mode");
  refuse_use_outdated(args);
  IdentifierFormat format = IdentifierFormat::kName;
  if (const auto text = args.string_optarg("identifier_format")) {
    if (*text == "uuid") {
      format = IdentifierFormat::kUuid;
    } else if (*text != "name") {
      throw_logic("Identifier format `" + *text + "` unrecognized (options are \"name\" and \"uuid\").");
    }
  }
  if (args.size() == 2) Args::blaming(args.node_of(0), [&] { check_database(args.cx(), database_name); });
  return Value(ValueKind::kTable, make_ref<TableSlice>(open_table(args.cx(), database_name, name, format)));
}

Value get(Args& args) {
  const Ref<Table> t = args.table(0);
  Datum key = args.datum(1);
  // A key that cannot exist is an error of the query, found before anything is read; a system table just has no such row.
  if (t->stored()) to_primary_key(key);
  return Value(ValueKind::kSingleSelection, make_ref<SingleSelection>(t, std::move(key)));
}

Value get_all(Args& args) {
  const Ref<Table> t = args.table(0);
  const std::string index = args.string_optarg("index").value_or(t->primary_key());
  std::vector<Ref<Stream>> streams;
  for (std::size_t i = 1; i < args.size(); ++i) {
    const Datum key = args.datum(i);
    if (key.is_null()) throw EvalError(ErrorCode::kNonExistence, "Keys cannot be NULL.", args.node_of(i));
    if (key.is(Type::kGeometry)) {
      throw EvalError(ErrorCode::kQueryLogic,
                      "Cannot use a geospatial index with `get_all`. Use `get_intersecting` instead.", args.node_of(i));
    }
    streams.push_back(lookup(args.cx(), *t, index, key));
  }
  if (streams.empty()) lookup_index(*t, index);
  return Value(ValueKind::kSelection, make_ref<Selection>(t, concat_streams(std::move(streams))));
}

Value between_bounds(Args& args) {
  const Value v = args.value(0);
  const bool sliceable = v.is(ValueKind::kTable) || v.is(ValueKind::kTableSlice);
  if (!sliceable) Args::blaming(args.node_of(0), [&] { throw_kind_error(args.cx(), "TABLE_SLICE", v); });
  const Ref<TableSlice> slice = make_ref<TableSlice>(v.object<TableSlice>());
  Bounds bounds;
  bounds.lower = args.datum(1);
  bounds.upper = args.datum(2);
  for (std::size_t i = 1; i <= 2; ++i) {
    const Datum& bound = i == 1 ? bounds.lower : bounds.upper;
    if (bound.is_null()) {
      throw EvalError(ErrorCode::kQueryLogic,
                      "Cannot use `null` in BETWEEN, use `r.minval` or `r.maxval` to denote unboundedness.", args.node_of(i));
    }
  }
  bounds.lower_open = args.open_bound_optarg("left_bound", false);
  bounds.upper_open = args.open_bound_optarg("right_bound", true);
  const std::string old_index = slice->index.empty() ? slice->table->primary_key() : slice->index;
  const auto named = args.string_optarg("index");
  const std::string index = named ? *named : old_index;
  const bool has_index = !slice->index.empty();
  if (slice->bounded) {
    throw EvalError(ErrorCode::kQueryLogic, "Cannot perform multiple BETWEENs on the same table.", table_node(args.node_of(0)));
  }
  if (has_index && index != old_index) {
    throw_logic("Cannot use 2 indexes in the same operation.");
  }
  slice->index = index;
  slice->bounds = std::move(bounds);
  slice->bounded = true;
  return Value(ValueKind::kTableSlice, slice);
}

Value between_deprecated(Args& args) { return between_bounds(args); }

constexpr Optarg kTableOptargs[] = {
    {"read_mode", "`single`, `majority` or `outdated`: the same with one server"},
    {"use_outdated", "refused: `read_mode` took its place"},
    {"identifier_format", "`name` (the default) or `uuid`: how system tables call servers, databases and tables"},
};
constexpr Optarg kIndexOptarg[] = {
    {"index", "the index that the keys belong to (the primary key)"},
};
constexpr Optarg kBetweenOptargs[] = {
    {"index", "the index that the bounds belong to (the primary key)"},
    {"left_bound", "whether the lower bound itself counts: `closed` (the default) or `open`"},
    {"right_bound", "whether the upper bound itself counts: `open` (the default) or `closed`"},
};

constexpr Example kDbExamples[] = {
    {"r.db('test').table_list()", R"([62,[[14,["test"]]]])", R"(["places","players","teams"])"},
    {"r.db('no such')",
     R"([14,["no such"]])",
     "Database name `no such` invalid (Use A-Z, a-z, 0-9, _ and - only)."},
};
constexpr Example kTableExamples[] = {
    {"r.table('teams').order_by('id')",
     R"([41,[[15,["teams"]],"id"]])",
     R"([{"city":"Bern","id":"blue"},{"city":"Rome","id":"red"}])"},
    {"r.table('nosuch')", R"([15,["nosuch"]])", "Table `test.nosuch` does not exist."},
};
constexpr Example kGetExamples[] = {
    {"r.table('teams').get('red')", R"([16,[[15,["teams"]],"red"]])", R"({"city":"Rome","id":"red"})"},
    {"r.table('teams').get('green')", R"([16,[[15,["teams"]],"green"]])", "null"},
};
constexpr Example kGetAllExamples[] = {
    {"r.table('players').get_all(1, 2).count()", R"([43,[[78,[[15,["players"]],1,2]]]])", "2"},
    {"r.table('players').get_all('blue', index='team')['name']",
     R"([170,[[78,[[15,["players"]],"blue"],{"index":"team"}],"name"]])",
     R"(["Bob"])"},
};
constexpr Example kBetweenExamples[] = {
    {"r.table('players').between(1, 3)['name']",
     R"([170,[[182,[[15,["players"]],1,3]],"name"]])",
     R"(["Ann","Bob"])"},
    {"r.table('players').between(7, 12, index='score', right_bound='closed').order_by(index='score')['name']",
     R"([170,[[41,[[182,[[15,["players"]],7,12],{"index":"score","right_bound":"closed"}]],{"index":"score"}],"name"]])",
     R"(["Bob","Ann"])"},
};
constexpr Example kBetweenDeprecatedExamples[] = {
    {"r.table('players').between(1, 3)['name']",
     R"([170,[[36,[[15,["players"]],1,3]],"name"]])",
     R"(["Ann","Bob"])"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kDb, .name = "db", .arity = exactly(1), .eval = database,
     .signature = "r.db(name) → database",
     .doc = "A database by name.",
     .examples = kDbExamples},
    {.type = TermType::kTable, .name = "table", .arity = between(1, 2), .flags = kReadsTable, .eval = table,
     .optargs = kTableOptargs,
     .signature = "r.table(name) → table\ndb.table(name) → table",
     .doc = "A table of a database.",
     .examples = kTableExamples},
    {.type = TermType::kGet, .name = "get", .arity = exactly(2), .eval = get,
     .signature = "table.get(key) → row or null",
     .doc = "The row with this primary key, or null.",
     .examples = kGetExamples},
    {.type = TermType::kGetAll, .name = "get_all", .arity = at_least(1), .eval = get_all, .optargs = kIndexOptarg,
     .signature = "table.get_all(key, …) → selection",
     .doc = "All rows with one of these keys, by primary key or index.",
     .examples = kGetAllExamples},
    {.type = TermType::kBetween, .name = "between", .arity = exactly(3), .eval = between_bounds,
     .optargs = kBetweenOptargs,
     .signature = "table.between(lower, upper) → selection",
     .doc = "Rows whose key lies between two bounds.",
     .examples = kBetweenExamples},
    {.type = TermType::kBetweenDeprecated, .name = "between", .arity = exactly(3), .eval = between_deprecated,
     .optargs = kBetweenOptargs,
     .signature = "table.between(lower, upper) → selection",
     .doc = "BETWEEN as old drivers send it.",
     .examples = kBetweenDeprecatedExamples},
};

}  // namespace

std::span<const TermDef> table_terms() { return kTerms; }

}  // namespace reqld::reql
