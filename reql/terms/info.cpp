// info: what a value is.

#include "datum/json.hpp"
#include "reql/eval.hpp"
#include "reql/print.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/table.hpp"
#include "reql/table_config.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

Datum typed(std::string_view type) {
  ObjectBuilder out;
  out.set("type", Datum::string(type));
  return out.finish();
}

Datum database_info(Context& cx, const std::string& name) {
  ObjectBuilder out;
  out.set("type", Datum::string("DB"));
  out.set("name", Datum::string(name));
  if (name == kSystemDatabase) {
    out.set("id", Datum::string(kSystemDatabaseId));
  } else {
    const auto catalog = cx.database().catalog();
    const storage::DbInfo* db = catalog->db(name);
    if (!db) throw_op_failed("Database `" + name + "` does not exist.");
    out.set("id", Datum::string(db->id));
  }
  return out.finish();
}

/// As if the rows were spread evenly over the shards.
Datum count_estimates(std::uint64_t rows, std::uint64_t shards) {
  ArrayBuilder out;
  for (std::uint64_t i = 0; i < shards; ++i) out.add(Datum::number(static_cast<double>(rows / shards + (i < rows % shards ? 1 : 0))));
  return out.finish();
}

Datum table_info(Context& cx, Table& table) {
  ObjectBuilder out;
  out.set("type", Datum::string("TABLE"));
  out.set("name", Datum::string(table.name()));
  out.set("primary_key", Datum::string(table.primary_key()));
  out.set("db", database_info(cx, table.database()));
  const auto stored = table.stored();
  out.set("doc_count_estimates", count_estimates(table.count(cx), stored ? static_cast<std::uint64_t>(shard_count(*stored)) : 1));
  ArrayBuilder indexes;
  out.set("id", Datum::string(stored ? stored->id : system_table_id(table.name())));
  if (stored) {
    for (const auto& [name, index] : stored->indexes) indexes.add(Datum::string(name));
  }
  out.set("indexes", indexes.finish());
  return out.finish();
}

Datum of_table(Context& cx, const std::string& type, Table& table) {
  ObjectBuilder out;
  out.set("type", Datum::string(type));
  out.set("table", table_info(cx, table));
  return out.finish();
}

// `no_bound` is the extreme that leaves a side open; the other extreme lets nothing through.
void set_bound(ObjectBuilder& out, const std::string& side, const Datum& bound, bool open, Type no_bound) {
  const bool extreme = bound.is(Type::kMinVal) || bound.is(Type::kMaxVal);
  std::string_view kind = open ? "open" : "closed";
  if (extreme) kind = bound.is(no_bound) ? "unbounded" : "unachievable";
  out.set(side + "_type", Datum::string(kind));
  if (!extreme) out.set(side, bound);
}

Datum slice_info(Context& cx, const TableSlice& slice) {
  ObjectBuilder out(of_table(cx, "TABLE_SLICE", *slice.table));
  out.set("index", Datum::string(slice.index.empty() ? slice.table->primary_key() : slice.index));
  static constexpr std::string_view kSorting[] = {"UNORDERED", "ASCENDING", "DESCENDING"};
  out.set("sorting", Datum::string(kSorting[static_cast<std::size_t>(slice.order)]));
  set_bound(out, "left_bound", slice.bounds.lower, slice.bounds.lower_open, Type::kMinVal);
  set_bound(out, "right_bound", slice.bounds.upper, slice.bounds.upper_open, Type::kMaxVal);
  return out.finish();
}

Datum datum_info(Context& cx, const Value& value) {
  const Datum d = to_datum(cx, value);
  ObjectBuilder out(typed(type_name(d.type())));
  if (d.is(Type::kNull) || d.is(Type::kMinVal) || d.is(Type::kMaxVal)) return out.finish();
  if (d.is(Type::kBinary)) {
    out.set("count", Datum::number(static_cast<double>(d.binary_size())));
    out.set("value", Datum::string(to_json(d)));
  } else {
    out.set("value", Datum::string(to_pretty_json(d)));
  }
  return out.finish();
}

Value info(Args& args) {
  Context& cx = args.cx();
  const Value v = args.value(0);
  switch (v.kind()) {
    case ValueKind::kDatabase: return Value(database_info(cx, v.object<DatabaseRef>().name));
    case ValueKind::kTable: return Value(table_info(cx, *v.object<TableSlice>().table));
    case ValueKind::kTableSlice: return Value(slice_info(cx, v.object<TableSlice>()));
    case ValueKind::kSelection: return Value(of_table(cx, type_of(cx, v), *v.object<Selection>().table));
    case ValueKind::kSingleSelection:
      return Value(of_table(cx, "SELECTION<OBJECT>", *v.object<SingleSelection>().table));
    case ValueKind::kFunction: {
      ObjectBuilder out(typed("FUNCTION"));
      const Node* node = v.object<Function>().node();
      // r.js makes functions that have no FUNC.
      const bool has_body = node && node->def->type == TermType::kFunc;
      out.set("source_code", Datum::string(has_body ? print_function_source(*node) : node ? print_query(*node) : "(a function)"));
      return Value(out.finish());
    }
    case ValueKind::kSequence:
      if (v.object<Stream>().is_array()) return Value(datum_info(cx, v));
      return Value(typed("STREAM"));
    case ValueKind::kDatum: return Value(datum_info(cx, v));
    default: return Value(typed(type_of(cx, v)));
  }
}

constexpr Example kInfoExamples[] = {
    {"r.table('players').info().pluck('type', 'name', 'primary_key', 'indexes')",
     R"([33,[[79,[[15,["players"]]]],"type","name","primary_key","indexes"]])",
     R"({"indexes":["score","tags","team"],"name":"players","primary_key":"id","type":"TABLE"})"},
    {"r.expr(1).info()", "[79,[1]]", R"({"type":"NUMBER","value":"1"})"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kInfo, .name = "info", .arity = exactly(1), .flags = kGroupAware, .eval = info,
     .signature = "value.info() → object",
     .doc = "What a value is: its type and what is known about it.",
     .examples = kInfoExamples},
};

}  // namespace

std::span<const TermDef> info_terms() { return kTerms; }

}  // namespace reqld::reql
