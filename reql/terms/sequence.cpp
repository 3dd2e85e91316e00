// Sequences row by row: map, filter, concat_map, with their positions, unions and membership.

#include <algorithm>

#include "reql/eval.hpp"
#include "reql/grouping.hpp"
#include "reql/order.hpp"
#include "reql/predicate.hpp"
#include "reql/sequence.hpp"
#include "reql/streams/concat.hpp"
#include "reql/streams/concat_map.hpp"
#include "reql/streams/map_many.hpp"
#include "reql/streams/merge_ordered.hpp"
#include "reql/streams/range.hpp"
#include "reql/streams/step.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

/// `sequence` (argument 0) with `step` done to it. Rows that are merely left out leave a selection one.
enum class Rows : std::uint8_t { kChanged, kSelected };
Value with_step(Args& args, const Value& sequence, Ref<RowStep> step, Rows rows) {
  if (sequence.is(ValueKind::kGroupedData)) {
    return Value(ValueKind::kGroupedData, sequence.object<GroupedData>().with(std::move(step)));
  }
  const Sequence source = to_sequence(args, sequence, 0);
  Ref<Stream> stream = step_stream(source.stream, std::move(step));
  return rows == Rows::kSelected ? source.with(std::move(stream)) : Value(std::move(stream));
}

// map

class MapStep : public RowStep {
 public:
  explicit MapStep(Ref<Function> function) : function_(std::move(function)) {}
  void run(Context& cx, Batch& rows, std::size_t from) override {
    for (std::size_t i = from; i < rows.size(); ++i) rows[i] = function_->call1(cx, rows[i]);
  }
  bool is_one_to_one() const override { return true; }
  Ref<RowStep> copy() const override {
    if (!function_->deterministic()) return {};
    return make_ref<MapStep>(function_);
  }

 private:
  const Ref<Function> function_;
};

std::string count_of(std::size_t n, std::string_view one, std::string_view many) {
  return std::to_string(n) + " " + std::string(n == 1 ? one : many);
}

Value map(Args& args) {
  const std::size_t sequences = args.size() - 1;
  const Value first = args.value(0);
  std::vector<Ref<Stream>> streams;
  if (sequences > 1) {
    streams.push_back(to_sequence(args, first, 0).stream);
    for (std::size_t i = 1; i < sequences; ++i) streams.push_back(sequence_arg(args, i).stream);
  }
  const Ref<Function> f = args.function(sequences);
  if (const auto arity = f->arity(); arity && *arity != 0 && *arity != sequences) {
    throw_logic("The function passed to `map` expects " + count_of(*arity, "argument", "arguments") + ", but " +
                count_of(sequences, "sequence was", "sequences were") + " found.");
  }
  if (sequences == 1) return with_step(args, first, make_ref<MapStep>(f), Rows::kChanged);
  return Value(map_many_stream(std::move(streams), f));
}

Value concat_map(Args& args) {
  const Value first = args.value(0);
  const Node* node = args.node_of(1);
  if (first.is(ValueKind::kGroupedData)) return with_step(args, first, concat_map_step(args.function(1), node), Rows::kChanged);
  const Sequence source = to_sequence(args, first, 0);
  return Value(concat_map_stream(source.stream, args.function(1), node));
}

// filter

/// What becomes of rows that lack a field the predicate asks for: the `default` argument, looked at when there is one.
class MissingPolicy {
 public:
  explicit MissingPolicy(Args& args) : keep_(false) {
    try {
      if (const auto d = args.bool_optarg("default")) keep_ = *d;
    } catch (const EvalError& e) {
      error_ = e;
    }
  }
  /// Whether to keep such a row; throws when it is an error.
  bool keep(Context& cx, const Predicate& predicate, const Datum& row) const {
    if (!error_) return keep_;
    if (error_->is_empty_error()) predicate.throw_missing(cx, row);
    throw *error_;
  }

 private:
  bool keep_;
  std::optional<EvalError> error_;
};

class FilterStep : public RowStep {
 public:
  FilterStep(Predicate predicate, MissingPolicy missing) : predicate_(std::move(predicate)), missing_(std::move(missing)) {}
  void run(Context& cx, Batch& rows, std::size_t from) override {
    std::size_t to = from;
    for (std::size_t i = from; i < rows.size(); ++i) {
      const auto answer = predicate_.test(cx, rows[i]);
      bool keep = answer == Predicate::Answer::kYes;
      if (answer == Predicate::Answer::kMissing) keep = missing_.keep(cx, predicate_, rows[i]);
      if (!keep) continue;
      if (to != i) rows[to] = std::move(rows[i]);
      ++to;
    }
    // The buffers that rows were read into are shared: a few that are kept would keep those of all alive.
    if (to - from < (rows.size() - from) / kSparse) {
      for (std::size_t i = from; i < to; ++i) rows[i] = rows[i].compact();
    }
    rows.resize(to);
  }
  Ref<RowStep> copy() const override {
    if (!predicate_.deterministic()) return {};
    return make_ref<FilterStep>(predicate_, missing_);
  }

 private:
  /// One of so many rows.
  static constexpr std::size_t kSparse = 8;

  const Predicate predicate_;
  const MissingPolicy missing_;
};

Value filter(Args& args) {
  const Value first = args.value(0);
  Predicate predicate(args.function(1, Shorthand::kConstant), args.node_of(1));
  return with_step(args, first, make_ref<FilterStep>(std::move(predicate), MissingPolicy(args)), Rows::kSelected);
}

// Positions and membership.

/// Whether a row is what an argument says: equal to a value, or such that a function holds.
class Condition {
 public:
  Condition(Args& args, std::size_t i) {
    const Value v = args.value(i);
    if (v.is(ValueKind::kFunction)) {
      function_ = v.ref<Function>();
    } else {
      value_ = Args::blaming(args.node_of(i), [&] { return to_datum(args.cx(), v); });
    }
  }
  bool is_function() const { return static_cast<bool>(function_); }
  bool holds(Context& cx, const Datum& row) const { return function_ ? function_->test(cx, row) : row == value_; }

 private:
  Ref<Function> function_;
  Datum value_;
};

class OffsetsStep : public RowStep {
 public:
  explicit OffsetsStep(Condition condition) : condition_(std::move(condition)) {}
  bool is_stateless() const override { return false; }
  void run(Context& cx, Batch& rows, std::size_t from) override {
    std::size_t to = from;
    for (std::size_t i = from; i < rows.size(); ++i, ++at_) {
      if (condition_.holds(cx, rows[i])) rows[to++] = Datum::integer(at_);
    }
    rows.resize(to);
  }

 private:
  const Condition condition_;
  std::int64_t at_ = 0;
};

Value offsets_of(Args& args) {
  const Sequence source = sequence_arg(args, 0);
  return Value(step_stream(source.stream, make_ref<OffsetsStep>(Condition(args, 1))));
}

Value contains(Args& args) {
  const Sequence source = sequence_arg(args, 0);
  std::vector<Condition> values, functions;
  for (std::size_t i = 1; i < args.size(); ++i) {
    Condition c(args, i);
    (c.is_function() ? functions : values).push_back(std::move(c));
  }
  if (values.empty() && functions.empty()) return Value(Datum::boolean(true));
  // Each row answers for one value and for one function at most.
  const auto take_off = [&](std::vector<Condition>& wanted, const Datum& row) {
    const auto found = std::find_if(wanted.begin(), wanted.end(), [&](const Condition& c) { return c.holds(args.cx(), row); });
    if (found != wanted.end()) wanted.erase(found);
  };
  bool all = false;
  const auto look = [&](Datum& row) {
    take_off(values, row);
    take_off(functions, row);
    all = values.empty() && functions.empty();
    return !all;
  };
  refuse_infinite(args, 0, *source.stream);
  for_each_row(args.cx(), *source.stream, look);
  return Value(Datum::boolean(all));
}

Value is_empty(Args& args) {
  const Sequence source = sequence_arg(args, 0);
  if (source.stream->feed_kind() != FeedKind::kNone) refuse_infinite(args, 0, *source.stream);
  Batch batch;
  BatchLimits limits;
  limits.max_rows = 1;
  bool more = true;
  while (more && batch.empty()) {
    args.cx().check_in();
    more = source.stream->next(args.cx(), limits, batch);
  }
  return Value(Datum::boolean(batch.empty()));
}

// range, union

Value range(Args& args) {
  if (args.size() == 0) return Value(range_stream(0, std::nullopt));
  if (args.size() == 1) return Value(range_stream(0, args.integer(0)));
  const std::int64_t start = args.integer(0);
  return Value(range_stream(start, args.integer(1)));
}

/// The keys that `interleave` asks for, none when it is true or false.
std::vector<OrderKey> interleave_keys(Args& args) {
  std::vector<OrderKey> keys;
  const Node* node = args.optarg_node("interleave");
  if (!node) return keys;
  Env env = args.env_of(*node);
  if (node->def->type == TermType::kMakeArray) {
    for (const Node* element : node->args) {
      refuse_spliced_key(*element);
      keys.push_back(order_key(env, eval(*element, env), element));
    }
    return keys;
  }
  const Value v = eval(*node, env);
  if (v.is_datum() && v.raw_datum().is(Type::kBool)) return keys;
  if (v.is_datum() && v.raw_datum().is(Type::kArray)) {
    const Datum& names = v.raw_datum();
    for (std::size_t i = 0; i < names.array_size(); ++i) keys.push_back(order_key(env, Value(names.at(i)), node));
    return keys;
  }
  keys.push_back(order_key(env, v, node));
  return keys;
}

Value union_term(Args& args) {
  if (args.size() == 0) return Value(Datum::empty_array());
  std::vector<Ref<Stream>> streams;
  for (std::size_t i = 0; i < args.size(); ++i) streams.push_back(sequence_arg(args, i).stream);
  std::vector<OrderKey> keys = interleave_keys(args);
  if (keys.empty()) return Value(concat_streams(std::move(streams)));
  return Value(merge_ordered(std::move(streams), std::move(keys), &args.node()));
}

constexpr Optarg kFilterOptargs[] = {
    {"default", "what becomes of rows that lack a field: false leaves them out (the default), true keeps them, r.error() fails"},
};
constexpr Optarg kUnionOptargs[] = {
    {"interleave",
     "true: rows as they come (the default); false: one sequence after the other; a field, "
     "function or array of those: merge sequences sorted by it"},
};
constexpr TermFlags kRowByRow = kFusesGroups | kForbidsWrites;

constexpr Example kMapExamples[] = {
    {"r.expr([1, 2]).map(lambda n: n * n)",
     "[38,[[2,[1,2]],[69,[[2,[1]],[26,[[10,[1]],[10,[1]]]]]]]]",
     "[1,4]"},
    {"r.map([1, 2], [10, 20, 30], lambda a, b: a + b)",
     "[38,[[2,[1,2]],[2,[10,20,30]],[69,[[2,[1,2]],[24,[[10,[1]],[10,[2]]]]]]]]",
     "[11,22]"},
};
constexpr Example kConcatMapExamples[] = {
    {"r.expr([1, 2]).concat_map(lambda n: [n, n * 10])",
     "[40,[[2,[1,2]],[69,[[2,[1]],[2,[[10,[1]],[26,[[10,[1]],10]]]]]]]]",
     "[1,10,2,20]"},
};
constexpr Example kFilterExamples[] = {
    {"r.table('players').filter({'team': 'blue'})['name']",
     R"([170,[[39,[[15,["players"]],{"team":"blue"}]],"name"]])",
     R"(["Bob"])"},
    {"r.expr([{'n': 1}, {}]).filter(r.row['n'] > 0, default=True)",
     R"([39,[[2,[{"n":1},{}]],[69,[[2,[1]],[21,[[170,[[13,[]],"n"]],0]]]]],{"default":true}])",
     R"([{"n":1},{}])"},
};
constexpr Example kOffsetsOfExamples[] = {
    {"r.expr(['a', 'b', 'a']).offsets_of('a')", R"([87,[[2,["a","b","a"]],"a"]])", "[0,2]"},
};
constexpr Example kContainsExamples[] = {
    {"r.expr([1, 2, 3]).contains(2, lambda n: n > 2)",
     "[93,[[2,[1,2,3]],2,[69,[[2,[1]],[21,[[10,[1]],2]]]]]]",
     "true"},
};
constexpr Example kIsEmptyExamples[] = {
    {"r.table('players').is_empty()", R"([86,[[15,["players"]]]])", "false"},
    {"r.expr([]).is_empty()", "[86,[[2,[]]]]", "true"},
};
constexpr Example kRangeExamples[] = {
    {"r.range(-1, 3)", "[173,[-1,3]]", "[-1,0,1,2]"},
    {"r.range(2.5)", "[173,[2.5]]", "Number not an integer: 2.5"},
};
constexpr Example kUnionExamples[] = {
    {"r.expr([1, 2]).union([3], ['x'])", R"([44,[[2,[1,2]],[2,[3]],[2,["x"]]]])", R"([1,2,3,"x"])"},
    {"r.expr([{'n': 1}, {'n': 4}]).union([{'n': 2}], interleave='n')",
     R"([44,[[2,[{"n":1},{"n":4}]],[2,[{"n":2}]]],{"interleave":"n"}])",
     R"([{"n":1},{"n":2},{"n":4}])"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kMap, .name = "map", .arity = at_least(2), .flags = kRowByRow, .eval = map,
     .signature = "sequence.map([sequence, …, ]function) → sequence",
     .doc = "What a function makes of each row, or of the rows of several sequences in step.",
     .examples = kMapExamples},
    {.type = TermType::kConcatMap, .name = "concat_map", .arity = exactly(2), .flags = kRowByRow, .eval = concat_map,
     .signature = "sequence.concat_map(function) → sequence",
     .doc = "The sequences that a function makes of each row, one after the other.",
     .examples = kConcatMapExamples},
    {.type = TermType::kFilter, .name = "filter", .arity = exactly(2), .flags = kRowByRow, .eval = filter,
     .optargs = kFilterOptargs,
     .signature = "sequence.filter(function or object) → sequence",
     .doc = "The rows for which a function holds, or that match an object.",
     .examples = kFilterExamples},
    {.type = TermType::kOffsetsOf, .name = "offsets_of", .arity = exactly(2), .flags = kForbidsWrites, .eval = offsets_of,
     .signature = "sequence.offsets_of(value or function) → array",
     .doc = "The positions of rows that equal a value, or for which a function holds.",
     .examples = kOffsetsOfExamples},
    {.type = TermType::kContains, .name = "contains", .arity = at_least(1), .flags = kForbidsWrites, .eval = contains,
     .signature = "sequence.contains(value or function, …) → bool",
     .doc = "Whether all these values are in a sequence, and rows for all these functions.",
     .examples = kContainsExamples},
    {.type = TermType::kIsEmpty, .name = "is_empty", .arity = exactly(1), .eval = is_empty,
     .signature = "sequence.is_empty() → bool",
     .doc = "Whether a sequence has no row.",
     .examples = kIsEmptyExamples},
    {.type = TermType::kRange, .name = "range", .arity = between(0, 2), .eval = range,
     .signature = "r.range() → sequence\nr.range(end) → sequence\nr.range(start, end) → sequence",
     .doc = "Whole numbers from the first (0) up to the last, which is left out; without one they do not end.",
     .examples = kRangeExamples},
    {.type = TermType::kUnion, .name = "union", .arity = at_least(0), .eval = union_term, .optargs = kUnionOptargs,
     .signature = "sequence.union(sequence, …) → sequence",
     .doc = "Several sequences as one; with `interleave`, sequences that are in the same order, kept in that.",
     .examples = kUnionExamples},
};

}  // namespace

std::span<const TermDef> sequence_terms() { return kTerms; }

}  // namespace reqld::reql
