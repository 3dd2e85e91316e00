#include "reql/grouping.hpp"

namespace reqld::reql {

Datum grouped_to_datum(Context& cx, const GroupedData& grouped) {
  ArrayBuilder data;
  for (const auto& [group, value] : grouped.groups) data.add(Datum::array({group, to_datum(cx, value)}));
  ObjectBuilder object;
  object.set("$reql_type$", Datum::string("GROUPED_DATA"));
  object.set("data", data.finish());
  return object.finish();
}

Value eval_over_groups(const Node& node, Env& env, const Value& grouped) {
  std::vector<std::pair<Datum, Value>> results;
  for (const auto& [group, value] : grouped.object<GroupedData>().groups) {
    Args args(node, env);
    args.preset(0, value);
    // A lazy result would be read by all that follows, group by group: keep it as data.
    results.emplace_back(group, Value(to_datum(env.cx, node.def->eval(args))));
  }
  return Value(ValueKind::kGroupedData, make_ref<GroupedData>(std::move(results)));
}

}  // namespace reqld::reql
