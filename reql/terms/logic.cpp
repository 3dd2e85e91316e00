// Comparisons, and, or, not.

#include "reql/eval.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

// Whether every neighbouring pair of arguments is in order; those after the first pair that is not are not evaluated.
template <bool (*in_order)(int)>
bool chain(Args& args) {
  Datum left = args.datum(0);
  for (std::size_t i = 1; i < args.size(); ++i) {
    Datum right = args.datum(i);
    if (!in_order(compare(left, right))) return false;
    left = std::move(right);
  }
  return true;
}

bool is_equal(int order) { return order == 0; }
bool is_less(int order) { return order < 0; }
bool is_less_or_equal(int order) { return order <= 0; }
bool is_greater(int order) { return order > 0; }
bool is_greater_or_equal(int order) { return order >= 0; }

template <bool (*in_order)(int)>
Value comparison(Args& args) {
  return Value(Datum::boolean(chain<in_order>(args)));
}

Value ne(Args& args) { return Value(Datum::boolean(!chain<is_equal>(args))); }

Value not_(Args& args) { return Value(Datum::boolean(!args.boolean(0))); }

// The first argument whose truth is `decisive`, or the last one.
Value first_that_is(Args& args, bool decisive) {
  Datum d = Datum::boolean(!decisive);
  for (std::size_t i = 0; i < args.size(); ++i) {
    d = args.datum(i);
    if (truth(d) == decisive) break;
  }
  return Value(std::move(d));
}

Value and_(Args& args) { return first_that_is(args, false); }
Value or_(Args& args) { return first_that_is(args, true); }

constexpr Example kEqExamples[] = {
    {"r.expr(1).eq(1, 1)", "[17,[1,1,1]]", "true"},
    {"r.expr([1, {'a': 2}]) == [1, {'a': 2}]", R"([17,[[2,[1,{"a":2}]],[2,[1,{"a":2}]]]])", "true"},
};
constexpr Example kNeExamples[] = {
    {"r.expr(1) != 2", "[18,[1,2]]", "true"},
};
constexpr Example kLtExamples[] = {
    {"r.expr(1).lt(2, 3)", "[19,[1,2,3]]", "true"},
    {"r.expr([9]) < 'a'", R"([19,[[2,[9]],"a"]])", "true"},
};
constexpr Example kLeExamples[] = {
    {"r.expr(1) <= 1", "[20,[1,1]]", "true"},
};
constexpr Example kGtExamples[] = {
    {"r.expr(3).gt(2, 2)", "[21,[3,2,2]]", "false"},
};
constexpr Example kGeExamples[] = {
    {"r.expr(3).ge(2, 2)", "[22,[3,2,2]]", "true"},
};
constexpr Example kNotExamples[] = {
    {"r.not_(None)", "[23,[null]]", "true"},
    {"r.not_(0)", "[23,[0]]", "false"},
};
constexpr Example kAndExamples[] = {
    {"r.and_(1, None, 2)", "[67,[1,null,2]]", "null"},
    {"r.and_()", "[67,[]]", "true"},
};
constexpr Example kOrExamples[] = {
    {"r.or_(False, 2, 3)", "[66,[false,2,3]]", "2"},
    {"r.or_()", "[66,[]]", "false"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kEq, .name = "eq", .arity = at_least(2), .eval = comparison<is_equal>,
     .signature = "value.eq(value, …) → bool",
     .doc = "Whether all are equal.",
     .examples = kEqExamples},
    {.type = TermType::kNe, .name = "ne", .arity = at_least(2), .eval = ne,
     .signature = "value.ne(value, …) → bool",
     .doc = "Whether not all are equal.",
     .examples = kNeExamples},
    {.type = TermType::kLt, .name = "lt", .arity = at_least(2), .eval = comparison<is_less>,
     .signature = "value.lt(value, …) → bool",
     .doc = "Whether each is less than the next.",
     .examples = kLtExamples},
    {.type = TermType::kLe, .name = "le", .arity = at_least(2), .eval = comparison<is_less_or_equal>,
     .signature = "value.le(value, …) → bool",
     .doc = "Whether none is greater than the next.",
     .examples = kLeExamples},
    {.type = TermType::kGt, .name = "gt", .arity = at_least(2), .eval = comparison<is_greater>,
     .signature = "value.gt(value, …) → bool",
     .doc = "Whether each is greater than the next.",
     .examples = kGtExamples},
    {.type = TermType::kGe, .name = "ge", .arity = at_least(2), .eval = comparison<is_greater_or_equal>,
     .signature = "value.ge(value, …) → bool",
     .doc = "Whether none is less than the next.",
     .examples = kGeExamples},
    {.type = TermType::kNot, .name = "not", .arity = exactly(1), .eval = not_,
     .signature = "value.not() → bool",
     .doc = "True for false and null, false for anything else.",
     .examples = kNotExamples},
    {.type = TermType::kAnd, .name = "and", .arity = at_least(0), .eval = and_,
     .signature = "value.and(value, …) → value",
     .doc = "The first that is false or null, or the last.",
     .examples = kAndExamples},
    {.type = TermType::kOr, .name = "or", .arity = at_least(0), .eval = or_,
     .signature = "value.or(value, …) → value",
     .doc = "The first that is neither false nor null, or the last.",
     .examples = kOrExamples},
};

}  // namespace

std::span<const TermDef> logic_terms() { return kTerms; }

}  // namespace reqld::reql
