// Arrays as values: adding, removing and replacing elements, and arrays as sets.

#include <algorithm>
#include <vector>

#include "datum/datum_map.hpp"
#include "datum/splice.hpp"
#include "reql/eval.hpp"
#include "reql/sequence.hpp"
#include "reql/streams/step.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

// Wrong types blame the term here, as recorded.
Datum array_arg(Args& args, std::size_t i) {
  Datum d = args.datum(i);
  if (!d.is(Type::kArray)) throw_type_error("ARRAY", d.type());
  return d;
}

std::int64_t index_arg(Args& args, std::size_t i) {
  return args.datum(i).as_integer();
}

/// Where index `n` lies in an array of `size`; -1 is `last`.
std::size_t position(std::int64_t n, std::size_t size, std::size_t last) {
  const std::int64_t at = n < 0 ? n + static_cast<std::int64_t>(last) + 1 : n;
  if (at < 0) throw_non_existence("Index out of bounds: " + std::to_string(n));
  if (at > static_cast<std::int64_t>(last)) {
    throw_non_existence("Index `" + std::to_string(n) + "` out of bounds for array of size: `" +
                        std::to_string(size) + "`.");
  }
  return static_cast<std::size_t>(at);
}

Value append(Args& args) {
  const Datum array = array_arg(args, 0);
  const Datum element = args.datum(1);
  check_array_size(args.cx(), array.array_size() + 1);
  return Value(splice(array, array.array_size(), 0, {&element, 1}));
}

Value prepend(Args& args) {
  const Datum array = array_arg(args, 0);
  const Datum element = args.datum(1);
  check_array_size(args.cx(), array.array_size() + 1);
  return Value(splice(array, 0, 0, {&element, 1}));
}

Value insert_at(Args& args) {
  const Datum array = array_arg(args, 0);
  const std::size_t size = array.array_size();
  const std::size_t at = position(index_arg(args, 1), size, size);
  const Datum element = args.datum(2);
  check_array_size(args.cx(), size + 1);
  return Value(splice(array, at, 0, {&element, 1}));
}

Value splice_at(Args& args) {
  const Datum array = array_arg(args, 0);
  const std::size_t size = array.array_size();
  const std::size_t at = position(index_arg(args, 1), size, size);
  const Datum elements = array_arg(args, 2);
  check_array_size(args.cx(), size + elements.array_size());
  std::vector<Datum> inserted;
  inserted.reserve(elements.array_size());
  for (std::size_t i = 0; i < elements.array_size(); ++i) inserted.push_back(elements.at(i));
  return Value(splice(array, at, 0, inserted));
}

/// For terms that need an element to be there.
std::size_t element_position(std::int64_t n, std::size_t size) {
  if (size == 0 && n >= 0) {
    throw_non_existence("Index `" + std::to_string(n) + "` out of bounds for array of size: `0`.");
  }
  if (size == 0) throw_non_existence("Index out of bounds: " + std::to_string(n));
  return position(n, size, size - 1);
}

Value change_at(Args& args) {
  const Datum array = array_arg(args, 0);
  const std::size_t size = array.array_size();
  const std::size_t at = element_position(index_arg(args, 1), size);
  const Datum element = args.datum(2);
  return Value(splice(array, at, 1, {&element, 1}));
}

Value delete_at(Args& args) {
  const Datum array = array_arg(args, 0);
  const std::size_t size = array.array_size();
  std::size_t from, to;
  if (args.size() == 2) {
    from = element_position(index_arg(args, 1), size);
    to = from + 1;
  } else {
    // The end may lie behind the last element, but -1 still means that element.
    const auto bound = [&](std::int64_t n) {
      return n < 0 ? element_position(n, size) : position(n, size, size);
    };
    const std::int64_t first = index_arg(args, 1);
    const std::int64_t last = index_arg(args, 2);
    from = bound(first);
    to = bound(last);
    if (from > to) {
      throw_logic("Start index `" + std::to_string(from) + "` is greater than end index `" +
                  std::to_string(to) + "`.");
    }
  }
  return Value(splice(array, from, to - from, {}));
}

// Sets keep the order in which elements first appear.

/// Adds the elements of `array` that `seen` does not have, and remembers them.
void append_new(ArrayBuilder& builder, const Datum& array, DatumSet& seen) {
  seen.reserve(seen.size() + array.array_size());
  for (std::size_t i = 0; i < array.array_size(); ++i) {
    const Datum element = array.at(i);
    if (seen.insert(element)) builder.add(element);
  }
}

DatumSet set_of(const Datum& array) {
  DatumSet set;
  set.reserve(array.array_size());
  for (std::size_t i = 0; i < array.array_size(); ++i) set.insert(array.at(i));
  return set;
}

Value finish_set(Args& args, ArrayBuilder& builder) {
  check_array_size(args.cx(), builder.size());
  return Value(builder.finish());
}

Value set_insert(Args& args) {
  const Datum array = array_arg(args, 0);
  const Datum element = args.datum(1);
  ArrayBuilder builder;
  DatumSet seen;
  append_new(builder, array, seen);
  if (!seen.contains(element)) builder.add(element);
  return finish_set(args, builder);
}

Value set_union(Args& args) {
  const Datum left = array_arg(args, 0);
  const Datum right = array_arg(args, 1);
  ArrayBuilder builder;
  DatumSet seen;
  append_new(builder, left, seen);
  append_new(builder, right, seen);
  return finish_set(args, builder);
}

Value set_intersection(Args& args) {
  const DatumSet left = set_of(array_arg(args, 0));
  const Datum right = array_arg(args, 1);
  ArrayBuilder builder;
  DatumSet seen;
  for (std::size_t i = 0; i < right.array_size(); ++i) {
    const Datum element = right.at(i);
    if (left.contains(element) && seen.insert(element)) builder.add(element);
  }
  return finish_set(args, builder);
}

Value set_difference(Args& args) {
  const Datum left = array_arg(args, 0);
  DatumSet seen = set_of(array_arg(args, 1));
  ArrayBuilder builder;
  append_new(builder, left, seen);
  return finish_set(args, builder);
}

class DifferenceStep : public RowStep {
 public:
  explicit DifferenceStep(DatumSet removed) : removed_(std::move(removed)) {}
  void run(Context&, Batch& rows, std::size_t from) override {
    rows.erase(std::remove_if(rows.begin() + static_cast<std::ptrdiff_t>(from), rows.end(),
                              [&](const Datum& row) { return removed_.contains(row); }),
               rows.end());
  }

 private:
  const DatumSet removed_;
};

Value difference(Args& args) {
  const Sequence left = sequence_arg(args, 0);
  const Sequence right = sequence_arg(args, 1);
  refuse_infinite(args, 1, *right.stream);
  DatumSet removed;
  for_each_batch(args.cx(), *right.stream, [&](Batch& batch) {
    for (const Datum& row : batch) removed.insert_copy(row);
    check_array_size(args.cx(), removed.size());
    return true;
  });
  return Value(step_stream(left.stream, make_ref<DifferenceStep>(std::move(removed))));
}

constexpr Example kAppendExamples[] = {
    {"r.expr([1, 2]).append(3)", "[29,[[2,[1,2]],3]]", "[1,2,3]"},
};
constexpr Example kPrependExamples[] = {
    {"r.expr([1, 2]).prepend(0)", "[80,[[2,[1,2]],0]]", "[0,1,2]"},
};
constexpr Example kInsertAtExamples[] = {
    {"r.expr(['a', 'c']).insert_at(1, 'b')", R"([82,[[2,["a","c"]],1,"b"]])", R"(["a","b","c"])"},
    {"r.expr(['a', 'c']).insert_at(5, 'b')", R"([82,[[2,["a","c"]],5,"b"]])",
     "Index `5` out of bounds for array of size: `2`."},
};
constexpr Example kSpliceAtExamples[] = {
    {"r.expr(['a', 'd']).splice_at(1, ['b', 'c'])", R"([85,[[2,["a","d"]],1,[2,["b","c"]]]])",
     R"(["a","b","c","d"])"},
};
constexpr Example kDeleteAtExamples[] = {
    {"r.expr(['a', 'b', 'c']).delete_at(1)", R"([83,[[2,["a","b","c"]],1]])", R"(["a","c"])"},
    {"r.expr(['a', 'b', 'c', 'd']).delete_at(1, 3)", R"([83,[[2,["a","b","c","d"]],1,3]])", R"(["a","d"])"},
};
constexpr Example kChangeAtExamples[] = {
    {"r.expr(['a', 'b']).change_at(-1, 'z')", R"([84,[[2,["a","b"]],-1,"z"]])", R"(["a","z"])"},
};
constexpr Example kDifferenceExamples[] = {
    {"r.expr([1, 2, 1, 3]).difference([1])", "[95,[[2,[1,2,1,3]],[2,[1]]]]", "[2,3]"},
};
constexpr Example kSetInsertExamples[] = {
    {"r.expr([1, 2]).set_insert(2)", "[88,[[2,[1,2]],2]]", "[1,2]"},
};
constexpr Example kSetUnionExamples[] = {
    {"r.expr([1, 2, 2]).set_union([2, 3])", "[90,[[2,[1,2,2]],[2,[2,3]]]]", "[1,2,3]"},
};
constexpr Example kSetIntersectionExamples[] = {
    {"r.expr([1, 2, 3]).set_intersection([3, 2, 9])", "[89,[[2,[1,2,3]],[2,[3,2,9]]]]", "[3,2]"},
};
constexpr Example kSetDifferenceExamples[] = {
    {"r.expr([1, 2, 3]).set_difference([2])", "[91,[[2,[1,2,3]],[2,[2]]]]", "[1,3]"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kAppend,
     .name = "append",
     .arity = exactly(2),
     .eval = append,
     .signature = "array.append(value) → array",
     .doc = "The array with one more element at its end.",
     .examples = kAppendExamples},
    {.type = TermType::kPrepend,
     .name = "prepend",
     .arity = exactly(2),
     .eval = prepend,
     .signature = "array.prepend(value) → array",
     .doc = "The array with one more element at its front.",
     .examples = kPrependExamples},
    {.type = TermType::kInsertAt,
     .name = "insert_at",
     .arity = exactly(3),
     .eval = insert_at,
     .signature = "array.insert_at(index, value) → array",
     .doc = "The array with an element put before that of an index.",
     .examples = kInsertAtExamples},
    {.type = TermType::kSpliceAt,
     .name = "splice_at",
     .arity = exactly(3),
     .eval = splice_at,
     .signature = "array.splice_at(index, array) → array",
     .doc = "The array with another's elements put before that of an index.",
     .examples = kSpliceAtExamples},
    {.type = TermType::kDeleteAt,
     .name = "delete_at",
     .arity = between(2, 3),
     .eval = delete_at,
     .signature = "array.delete_at(index[, end]) → array",
     .doc = "The array without one element, or without those from an index up to another.",
     .examples = kDeleteAtExamples},
    {.type = TermType::kChangeAt,
     .name = "change_at",
     .arity = exactly(3),
     .eval = change_at,
     .signature = "array.change_at(index, value) → array",
     .doc = "The array with one element replaced.",
     .examples = kChangeAtExamples},
    {.type = TermType::kDifference,
     .name = "difference",
     .arity = exactly(2),
     .eval = difference,
     .signature = "array.difference(array) → array",
     .doc = "A sequence without all elements of another.",
     .examples = kDifferenceExamples},
    {.type = TermType::kSetInsert,
     .name = "set_insert",
     .arity = exactly(2),
     .eval = set_insert,
     .signature = "array.set_insert(value) → array",
     .doc = "An array as a set, with one more element.",
     .examples = kSetInsertExamples},
    {.type = TermType::kSetUnion,
     .name = "set_union",
     .arity = exactly(2),
     .eval = set_union,
     .signature = "array.set_union(array) → array",
     .doc = "The distinct elements of two arrays.",
     .examples = kSetUnionExamples},
    {.type = TermType::kSetIntersection,
     .name = "set_intersection",
     .arity = exactly(2),
     .eval = set_intersection,
     .signature = "array.set_intersection(array) → array",
     .doc = "The distinct elements that two arrays share.",
     .examples = kSetIntersectionExamples},
    {.type = TermType::kSetDifference,
     .name = "set_difference",
     .arity = exactly(2),
     .eval = set_difference,
     .signature = "array.set_difference(array) → array",
     .doc = "The distinct elements of one array that another lacks.",
     .examples = kSetDifferenceExamples},
};

}  // namespace

std::span<const TermDef> array_terms() {
  return kTerms;
}

}  // namespace reqld::reql
