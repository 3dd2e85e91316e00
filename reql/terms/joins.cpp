// Joins: inner_join, outer_join, eq_join, zip.

#include "reql/eval.hpp"
#include "reql/grouping.hpp"
#include "reql/merge.hpp"
#include "reql/sequence.hpp"
#include "reql/streams/join.hpp"
#include "reql/streams/step.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

template <JoinKind kKind>
Value nested_join(Args& args) {
  const Sequence left = sequence_arg(args, 0);
  Value right = args.value(1);
  to_sequence(args, right, 1);
  return Value(nested_loop_join(left.stream, std::move(right), args.function(2), kKind));
}

Value eq_join(Args& args) {
  const Sequence left = sequence_arg(args, 0);
  const Ref<Function> key = args.function(1, Shorthand::kField);
  const Ref<Table> table = args.table(2);
  std::string index = table->primary_key();
  // Here a wrong type is blamed on the term.
  if (const auto named = args.datum_optarg("index")) index = named->as_string();
  // Rows come in the order of the left side, whether that was asked for or not.
  args.bool_optarg("ordered");
  lookup_index(*table, index);
  return Value(lookup_join(left.stream, key, table, index, &args.node()));
}

class ZipStep : public RowStep {
 public:
  explicit ZipStep(const Node* node) : node_(node) {}
  void run(Context& cx, Batch& rows, std::size_t from) override {
    Args::blaming(node_, [&] {
      for (std::size_t i = from; i < rows.size(); ++i) rows[i] = zipped(cx, rows[i]);
    });
  }
  bool is_one_to_one() const override { return true; }

 private:
  static Datum zipped(const Context& cx, const Datum& pair) {
    auto left = pair.get("left");
    if (!left) throw_logic("ZIP can only be called on the result of a join.");
    const auto right = pair.get("right");
    return right ? merge(cx, *left, *right) : std::move(*left);
  }

  const Node* const node_;
};

Value zip(Args& args) {
  const Value v = args.value(0);
  const Ref<ZipStep> step = make_ref<ZipStep>(&args.node());
  if (v.is(ValueKind::kGroupedData)) return Value(ValueKind::kGroupedData, v.object<GroupedData>().with(step));
  return Value(step_stream(to_sequence(args, v, 0).stream, step));
}

constexpr Optarg kEqJoinOptargs[] = {
    {"index", "join on this index of the right table instead of its primary key"},
    {"ordered", "keep the order of the left sequence (false)"},
};

constexpr Example kInnerJoinExamples[] = {
    {"r.expr([1, 2]).inner_join([2, 3], lambda a, b: a < b)",
     "[48,[[2,[1,2]],[2,[2,3]],[69,[[2,[1,2]],[19,[[10,[1]],[10,[2]]]]]]]]",
     R"([{"left":1,"right":2},{"left":1,"right":3},{"left":2,"right":3}])"},
};
constexpr Example kOuterJoinExamples[] = {
    {"r.expr([1, 2]).outer_join([2], lambda a, b: a == b)",
     "[49,[[2,[1,2]],[2,[2]],[69,[[2,[1,2]],[17,[[10,[1]],[10,[2]]]]]]]]",
     R"([{"left":1},{"left":2,"right":2}])"},
};
constexpr Example kEqJoinExamples[] = {
    {"r.table('players').get_all(1).eq_join('team', r.table('teams')).zip().pluck('name', 'city')",
     R"([33,[[72,[[50,[[78,[[15,["players"]],1]],"team",[15,["teams"]]]]]],"name","city"]])",
     R"([{"city":"Rome","name":"Ann"}])"},
};
constexpr Example kZipExamples[] = {
    {"r.expr([{'left': {'a': 1}, 'right': {'b': 2}}]).zip()",
     R"([72,[[2,[{"left":{"a":1},"right":{"b":2}}]]]])",
     R"([{"a":1,"b":2}])"},
    {"r.expr([{'a': 1}]).zip()",
     R"([72,[[2,[{"a":1}]]]])",
     "ZIP can only be called on the result of a join."},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kInnerJoin, .name = "inner_join", .arity = exactly(3), .flags = kForbidsWrites,
     .eval = nested_join<JoinKind::kInner>,
     .signature = "sequence.inner_join(sequence, function) → sequence",
     .doc = "{left, right} for each pair of rows for which a function holds.",
     .examples = kInnerJoinExamples},
    {.type = TermType::kOuterJoin, .name = "outer_join", .arity = exactly(3), .flags = kForbidsWrites,
     .eval = nested_join<JoinKind::kOuter>,
     .signature = "sequence.outer_join(sequence, function) → sequence",
     .doc = "inner_join, with {left} for rows that have no partner.",
     .examples = kOuterJoinExamples},
    {.type = TermType::kEqJoin, .name = "eq_join", .arity = exactly(3), .flags = kForbidsWrites, .eval = eq_join,
     .optargs = kEqJoinOptargs,
     .signature = "sequence.eq_join(field or function, table) → sequence",
     .doc = "{left, right} for each row and those of a table whose key, or index value, is a field or function of it.",
     .examples = kEqJoinExamples},
    {.type = TermType::kZip, .name = "zip", .arity = exactly(1), .flags = kFusesGroups, .eval = zip,
     .signature = "sequence.zip() → sequence",
     .doc = "The pairs that a join makes, merged.",
     .examples = kZipExamples},
};

}  // namespace

std::span<const TermDef> join_terms() { return kTerms; }

}  // namespace reqld::reql
