#include "reql/merge.hpp"

#include <optional>

#include "datum/encoding.hpp"
#include "reql/error.hpp"
#include "reql/stack.hpp"

namespace reqld::reql {

namespace {

// `d` with the literals inside taken out: what a value with no counterpart on the left becomes. nullopt:
// nothing is left of it.
std::optional<Datum> without_literals(const Context& cx, const Datum& d) {
  check_stack(cx);
  if (!d.has_literal()) return d;
  if (is_literal(d)) return d.get("value");
  if (d.is(Type::kArray)) {
    ArrayBuilder builder;
    for (std::size_t i = 0; i < d.array_size(); ++i) {
      if (const auto rest = without_literals(cx, d.at(i))) builder.add(*rest);
    }
    return builder.finish();
  }
  ObjectBuilder builder;
  for (std::size_t i = 0; i < d.object_size(); ++i) {
    if (auto rest = without_literals(cx, d.value_at(i))) builder.set(d.name_at(i), std::move(*rest));
  }
  return builder.finish();
}

}  // namespace

bool is_literal(const Datum& d) {
  if (!d.is(Type::kObject) || !d.has_literal()) return false;
  const auto type = d.get(encoding::kReqlType);
  return type && type->is(Type::kString) && type->as_string() == encoding::kLiteralType;
}

Datum merge(const Context& cx, const Datum& left, const Datum& right) {
  check_stack(cx);
  if (!left.is(Type::kObject) || !right.is(Type::kObject) || is_literal(right))
    return without_literals(cx, right).value_or(Datum());
  ObjectBuilder builder(left);
  for (std::size_t i = 0; i < right.object_size(); ++i) {
    const std::string_view name = right.name_at(i);
    const Datum value = right.value_at(i);
    const Datum* present = value.is(Type::kObject) && !is_literal(value) ? builder.find(name) : nullptr;
    if (present) {
      builder.set(name, merge(cx, *present, value));
    } else if (auto rest = without_literals(cx, value)) {
      builder.set(name, std::move(*rest));
    } else {
      builder.erase(name);
    }
  }
  return builder.finish();
}

void refuse_literals(const Datum& d) {
  if (d.has_literal()) {
    throw_logic(
        "Stray literal keyword found: literal is only legal inside of the object passed to merge or update "
        "and cannot nest "
        "inside other literals.");
  }
}

}  // namespace reqld::reql
