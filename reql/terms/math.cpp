// Arithmetic on numbers, and what + - * do to strings, arrays and times; rounding, bits, random numbers.

#include <cmath>
#include <limits>
#include <random>

#include "datum/json.hpp"
#include "datum/time.hpp"
#include "reql/eval.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

// The recorded server blames arithmetic on wrong types on the term, not on the argument: hence no Args::number() in here.

Datum shifted(const Datum& time, double seconds) {
  const TimeValue t = time.as_time();
  return make_time(t.epoch_seconds + seconds, t.zone_minutes);
}

Datum concatenated(Context& cx, const Datum& left, const Datum& right) {
  check_array_size(cx, left.array_size() + right.array_size());
  ArrayBuilder builder;
  builder.reserve(left.array_size() + right.array_size());
  for (std::size_t i = 0; i < left.array_size(); ++i) builder.add(left.at(i));
  for (std::size_t i = 0; i < right.array_size(); ++i) builder.add(right.at(i));
  return builder.finish();
}

Datum repeated(Context& cx, const Datum& array, const Datum& times) {
  const std::int64_t n = times.as_integer();
  if (n < 0) throw_logic("Cannot multiply an ARRAY by a negative number.");
  const std::size_t size = array.array_size();
  if (size == 0) return array;
  // Checked before multiplying, which might overflow.
  if (static_cast<std::size_t>(n) > cx.options.array_limit / size) check_array_size(cx, cx.options.array_limit + 1);
  ArrayBuilder builder;
  builder.reserve(size * static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < size; ++j) builder.add(array.at(j));
  }
  return builder.finish();
}

Datum sum(Context& cx, const Datum& left, const Datum& right) {
  switch (left.type()) {
    case Type::kTime: return shifted(left, right.as_number());
    case Type::kString: return Datum::string(std::string(left.as_string()).append(right.as_string()));
    case Type::kArray: return concatenated(cx, left, right);
    case Type::kNumber:
      if (right.is(Type::kTime)) return shifted(right, left.as_number());
      break;
    default: break;
  }
  return Datum::number(left.as_number() + right.as_number());
}

Datum difference(Context&, const Datum& left, const Datum& right) {
  if (left.is(Type::kTime)) {
    if (!right.is(Type::kTime)) return shifted(left, -right.as_number());
    return Datum::number(round_to_milliseconds(left.as_time().epoch_seconds - right.as_time().epoch_seconds));
  }
  return Datum::number(left.as_number() - right.as_number());
}

Datum product(Context& cx, const Datum& left, const Datum& right) {
  if (left.is(Type::kArray)) return repeated(cx, left, right);
  if (right.is(Type::kArray)) return repeated(cx, right, left);
  return Datum::number(left.as_number() * right.as_number());
}

Datum quotient(Context&, const Datum& left, const Datum& right) {
  const double dividend = left.as_number();
  const double divisor = right.as_number();
  if (divisor == 0) throw_logic("Cannot divide by zero.");
  return Datum::number(dividend / divisor);
}

// One argument comes back as it is, whatever its type.
template <Datum (*operation)(Context&, const Datum&, const Datum&)>
Value fold(Args& args) {
  Datum result = args.datum(0);
  for (std::size_t i = 1; i < args.size(); ++i) result = operation(args.cx(), result, args.datum(i));
  return Value(std::move(result));
}

// Numbers are what most sums are made of: no Datum in between for those.
Value add(Args& args) {
  Datum result = args.datum(0);
  std::size_t i = 1;
  if (result.is(Type::kString)) {
    std::string text(result.as_string());
    for (; i < args.size(); ++i) text += Datum(args.datum(i)).as_string_copy();
    return i > 1 ? Value(Datum::string(text)) : Value(std::move(result));
  }
  for (; i < args.size(); ++i) result = sum(args.cx(), result, args.datum(i));
  return Value(std::move(result));
}

Value modulo(Args& args) {
  const std::int64_t dividend = args.integer(0);
  const std::int64_t divisor = args.integer(1);
  if (divisor == 0) throw_logic("Cannot take a number modulo 0.");
  return Value(Datum::integer(dividend % divisor));
}

Value floor(Args& args) { return Value(Datum::number(std::floor(args.number(0)))); }
Value ceil(Args& args) { return Value(Datum::number(std::ceil(args.number(0)))); }
Value round(Args& args) { return Value(Datum::number(std::round(args.number(0)))); }
