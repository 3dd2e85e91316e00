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

bool is_true(const Datum& d) { return !(d.is_null() || (d.is(Type::kBool) && !d.as_bool())); }

Value not_(Args& args) { return Value(Datum::boolean(!args.boolean(0))); }

// The first argument whose truth is `decisive`, or the last one.
Value first_that_is(Args& args, bool decisive) {
  Datum d = Datum::boolean(!decisive);
  for (std::size_t i = 0; i < args.size(); ++i) {
    d = args.datum(i);
    if (is_true(d) == decisive) break;
  }
  return Value(std::move(d));
}

Value and_(Args& args) { return first_that_is(args, false); }
Value or_(Args& args) { return first_that_is(args, true); }

constexpr TermDef kTerms[] = {
    {.type = TermType::kEq, .name = "eq", .arity = at_least(2), .eval = comparison<is_equal>,
     .doc = "Whether all are equal."},
    {.type = TermType::kNe, .name = "ne", .arity = at_least(2), .eval = ne, .doc = "Whether not all are equal."},
    {.type = TermType::kLt, .name = "lt", .arity = at_least(2), .eval = comparison<is_less>,
     .doc = "Whether each is less than the next."},
    {.type = TermType::kLe, .name = "le", .arity = at_least(2), .eval = comparison<is_less_or_equal>,
     .doc = "Whether none is greater than the next."},
    {.type = TermType::kGt, .name = "gt", .arity = at_least(2), .eval = comparison<is_greater>,
     .doc = "Whether each is greater than the next."},
    {.type = TermType::kGe, .name = "ge", .arity = at_least(2), .eval = comparison<is_greater_or_equal>,
     .doc = "Whether none is less than the next."},
    {.type = TermType::kNot, .name = "not", .arity = exactly(1), .eval = not_,
     .doc = "True for false and null, false for anything else."},
    {.type = TermType::kAnd, .name = "and", .arity = at_least(0), .eval = and_,
     .doc = "The first that is false or null, or the last."},
    {.type = TermType::kOr, .name = "or", .arity = at_least(0), .eval = or_,
     .doc = "The first that is neither false nor null, or the last."},
};

}  // namespace

std::span<const TermDef> logic_terms() { return kTerms; }

}  // namespace reqld::reql
