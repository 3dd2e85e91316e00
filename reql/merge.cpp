#include "reql/merge.hpp"

#include <optional>

#include "reql/error.hpp"

namespace reqld::reql {

namespace {

constexpr std::string_view kTypeField = "$reql_type$";

bool holds_literal(const Datum& d) {
  if (d.is(Type::kArray)) {
    for (std::size_t i = 0; i < d.array_size(); ++i) {
      if (holds_literal(d.at(i))) return true;
    }
  } else if (d.is(Type::kObject)) {
    if (is_literal(d)) return true;
    for (std::size_t i = 0; i < d.object_size(); ++i) {
      if (holds_literal(d.value_at(i))) return true;
    }
  }
  return false;
}

// `d` with the literals inside taken out: what a value with no counterpart on the left becomes. nullopt: nothing is left of it.
std::optional<Datum> without_literals(const Datum& d) {
  if (!holds_literal(d)) return d;
  if (is_literal(d)) return d.get("value");
  if (d.is(Type::kArray)) {
    ArrayBuilder builder;
    for (std::size_t i = 0; i < d.array_size(); ++i) {
      if (const auto rest = without_literals(d.at(i))) builder.add(*rest);
    }
    return builder.finish();
  }
  ObjectBuilder builder;
  for (std::size_t i = 0; i < d.object_size(); ++i) {
    if (auto rest = without_literals(d.value_at(i))) builder.set(d.name_at(i), std::move(*rest));
  }
  return builder.finish();
}

}  // namespace

bool is_literal(const Datum& d) {
  if (!d.is(Type::kObject)) return false;
  const auto type = d.get(kTypeField);
  return type && type->is(Type::kString) && type->as_string() == "LITERAL";
}

Datum merge(const Datum& left, const Datum& right) {
  if (!left.is(Type::kObject) || !right.is(Type::kObject) || is_literal(right)) return without_literals(right).value_or(Datum());
  ObjectBuilder builder(left);
  for (std::size_t i = 0; i < right.object_size(); ++i) {
    const std::string_view name = right.name_at(i);
    const Datum value = right.value_at(i);
    const Datum* present = value.is(Type::kObject) && !is_literal(value) ? builder.find(name) : nullptr;
    if (present) {
      builder.set(name, merge(*present, value));
    } else if (auto rest = without_literals(value)) {
      builder.set(name, std::move(*rest));
    } else {
      builder.erase(name);
    }
  }
  return builder.finish();
}

void refuse_literals(const Datum& d) {
  if (is_literal(d)) {
    throw_logic(
        "Stray literal keyword found: literal is only legal inside of the object passed to merge or update and cannot nest "
        "inside other literals.");
  }
  if (d.is(Type::kObject)) {
    for (std::size_t i = 0; i < d.object_size(); ++i) refuse_literals(d.value_at(i));
  } else if (d.is(Type::kArray)) {
    for (std::size_t i = 0; i < d.array_size(); ++i) refuse_literals(d.at(i));
  }
}

}  // namespace reqld::reql
