// Sequences in another order, or some of their rows regardless of order: order_by, distinct, sample.

#include <algorithm>
#include <random>

#include "datum/datum_map.hpp"
#include "reql/eval.hpp"
#include "reql/order.hpp"
#include "reql/parallel.hpp"
#include "reql/sequence.hpp"
#include "reql/streams/distinct_values.hpp"
#include "reql/streams/sort.hpp"
#include "reql/streams/step.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

// order_by

/// The slice of a table that `v` is, in the order of an index.
Ref<TableSlice> order_slice(Args& args, const Value& v, std::string index, bool descending) {
  if (!v.is(ValueKind::kTable) && !v.is(ValueKind::kTableSlice)) {
    throw_logic(
        "Indexed order_by can only be performed on a TABLE or TABLE_SLICE. Make sure order_by comes before any transformations "
        "(such as map) or filters.");
  }
  const Ref<TableSlice> slice = make_ref<TableSlice>(v.object<TableSlice>());
  if (slice->order != Order::kNone) {
    throw EvalError(ErrorCode::kQueryLogic, "Cannot perform multiple indexed ORDER_BYs on the same table.",
                    table_node(args.node_of(0)));
  }
  if (slice->bounded && slice->index != index) {
    throw_logic("Cannot order by index `" + index + "` after calling BETWEEN on index `" + slice->index + "`.");
  }
  slice->index = std::move(index);
  slice->order = descending ? Order::kDescending : Order::kAscending;
  return slice;
}

std::vector<OrderKey> order_keys(Args& args) {
  for (const Node* arg : args.node().args) refuse_spliced_key(*arg);
  std::vector<OrderKey> keys;
  for (std::size_t i = 1; i < args.size(); ++i) keys.push_back(order_key(args.env(), args.value(i), args.node_of(i)));
  return keys;
}

Value order_by(Args& args) {
  const Value v = args.value(0);
  const Node* index_node = args.optarg_node("index");
  if (!index_node) {
    const Sequence source = to_sequence(args, v, 0);
    std::vector<OrderKey> keys = order_keys(args);
    if (keys.empty()) throw_logic("Must specify something to order by.");
    refuse_infinite(args, 0, *source.stream);
    return source.with(sort_stream(source.stream, std::move(keys), &args.node()));
  }
  // What is no sequence at all is told so first.
  if (!v.is(ValueKind::kTable) && !v.is(ValueKind::kTableSlice)) to_sequence(args, v, 0);
  std::vector<OrderKey> keys = order_keys(args);
  const bool descending = index_node->def->type == TermType::kDesc;
  const Ref<TableSlice> slice = order_slice(args, v, *args.string_optarg("index"), descending);
  if (keys.empty()) return Value(ValueKind::kTableSlice, slice);
  if (slice->index == slice->table->primary_key()) {
    // No two rows have the same key: there is nothing left to order.
    return Value(ValueKind::kSelection, make_ref<Selection>(slice->table, slice_stream(args.cx(), *slice)));
  }
  const Ref<IndexCursor> entries =
      slice->table->index_cursor(args.cx(), slice->index, slice->bounds, slice->order, IndexRead::kDocuments);
  return Value(ValueKind::kSelection,
               make_ref<Selection>(slice->table, sort_within_index(entries, std::move(keys), &args.node())));
}

/// asc and desc are looked for by those who take an order; by itself each is what it holds.
Value order_argument(Args& args) { return args.value(0); }

// distinct

/// Turns documents into the values of one of their fields.
class FieldValueStep : public RowStep {
 public:
  explicit FieldValueStep(std::string field) : field_(std::move(field)) {}
  void run(Context&, Batch& rows, std::size_t from) override {
    for (std::size_t i = from; i < rows.size(); ++i) rows[i] = rows[i].get(field_).value_or(Datum());
  }
  bool is_one_to_one() const override { return true; }

 private:
  const std::string field_;
};

class DistinctFold : public MergingFold {
 public:
  void add(Context& cx, Batch& rows) override {
    for (const Datum& row : rows) count(cx, seen_.insert_copy(row));
  }
  std::unique_ptr<Fold> split() const override { return std::make_unique<DistinctFold>(); }
  void merge(Context& cx, Fold& later) override {
    for (const Datum& row : static_cast<DistinctFold&>(later).seen_.take()) count(cx, seen_.insert(row));
  }
  std::vector<Datum> finish() {
    std::vector<Datum> rows = seen_.take();
    std::sort(rows.begin(), rows.end());
    return rows;
  }

 private:
  void count(Context& cx, bool is_new) {
    if (!is_new) return;
    charge_.add(DatumSet::kElementBytes);
    check_array_size(cx, seen_.size());
  }

  DatumSet seen_;
  MemoryCharge charge_;
};

/// The distinct rows of a stream in ascending order.
std::vector<Datum> distinct_rows(Context& cx, Stream& stream) {
  DistinctFold fold;
  fold_rows(cx, stream, fold);
  return fold.finish();
}

Value distinct_by_index(Args& args, const Value& v, const std::string& index) {
  const auto refuse = [] { throw_logic("Can only perform an indexed distinct on a TABLE."); };
  if (!v.is(ValueKind::kTable) && !v.is(ValueKind::kTableSlice)) {
    to_sequence(args, v, 0);
    refuse();
  }
  const auto& slice = v.object<TableSlice>();
  const std::string primary_key = slice.table->primary_key();
  const std::string present = slice.index.empty() ? primary_key : slice.index;
  if (index != primary_key) {
    if (present != index && (slice.bounded || slice.order != Order::kNone)) refuse();
    return Value(distinct_values(args.cx(), slice.table, index, slice.bounds));
  }
  const Ref<Stream> keys = step_stream(slice_stream(args.cx(), slice), make_ref<FieldValueStep>(primary_key));
  // A secondary index meets a row once for each of its entries.
  if (present != primary_key) return Value(stream_of_rows(distinct_rows(args.cx(), *keys), false));
  return Value(keys);
}

Value distinct(Args& args) {
  const Value v = args.value(0);
  if (const auto index = args.string_optarg("index")) return distinct_by_index(args, v, *index);
  const Sequence source = to_sequence(args, v, 0);
  refuse_infinite(args, 0, *source.stream);
  const bool of_table = v.is(ValueKind::kTable) || v.is(ValueKind::kTableSlice);
  return Value(stream_of_rows(distinct_rows(args.cx(), *source.stream), !of_table));
}

// sample

Value sample(Args& args) {
  const Sequence source = sequence_arg(args, 0);
  const std::int64_t wanted = args.integer(1);
  if (wanted < 0) throw_logic("Number of items to sample must be non-negative, got `" + std::to_string(wanted) + "`.");
  refuse_infinite(args, 0, *source.stream);
  const auto size = static_cast<std::uint64_t>(wanted);
  std::mt19937_64 random{std::random_device{}()};
  std::vector<Datum> rows;
  std::uint64_t seen = 0;
  for_each_batch(args.cx(), *source.stream, [&](Batch& batch) {
    for (Datum& row : batch) {
      ++seen;
      if (rows.size() < size) {
        check_array_size(args.cx(), rows.size() + 1);
        rows.push_back(std::move(row));
      } else if (const std::uint64_t at = random() % seen; at < size) {
        rows[at] = std::move(row);
      }
    }
    return true;
  });
  std::shuffle(rows.begin(), rows.end(), random);
  return source.with(stream_of_rows(std::move(rows), true));
}

constexpr Optarg kIndexOptarg[] = {
    {"index", "the index that gives the order or the values; in order_by also within asc or desc"},
};

constexpr Example kOrderByExamples[] = {
    {"r.table('players').order_by(r.desc('score'))['name']",
     R"([170,[[41,[[15,["players"]],[74,["score"]]]],"name"]])",
     R"(["Cy","Ann","Bob"])"},
    {"r.table('players').order_by('name', index='team')['name']",
     R"([170,[[41,[[15,["players"]],"name"],{"index":"team"}],"name"]])",
     R"(["Bob","Ann","Cy"])"},
};
constexpr Example kAscExamples[] = {
    {"r.expr([{'n': 2}, {'n': 1}]).order_by(r.asc('n'))['n']",
     R"([170,[[41,[[2,[{"n":2},{"n":1}]],[73,["n"]]]],"n"]])",
     "[1,2]"},
    {"r.asc('n')", R"([73,["n"]])", "ASC may only be used as an argument to ORDER_BY or UNION."},
};
constexpr Example kDescExamples[] = {
    {"r.expr([3, 1, 2]).order_by(r.desc(lambda n: n))",
     "[41,[[2,[3,1,2]],[74,[[69,[[2,[1]],[10,[1]]]]]]]]",
     "[3,2,1]"},
};
constexpr Example kDistinctExamples[] = {
    {"r.expr([2, 1, 2]).distinct()", "[42,[[2,[2,1,2]]]]", "[1,2]"},
    {"r.table('players').distinct(index='team')",
     R"([42,[[15,["players"]]],{"index":"team"}])",
     R"(["blue","red"])"},
};
constexpr Example kSampleExamples[] = {
    {"r.expr([1, 2, 3]).sample(2).count()", "[43,[[81,[[2,[1,2,3]],2]]]]", "2"},
    {"r.expr([1]).sample(-1)",
     "[81,[[2,[1]],-1]]",
     "Number of items to sample must be non-negative, got `-1`."},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kOrderBy, .name = "order_by", .arity = at_least(1), .flags = kForbidsWrites, .eval = order_by,
     .optargs = kIndexOptarg,
     .signature = "sequence.order_by(field or function, …) → sequence",
     .doc = "Rows in the order of fields, functions, or an index; each may be in asc or desc.",
     .examples = kOrderByExamples},
    {.type = TermType::kAsc, .name = "asc", .arity = exactly(1), .eval = order_argument,
     .signature = "r.asc(field or function) → ordering",
     .doc = "Ascending, in order_by and union.",
     .examples = kAscExamples},
    {.type = TermType::kDesc, .name = "desc", .arity = exactly(1), .eval = order_argument,
     .signature = "r.desc(field or function) → ordering",
     .doc = "Descending, in order_by and union.",
     .examples = kDescExamples},
    {.type = TermType::kDistinct, .name = "distinct", .arity = exactly(1), .eval = distinct, .optargs = kIndexOptarg,
     .signature = "sequence.distinct() → array\ntable.distinct(index=name) → sequence",
     .doc = "The different rows of a sequence, or the different values of an index.",
     .examples = kDistinctExamples},
    {.type = TermType::kSample, .name = "sample", .arity = exactly(2), .flags = kNonDeterministic, .eval = sample,
     .signature = "sequence.sample(number) → array",
     .doc = "So many rows, picked at random.",
     .examples = kSampleExamples},
};

}  // namespace

std::span<const TermDef> order_by_terms() { return kTerms; }

}  // namespace reqld::reql
