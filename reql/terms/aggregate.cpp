// Sequences as one value: count, sum, avg, min, max, reduce, fold.

#include "datum/json.hpp"
#include "datum/utf8.hpp"
#include "reql/accumulate.hpp"
#include "reql/eval.hpp"
#include "reql/grouping.hpp"
#include "reql/parallel.hpp"
#include "reql/predicate.hpp"
#include "reql/sequence.hpp"
#include "reql/stack.hpp"
#include "reql/streams/fold_emit.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

/// Folds all rows with one accumulator.
class AccumulatorFold : public MergingFold {
 public:
  explicit AccumulatorFold(const Aggregation& aggregation) : aggregation_(aggregation), accumulator_(aggregation.start()) {}
  void add(Context& cx, Batch& rows) override {
    for (const Datum& row : rows) accumulator_->add(cx, row);
  }
  std::unique_ptr<Fold> split() const override {
    return aggregation_.in_parts() ? std::make_unique<AccumulatorFold>(aggregation_) : nullptr;
  }
  void merge(Context& cx, Fold& later) override {
    accumulator_->merge(cx, *static_cast<AccumulatorFold&>(later).accumulator_);
  }
  Datum finish(Context& cx) { return accumulator_->finish(cx); }

 private:
  const Aggregation& aggregation_;
  const std::unique_ptr<Accumulator> accumulator_;
};

/// Folds `v` (argument 0): as a whole, or each of its groups.
Value aggregate_value(Args& args, const Value& v, const Aggregation& aggregation) {
  if (v.is(ValueKind::kGroupedData)) {
    return Value(ValueKind::kGroupedData, v.object<GroupedData>().aggregate(args.cx(), aggregation));
  }
  const Sequence source = to_sequence(args, v, 0);
  refuse_infinite(args, 0, *source.stream);
  AccumulatorFold fold(aggregation);
  fold_rows(args.cx(), *source.stream, fold);
  return Value(fold.finish(args.cx()));
}

bool is_deterministic(const Datum&) { return true; }
bool is_deterministic(const Ref<Function>& function) { return !function || function->deterministic(); }
bool is_deterministic(const std::optional<Predicate>& predicate) { return !predicate || predicate->deterministic(); }

/// An Aggregation of accumulators that are made from one argument.
template <typename A, typename T>
class AggregationOf : public Aggregation {
 public:
  explicit AggregationOf(T argument) : argument_(std::move(argument)) {}
  std::unique_ptr<Accumulator> start() const override { return std::make_unique<A>(argument_); }
  bool in_parts() const override { return is_deterministic(argument_); }

 private:
  const T argument_;
};

/// What is folded of each row: the row itself without a function. A row that lacks it (nullopt) does not count.
class RowValue {
 public:
  explicit RowValue(Ref<Function> function) : function_(std::move(function)) {}
  std::optional<Datum> of(Context& cx, const Datum& row) const {
    return function_ ? function_->call1_if_exists(cx, row) : std::optional(row);
  }
  friend bool is_deterministic(const RowValue& value) { return is_deterministic(value.function_); }

 private:
  Ref<Function> function_;
};

RowValue row_value_arg(Args& args) {
  return RowValue(args.has(1) ? args.function(1, Shorthand::kField) : Ref<Function>());
}

// count

class CountAccumulator : public Accumulator {
 public:
  explicit CountAccumulator(const std::optional<Predicate>& predicate) : predicate_(predicate) {}
  void add(Context& cx, const Datum& row) override {
    if (!predicate_ || predicate_->test(cx, row) == Predicate::Answer::kYes) ++count_;
  }
  void merge(Context&, Accumulator& later) override { count_ += static_cast<CountAccumulator&>(later).count_; }
  bool any() const override { return count_ > 0; }
  Datum finish(Context&) override { return Datum::integer(static_cast<std::int64_t>(count_)); }

 private:
  const std::optional<Predicate>& predicate_;  // of the aggregation, which outlives this
  std::uint64_t count_ = 0;
};

class CountEqualAccumulator : public Accumulator {
 public:
  explicit CountEqualAccumulator(const Datum& value) : value_(value) {}
  void add(Context&, const Datum& row) override { count_ += row == value_ ? 1 : 0; }
  void merge(Context&, Accumulator& later) override { count_ += static_cast<CountEqualAccumulator&>(later).count_; }
  bool any() const override { return count_ > 0; }
  Datum finish(Context&) override { return Datum::integer(static_cast<std::int64_t>(count_)); }

 private:
  const Datum value_;
  std::uint64_t count_ = 0;
};

/// The size of what is no sequence, or known without reading it.
std::optional<std::uint64_t> known_size(Args& args, const Value& v) {
  switch (v.kind()) {
    case ValueKind::kTable: return v.object<TableSlice>().table->count(args.cx());
    case ValueKind::kDatum:
    case ValueKind::kSingleSelection: break;
    default: return std::nullopt;
  }
  const Datum d = to_datum(args.cx(), v);
  switch (d.type()) {
    case Type::kArray: return d.array_size();
    case Type::kObject: return d.object_size();
    case Type::kString: return utf8::count(d.as_string());
    case Type::kBinary: return d.binary_size();
    // As the objects that they are on the wire, `$reql_type$` included.
    case Type::kTime:
    case Type::kGeometry: return to_pseudo_object(d).object_size();
    default: return std::nullopt;
  }
}

/// A slice by a secondary index is counted without its documents.
std::optional<Value> count_index(Args& args, const Value& v) {
  if (!v.is(ValueKind::kTableSlice)) return std::nullopt;
  const auto& slice = v.object<TableSlice>();
  if (slice.index.empty() || slice.index == slice.table->primary_key()) return std::nullopt;
  std::int64_t count = 0;
  for_each_batch(args.cx(), *slice.table->index_values(args.cx(), slice.index, slice.bounds), [&](Batch& batch) {
    count += static_cast<std::int64_t>(batch.size());
    return true;
  });
  return Value(Datum::integer(count));
}

Value count(Args& args) {
  const Value v = args.value(0);
  if (!args.has(1)) {
    if (const auto size = known_size(args, v)) return Value(Datum::integer(static_cast<std::int64_t>(*size)));
    if (auto counted = count_index(args, v)) return std::move(*counted);
    return aggregate_value(args, v, AggregationOf<CountAccumulator, std::optional<Predicate>>(std::nullopt));
  }
  const Value wanted = args.value(1);
  if (wanted.is(ValueKind::kFunction)) {
    Predicate predicate(wanted.ref<Function>(), args.node_of(1));
    return aggregate_value(args, v, AggregationOf<CountAccumulator, std::optional<Predicate>>(std::move(predicate)));
  }
  const Datum value = Args::blaming(args.node_of(1), [&] { return to_datum(args.cx(), wanted); });
  return aggregate_value(args, v, AggregationOf<CountEqualAccumulator, Datum>(value));
}

// sum, avg

class SumAccumulator : public Accumulator {
 public:
  explicit SumAccumulator(const RowValue& value) : value_(value) {}
  void add(Context& cx, const Datum& row) override {
    const auto v = value_.of(cx, row);
    if (!v || v->is_null()) return;
    sum_ += v->as_number();
    ++count_;
  }
  void merge(Context&, Accumulator& later) override {
    sum_ += static_cast<SumAccumulator&>(later).sum_;
    count_ += static_cast<SumAccumulator&>(later).count_;
  }
  bool any() const override { return count_ > 0; }
  Datum finish(Context&) override { return Datum::number(sum_); }

 protected:
  double sum() const { return sum_; }
  std::uint64_t count() const { return count_; }

 private:
  const RowValue& value_;
  double sum_ = 0;
  std::uint64_t count_ = 0;
};

[[noreturn]] void throw_empty(std::string_view what, std::string_view term) {
  throw_non_existence("Cannot take the " + std::string(what) + " of an empty stream.  (If you passed `" + std::string(term) +
                      "` a field name, it may be that no elements of the stream had that field.)");
}

class AverageAccumulator : public SumAccumulator {
 public:
  using SumAccumulator::SumAccumulator;
  Datum finish(Context&) override {
    if (!any()) throw_empty("average", "avg");
    return Datum::number(sum() / static_cast<double>(count()));
  }
};

Value sum(Args& args) {
  const Value v = args.value(0);
  return aggregate_value(args, v, AggregationOf<SumAccumulator, RowValue>(row_value_arg(args)));
}

Value avg(Args& args) {
  const Value v = args.value(0);
  return aggregate_value(args, v, AggregationOf<AverageAccumulator, RowValue>(row_value_arg(args)));
}

// min, max

template <bool kMax>
class ExtremeAccumulator : public Accumulator {
 public:
  explicit ExtremeAccumulator(const RowValue& value) : value_(value) {}
  void add(Context& cx, const Datum& row) override {
    const auto v = value_.of(cx, row);
    if (!v || !beats_all(*v)) return;
    // Not to keep the whole buffer that rows are read in.
    best_ = v->compact();
    row_ = row.compact();
  }
  void merge(Context&, Accumulator& later) override {
    auto& other = static_cast<ExtremeAccumulator&>(later);
    if (!other.row_ || !beats_all(other.best_)) return;
    best_ = std::move(other.best_);
    row_ = std::move(other.row_);
  }
  bool any() const override { return row_.has_value(); }
  Datum finish(Context&) override {
    if (!row_) throw_empty(kMax ? "max" : "min", kMax ? "max" : "min");
    return *row_;
  }

 private:
  bool beats_all(const Datum& v) const {
    if (!row_) return true;
    const int order = compare(v, best_);
    return kMax ? order > 0 : order < 0;
  }

  const RowValue& value_;
  Datum best_;
  std::optional<Datum> row_;
};

/// The first row in the order of an index, as a selection.
Value extreme_of_index(Args& args, const Ref<Table>& table, const std::string& index, bool max) {
  TableSlice slice(table);
  slice.index = index;
  slice.order = max ? Order::kDescending : Order::kAscending;
  const Ref<Stream> rows = slice_stream(args.cx(), slice);
  Batch batch;
  BatchLimits limits;
  limits.max_rows = 1;
  bool more = true;
  while (more && batch.empty()) more = rows->next(args.cx(), limits, batch);
  if (batch.empty()) throw_logic(std::string("`") + (max ? "max" : "min") + "` found no entries in the specified index.");
  return Sequence{rows, table}.row(std::move(batch.front()));
}

template <bool kMax>
Value extreme(Args& args) {
  const Value v = args.value(0);
  const auto index = args.string_optarg("index");
  if (index && !v.is(ValueKind::kTable)) Args::blaming(args.node_of(0), [&] { throw_kind_error(args.cx(), "TABLE", v); });
  if (index || (v.is(ValueKind::kTable) && !args.has(1))) {
    // The least document of a table is that with the least primary key.
    const Ref<Table>& table = v.object<TableSlice>().table;
    return extreme_of_index(args, table, index.value_or(table->primary_key()), kMax);
  }
  return aggregate_value(args, v, AggregationOf<ExtremeAccumulator<kMax>, RowValue>(row_value_arg(args)));
}

// reduce, fold

class ReduceAccumulator : public Accumulator {
 public:
  explicit ReduceAccumulator(const Ref<Function>& function) : function_(function) {}
  void add(Context& cx, const Datum& row) override {
    if (!result_) {
      result_ = row.compact();
      return;
    }
    result_ = function_->call2(cx, *result_, row);
    check_nesting(*result_);
  }
  void merge(Context& cx, Accumulator& later) override {
    auto& other = static_cast<ReduceAccumulator&>(later);
    if (other.result_) add(cx, *other.result_);
  }
  bool any() const override { return result_.has_value(); }
  Datum finish(Context&) override {
    if (result_) return *result_;
    throw EvalError(ErrorCode::kNonExistence, "Cannot reduce over an empty stream.", function_->body());
  }

 private:
  const Ref<Function>& function_;
  std::optional<Datum> result_;
};

Value reduce(Args& args) {
  const Value v = args.value(0);
  return aggregate_value(args, v, AggregationOf<ReduceAccumulator, Ref<Function>>(args.function(1)));
}

Value fold(Args& args) {
  const Sequence source = sequence_arg(args, 0);
  Datum accumulator = args.datum(1);
  FoldFunctions functions{args.function(2), args.function_optarg("emit"), args.function_optarg("final_emit")};
  if (functions.emit) {
    return Value(fold_emit_stream(source.stream, std::move(accumulator), std::move(functions), &args.node()));
  }
  refuse_infinite(args, 0, *source.stream);
  for_each_batch(args.cx(), *source.stream, [&](Batch& batch) {
    for (const Datum& row : batch) {
      accumulator = functions.combine->call2(args.cx(), accumulator, row);
      check_nesting(accumulator);
      args.cx().check_in();
    }
    return true;
  });
  if (functions.final_emit) return functions.final_emit->call(args.cx(), std::span<const Datum>(&accumulator, 1));
  return Value(std::move(accumulator));
}

constexpr Optarg kIndexOptarg[] = {
    {"index", "compare by this index: only its first or last row is read"},
};
constexpr Optarg kFoldOptargs[] = {
    {"emit", "a function of the value before, the row and the value after; its arrays make up the stream"},
    {"final_emit", "a function of the last value; its array ends the stream"},
};
constexpr TermFlags kAggregates = kFusesGroups | kForbidsWrites;

constexpr Example kCountExamples[] = {
    {"r.table('players').count()", R"([43,[[15,["players"]]]])", "3"},
    {"r.table('players').count(lambda p: p['team'] == 'red')",
     R"([43,[[15,["players"]],[69,[[2,[1]],[17,[[170,[[10,[1]],"team"]],"red"]]]]]])",
     "2"},
    {"r.expr('été').count()", R"([43,["été"]])", "3"},
};
constexpr Example kSumExamples[] = {
    {"r.table('players').sum('score')", R"([145,[[15,["players"]],"score"]])", "49"},
    {"r.expr([]).sum()", "[145,[[2,[]]]]", "0"},
};
constexpr Example kAvgExamples[] = {
    {"r.expr([1, 2, 6]).avg()", "[146,[[2,[1,2,6]]]]", "3"},
    {"r.expr([]).avg()",
     "[146,[[2,[]]]]",
     "Cannot take the average of an empty stream.  (If you passed `avg` a field name, it may be that no elements of the stream had that field.)"},
};
constexpr Example kMinExamples[] = {
    {"r.table('players').min('score')['name']",
     R"([170,[[147,[[15,["players"]],"score"]],"name"]])",
     R"("Bob")"},
    {"r.table('players').min(index='score')['name']",
     R"([170,[[147,[[15,["players"]]],{"index":"score"}],"name"]])",
     R"("Bob")"},
    {"r.expr([]).min()",
     "[147,[[2,[]]]]",
     "Cannot take the min of an empty stream.  (If you passed `min` a field name, it may be that no elements of the stream had that field.)"},
};
constexpr Example kMaxExamples[] = {
    {"r.table('players').max(index='score')['name']",
     R"([170,[[148,[[15,["players"]]],{"index":"score"}],"name"]])",
     R"("Cy")"},
    {"r.expr([3, 1, 4]).max()", "[148,[[2,[3,1,4]]]]", "4"},
};
constexpr Example kReduceExamples[] = {
    {"r.expr([1, 2, 3]).reduce(lambda a, b: a + b)",
     "[37,[[2,[1,2,3]],[69,[[2,[1,2]],[24,[[10,[1]],[10,[2]]]]]]]]",
     "6"},
    {"r.expr([]).reduce(lambda a, b: a + b)",
     "[37,[[2,[]],[69,[[2,[1,2]],[24,[[10,[1]],[10,[2]]]]]]]]",
     "Cannot reduce over an empty stream."},
};
constexpr Example kFoldExamples[] = {
    {"r.expr([1, 2, 3]).fold(10, lambda total, n: total + n)",
     "[187,[[2,[1,2,3]],10,[69,[[2,[1,2]],[24,[[10,[1]],[10,[2]]]]]]]]",
     "16"},
    {"r.expr([1, 2, 3]).fold(0, lambda total, n: total + n, emit=lambda before, n, after: [after])",
     R"([187,[[2,[1,2,3]],0,[69,[[2,[4,5]],[24,[[10,[4]],[10,[5]]]]]]],{"emit":[69,[[2,[1,2,3]],[2,[[10,[3]]]]]]}])",
     "[1,3,6]"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kCount, .name = "count", .arity = between(1, 2), .flags = kAggregates, .eval = count,
     .signature = "sequence.count([value or function]) → number\nstring, binary or object.count() → number",
     .doc = "How many rows, or how many that equal a value, or for which a function holds; the size of a string, binary or object.",
     .examples = kCountExamples},
    {.type = TermType::kSum, .name = "sum", .arity = between(1, 2), .flags = kAggregates, .eval = sum,
     .signature = "sequence.sum([field or function]) → number",
     .doc = "The sum of the rows, of one of their fields, or of a function of them.",
     .examples = kSumExamples},
    {.type = TermType::kAvg, .name = "avg", .arity = between(1, 2), .flags = kAggregates, .eval = avg,
     .signature = "sequence.avg([field or function]) → number",
     .doc = "The average of the rows, of one of their fields, or of a function of them.",
     .examples = kAvgExamples},
    {.type = TermType::kMin, .name = "min", .arity = between(1, 2), .flags = kAggregates, .eval = extreme<false>,
     .optargs = kIndexOptarg,
     .signature = "sequence.min([field or function]) → value",
     .doc = "The least row, or that with the least field, function, or index value.",
     .examples = kMinExamples},
    {.type = TermType::kMax, .name = "max", .arity = between(1, 2), .flags = kAggregates, .eval = extreme<true>,
     .optargs = kIndexOptarg,
     .signature = "sequence.max([field or function]) → value",
     .doc = "The greatest row, or that with the greatest field, function, or index value.",
     .examples = kMaxExamples},
    {.type = TermType::kReduce, .name = "reduce", .arity = exactly(2), .flags = kAggregates, .eval = reduce,
     .signature = "sequence.reduce(function) → value",
     .doc = "The rows put together two by two by a function that may take them in any order.",
     .examples = kReduceExamples},
    {.type = TermType::kFold, .name = "fold", .arity = exactly(3), .flags = kAggregates, .eval = fold, .optargs = kFoldOptargs,
     .signature = "sequence.fold(start, function) → value\nsequence.fold(start, function, emit=function) → sequence",
     .doc = "The rows put together one after the other, from a start; with `emit`, a stream of what comes on the way.",
     .examples = kFoldExamples},
};

}  // namespace

std::span<const TermDef> aggregate_terms() { return kTerms; }

}  // namespace reqld::reql
