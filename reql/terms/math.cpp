// Arithmetic on numbers, and what + - * do to strings, arrays and times; rounding, bits, random numbers.

#include <algorithm>
#include <cmath>
#include <random>

#include "datum/json.hpp"
#include "datum/time.hpp"
#include "reql/eval.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

// Wrong types in arithmetic are blamed on the term, not on the argument, as recorded: hence few Args::number() in here.

Datum later(const Datum& time, double seconds) {
  const TimeValue t = add_seconds(time.as_time(), seconds);
  (void)Datum::number(t.epoch_seconds);  // refuses infinity
  return reqld::to_datum(t);
}

// --- add

Value add_strings(Args& args, const Datum& first) {
  std::string text(first.as_string());
  for (std::size_t i = 1; i < args.size(); ++i) {
    const Datum next = args.datum(i);
    text += next.as_string();
  }
  return Value(Datum::string(text));
}

void append_array(Context& cx, ArrayBuilder& builder, const Datum& array) {
  const std::size_t size = array.array_size();
  check_array_size(cx, builder.size() + size);
  for (std::size_t i = 0; i < size; ++i) builder.add(array.at(i));
}

Value add_arrays(Args& args, const Datum& first) {
  ArrayBuilder builder;
  append_array(args.cx(), builder, first);
  for (std::size_t i = 1; i < args.size(); ++i) append_array(args.cx(), builder, args.datum(i));
  return Value(builder.finish());
}

Datum sum(const Datum& left, const Datum& right) {
  if (left.is(Type::kTime)) return later(left, right.as_number());
  if (left.is(Type::kNumber) && right.is(Type::kTime)) return later(right, left.as_number());
  const double addend = left.as_number();
  return Datum::number(addend + right.as_number());
}

Value add(Args& args) {
  Datum result = args.datum(0);
  if (args.size() == 1) return Value(std::move(result));
  if (result.is(Type::kString)) return add_strings(args, result);
  if (result.is(Type::kArray)) return add_arrays(args, result);
  for (std::size_t i = 1; i < args.size(); ++i) result = sum(result, args.datum(i));
  return Value(std::move(result));
}

// --- sub, mul, div, mod

Datum difference(Context&, const Datum& left, const Datum& right) {
  if (left.is(Type::kTime)) {
    if (!right.is(Type::kTime)) return later(left, -right.as_number());
    return Datum::number(seconds_between(left.as_time(), right.as_time()));
  }
  const double minuend = left.as_number();
  return Datum::number(minuend - right.as_number());
}

Datum repeated(Context& cx, const Datum& array, const Datum& times) {
  const std::int64_t n = times.as_integer();
  if (n < 0) throw_logic("Cannot multiply an ARRAY by a negative number.");
  const std::size_t size = array.array_size();
  if (size == 0) return array;
  // Compared by division: the product might overflow.
  if (static_cast<std::size_t>(n) > cx.options.array_limit / size) check_array_size(cx, cx.options.array_limit + 1);
  ArrayBuilder builder;
  builder.reserve(size * static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < size; ++j) builder.add(array.at(j));
  }
  return builder.finish();
}

Datum product(Context& cx, const Datum& left, const Datum& right) {
  if (left.is(Type::kArray)) return repeated(cx, left, right);
  if (right.is(Type::kArray)) return repeated(cx, right, left);
  const double factor = left.as_number();
  return Datum::number(factor * right.as_number());
}

Datum quotient(Context&, const Datum& left, const Datum& right) {
  const double dividend = left.as_number();
  const double divisor = right.as_number();
  if (divisor == 0) throw_logic("Cannot divide by zero.");
  return Datum::number(dividend / divisor);
}

// From left to right; one argument comes back as it is, whatever its type.
template <Datum (*operation)(Context&, const Datum&, const Datum&)>
Value fold_left(Args& args) {
  Datum result = args.datum(0);
  for (std::size_t i = 1; i < args.size(); ++i) result = operation(args.cx(), result, args.datum(i));
  return Value(std::move(result));
}

Value modulo(Args& args) {
  const std::int64_t dividend = args.integer(0);
  const std::int64_t divisor = args.integer(1);
  if (divisor == 0) throw_logic("Cannot take a number modulo 0.");
  return Value(Datum::integer(dividend % divisor));
}

template <double (*rounding)(double)>
Value rounded(Args& args) {
  return Value(Datum::number(rounding(args.number(0))));
}

// --- bits

// Operands are two's complement integers of 54 bits: -2^53 to 2^53 - 1.
constexpr std::int64_t kBitLimit = std::int64_t{1} << 53;

std::int64_t bits(std::int64_t n) {
  if (n >= kBitLimit) throw_logic("Integer too large: " + std::to_string(n));
  return n;
}

struct And {
  std::int64_t operator()(std::int64_t a, std::int64_t b) const { return a & b; }
};
struct Or {
  std::int64_t operator()(std::int64_t a, std::int64_t b) const { return a | b; }
};
struct Xor {
  std::int64_t operator()(std::int64_t a, std::int64_t b) const { return a ^ b; }
};

template <typename Operation>
Value bitwise(Args& args) {
  std::int64_t result = bits(args.integer(0));
  for (std::size_t i = 1; i < args.size(); ++i) result = Operation{}(result, bits(args.integer(i)));
  return Value(Datum::integer(result));
}

Value bit_not(Args& args) { return Value(Datum::integer(~bits(args.integer(0)))); }

std::int64_t shift_amount(Args& args) {
  const std::int64_t n = args.integer(1);
  if (n < 0) throw_logic("Cannot bit-shift by a negative value");
  return n;
}

// Not confined to 54 bits: the result is the number times a power of two.
Value bit_shift_left(Args& args) {
  const std::int64_t n = bits(args.integer(0));
  const int amount = static_cast<int>(std::min<std::int64_t>(shift_amount(args), 2000));
  return Value(Datum::number(std::ldexp(static_cast<double>(n), amount)));
}

Value bit_shift_right(Args& args) {
  const std::int64_t n = bits(args.integer(0));
  return Value(Datum::integer(n >> std::min<std::int64_t>(shift_amount(args), 63)));
}

// --- random

std::mt19937_64& generator() {
  thread_local std::mt19937_64 engine = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return engine;
}

// In [0, 1), every multiple of 2^-53 alike.
double random_unit() { return static_cast<double>(generator()() >> 11) * 0x1.0p-53; }

// From `lower` (possible) towards `upper` (not possible unless equal); `upper` may be the smaller one.
double random_float(double lower, double upper) {
  if (lower == upper) return lower;
  const double unit = random_unit();
  // The span may be larger than the largest double.
  const double span = upper - lower;
  const double value = std::isfinite(span) ? lower + unit * span : lower * (1 - unit) + upper * unit;
  return value == upper ? std::nextafter(upper, lower) : value;
}

std::int64_t random_bound(std::string_view which, double bound) {
  if (std::trunc(bound) != bound || std::fabs(bound) > static_cast<double>(kBitLimit)) {
    std::string message(which);
    message += " bound (";
    append_json_number(bound, message);
    throw_logic(message + ") could not be safely converted to an integer.");
  }
  return static_cast<std::int64_t>(bound);
}

std::int64_t random_integer(double lower_bound, double upper_bound) {
  const std::int64_t lower = random_bound("Lower", lower_bound);
  const std::int64_t upper = random_bound("Upper", upper_bound);
  if (lower >= upper) {
    throw_logic("Lower bound (" + std::to_string(lower) + ") is not less than upper bound (" + std::to_string(upper) + ").");
  }
  return std::uniform_int_distribution<std::int64_t>(lower, upper - 1)(generator());
}

Value random(Args& args) {
  const std::optional<bool> wants_float = args.bool_optarg("float");
  if (args.size() == 0) {
    if (!wants_float.value_or(true)) throw_logic("Generating a random integer requires one or two bounds.");
    return Value(Datum::number(random_unit()));
  }
  double lower = 0;
  double upper = args.number(0);
  if (args.has(1)) {
    lower = upper;
    upper = args.number(1);
  }
  if (wants_float.value_or(false)) return Value(Datum::number(random_float(lower, upper)));
  return Value(Datum::integer(random_integer(lower, upper)));
}

constexpr Optarg kRandomOptargs[] = {
    {"float", "a number with a fraction (false when bounds are given)"},
};

constexpr Example kAddExamples[] = {
    {"r.expr(1) + 2", "[24,[1,2]]", "3"},
    {"r.expr('a') + 'b'", R"([24,["a","b"]])", R"("ab")"},
    {"r.expr([1]) + [2]", "[24,[[2,[1]],[2,[2]]]]", "[1,2]"},
    {"r.expr(1) + 'a'", R"([24,[1,"a"]])", "Expected type NUMBER but found STRING."},
};
constexpr Example kSubExamples[] = {
    {"r.expr(5).sub(2, 1)", "[25,[5,2,1]]", "2"},
    {"r.epoch_time(90) - r.epoch_time(30)", "[25,[[101,[90]],[101,[30]]]]", "60"},
};
constexpr Example kMulExamples[] = {
    {"r.expr(6) * 7", "[26,[6,7]]", "42"},
    {"r.expr([1, 2]) * 2", "[26,[[2,[1,2]],2]]", "[1,2,1,2]"},
};
constexpr Example kDivExamples[] = {
    {"r.expr(7) / 2", "[27,[7,2]]", "3.5"},
    {"r.expr(1) / 0", "[27,[1,0]]", "Cannot divide by zero."},
};
constexpr Example kModExamples[] = {
    {"r.expr(-7) % 3", "[28,[-7,3]]", "-1"},
    {"r.expr(1.5) % 1", "[28,[1.5,1]]", "Number not an integer: 1.5"},
};
constexpr Example kFloorExamples[] = {
    {"r.expr(-1.5).floor()", "[183,[-1.5]]", "-2"},
};
constexpr Example kCeilExamples[] = {
    {"r.expr(1.2).ceil()", "[184,[1.2]]", "2"},
};
constexpr Example kRoundExamples[] = {
    {"r.expr(-2.5).round()", "[185,[-2.5]]", "-3"},
};
constexpr Example kBitAndExamples[] = {
    {"r.expr(12).bit_and(10)", "[191,[12,10]]", "8"},
    {"r.expr(1.5).bit_and(1)", "[191,[1.5,1]]", "Number not an integer: 1.5"},
};
constexpr Example kBitOrExamples[] = {
    {"r.expr(12).bit_or(10)", "[192,[12,10]]", "14"},
};
constexpr Example kBitXorExamples[] = {
    {"r.expr(12).bit_xor(10)", "[193,[12,10]]", "6"},
};
constexpr Example kBitNotExamples[] = {
    {"r.expr(7).bit_not()", "[194,[7]]", "-8"},
};
constexpr Example kBitSalExamples[] = {
    {"r.expr(3).bit_sal(4)", "[195,[3,4]]", "48"},
};
constexpr Example kBitSarExamples[] = {
    {"r.expr(-16).bit_sar(2)", "[196,[-16,2]]", "-4"},
};
constexpr Example kRandomExamples[] = {
    {"r.random(5, 6)", "[151,[5,6]]", "5"},
    {"r.random(1.5, 2.5, float=True).floor() > 0",
     R"([21,[[183,[[151,[1.5,2.5],{"float":true}]]],0]])",
     "true"},
    {"r.random(1.5)", "[151,[1.5]]", "Upper bound (1.5) could not be safely converted to an integer."},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kAdd, .name = "add", .arity = at_least(1), .eval = add,
     .signature = "value.add(value, …) → value",
     .doc = "The sum of numbers, strings or arrays put together, or a time some seconds later.",
     .examples = kAddExamples},
    {.type = TermType::kSub, .name = "sub", .arity = at_least(1), .eval = fold_left<difference>,
     .signature = "value.sub(value, …) → value",
     .doc = "The difference of numbers, a time some seconds earlier, or the seconds between two times.",
     .examples = kSubExamples},
    {.type = TermType::kMul, .name = "mul", .arity = at_least(1), .eval = fold_left<product>,
     .signature = "value.mul(value, …) → value",
     .doc = "The product of numbers, or an array repeated.",
     .examples = kMulExamples},
    {.type = TermType::kDiv, .name = "div", .arity = at_least(1), .eval = fold_left<quotient>,
     .signature = "number.div(number, …) → number",
     .doc = "The quotient of numbers.",
     .examples = kDivExamples},
    {.type = TermType::kMod, .name = "mod", .arity = exactly(2), .eval = modulo,
     .signature = "number.mod(number) → number",
     .doc = "The remainder of a division of whole numbers; it has the sign of the first.",
     .examples = kModExamples},
    {.type = TermType::kFloor, .name = "floor", .arity = exactly(1), .eval = rounded<std::floor>,
     .signature = "number.floor() → number",
     .doc = "The greatest whole number not above.",
     .examples = kFloorExamples},
    {.type = TermType::kCeil, .name = "ceil", .arity = exactly(1), .eval = rounded<std::ceil>,
     .signature = "number.ceil() → number",
     .doc = "The least whole number not below.",
     .examples = kCeilExamples},
    {.type = TermType::kRound, .name = "round", .arity = exactly(1), .eval = rounded<std::round>,
     .signature = "number.round() → number",
     .doc = "The nearest whole number; halves go away from zero.",
     .examples = kRoundExamples},
    {.type = TermType::kBitAnd, .name = "bit_and", .arity = at_least(1), .eval = bitwise<And>,
     .signature = "number.bit_and(number, …) → number",
     .doc = "The bits set in all of the whole numbers.",
     .examples = kBitAndExamples},
    {.type = TermType::kBitOr, .name = "bit_or", .arity = at_least(1), .eval = bitwise<Or>,
     .signature = "number.bit_or(number, …) → number",
     .doc = "The bits set in any of the whole numbers.",
     .examples = kBitOrExamples},
    {.type = TermType::kBitXor, .name = "bit_xor", .arity = at_least(1), .eval = bitwise<Xor>,
     .signature = "number.bit_xor(number, …) → number",
     .doc = "The bits set in an odd number of the whole numbers.",
     .examples = kBitXorExamples},
    {.type = TermType::kBitNot, .name = "bit_not", .arity = exactly(1), .eval = bit_not,
     .signature = "number.bit_not() → number",
     .doc = "The whole number with every bit the other way.",
     .examples = kBitNotExamples},
    {.type = TermType::kBitSal, .name = "bit_sal", .arity = exactly(2), .eval = bit_shift_left,
     .signature = "number.bit_sal(number) → number",
     .doc = "The whole number shifted left.",
     .examples = kBitSalExamples},
    {.type = TermType::kBitSar, .name = "bit_sar", .arity = exactly(2), .eval = bit_shift_right,
     .signature = "number.bit_sar(number) → number",
     .doc = "The whole number shifted right, its sign kept.",
     .examples = kBitSarExamples},
    {.type = TermType::kRandom, .name = "random", .arity = between(0, 2), .flags = kNonDeterministic, .eval = random,
     .optargs = kRandomOptargs,
     .signature = "r.random() → number\nr.random(bound) → number\nr.random(lower, upper) → number",
     .doc = "A random number below 1, below a bound, or between two.",
     .examples = kRandomExamples},
};

}  // namespace

std::span<const TermDef> math_terms() { return kTerms; }

}  // namespace reqld::reql
