// Grouping: group, ungroup. What comes in between works group by group: see reql/grouping.hpp.

#include "reql/eval.hpp"
#include "reql/grouping.hpp"
#include "reql/sequence.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

Value group(Args& args) {
  const Value v = args.value(0);
  if (v.is(ValueKind::kGroupedData)) {
    if (!v.object<GroupedData>().is_stream()) return eval_over_groups(args.node(), args.env(), v);
    throw EvalError(ErrorCode::kQueryLogic, "Cannot call `group` on the output of `group` (did you mean to `ungroup`?).",
                    args.node_of(0));
  }
  const auto index = args.string_optarg("index");
  Sequence source;
  if (!index) source = to_sequence(args, v, 0);
  GroupKeys keys;
  for (std::size_t i = 1; i < args.size(); ++i) keys.functions.push_back(args.function(i, Shorthand::kField));
  keys.multi = args.bool_optarg("multi").value_or(false);
  const auto grouped = [&](auto... rows) {
    return Value(ValueKind::kGroupedData, make_ref<GroupedData>(std::move(rows)..., std::move(keys), &args.node()));
  };
  if (!index) {
    if (keys.functions.empty()) throw_logic("Cannot group by nothing.");
    return grouped(source.stream);
  }
  if (!v.is(ValueKind::kTable)) Args::blaming(args.node_of(0), [&] { throw_kind_error(args.cx(), "TABLE", v); });
  const TableSlice& all = v.object<TableSlice>();
  if (*index == all.table->primary_key()) {
    keys.functions.push_back(field_function(Datum::string(*index), args.optarg_node("index")));
    return grouped(slice_stream(args.cx(), all));
  }
  return grouped(all.table, *index);
}

Value ungroup(Args& args) {
  const Value v = args.value(0);
  if (!v.is(ValueKind::kGroupedData)) {
    Args::blaming(args.node_of(0), [&] { throw_kind_error(args.cx(), "GROUPED_DATA", v); });
  }
  const GroupedData::Groups& groups = v.object<GroupedData>().groups(args.cx());
  check_array_size(args.cx(), groups.size());
  ArrayBuilder all;
  for (const auto& [group_key, value] : groups) {
    ObjectBuilder entry;
    entry.set("group", group_key);
    entry.set("reduction", to_datum(args.cx(), value));
    all.add(entry.finish());
  }
  return Value(all.finish());
}

constexpr Optarg kGroupOptargs[] = {
    {"index", "group by the values of this index"},
    {"multi", "an array puts a row into the group of each of its elements (false)"},
};

constexpr Example kGroupExamples[] = {
    {"r.table('players').group('team').sum('score').ungroup()",
     R"([150,[[145,[[144,[[15,["players"]],"team"]],"score"]]]])",
     R"([{"group":"blue","reduction":7},{"group":"red","reduction":42}])"},
    {"r.table('players').group(index='tags', multi=True).count().ungroup()",
     R"([150,[[43,[[144,[[15,["players"]]],{"index":"tags","multi":true}]]]]])",
     R"([{"group":"fast","reduction":1},{"group":"new","reduction":2}])"},
};
constexpr Example kUngroupExamples[] = {
    {"r.expr([1, 2, 3, 4]).group(lambda n: n % 2).ungroup()",
     "[150,[[144,[[2,[1,2,3,4]],[69,[[2,[1]],[28,[[10,[1]],2]]]]]]]]",
     R"([{"group":0,"reduction":[2,4]},{"group":1,"reduction":[1,3]}])"},
    {"r.expr([1]).ungroup()", "[150,[[2,[1]]]]", "Expected type GROUPED_DATA but found DATUM:\n[\n\t1\n]"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kGroup, .name = "group", .arity = at_least(1), .flags = kGroupAware | kForbidsWrites, .eval = group,
     .optargs = kGroupOptargs,
     .signature = "sequence.group(field or function, …) → grouped data",
     .doc = "Rows in groups, by fields, functions or an index; terms that follow are applied to each group.",
     .examples = kGroupExamples},
    {.type = TermType::kUngroup, .name = "ungroup", .arity = exactly(1), .flags = kGroupAware, .eval = ungroup,
     .signature = "grouped data.ungroup() → array",
     .doc = "Groups as an array of {group, reduction}.",
     .examples = kUngroupExamples},
};

}  // namespace

std::span<const TermDef> group_terms() { return kTerms; }

}  // namespace reqld::reql
