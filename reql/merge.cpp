#include "reql/merge.hpp"

#include <optional>
#include <vector>

#include "reql/error.hpp"

namespace reqld::reql {

namespace {

constexpr std::string_view kTypeField = "$reql_type$";

// `d` with the literals inside taken out: what a value with no counterpart on the left becomes.
Datum without_literals(const Datum& d) {
  const bool array = d.is(Type::kArray);
  if (!array && !d.is(Type::kObject)) return d;
  const std::size_t size = array ? d.array_size() : d.object_size();
  std::vector<std::optional<Datum>> values(size);
  bool changed = false;
  for (std::size_t i = 0; i < size; ++i) {
    const Datum value = array ? d.at(i) : d.value_at(i);
    values[i] = is_literal(value) ? value.get("value") : without_literals(value);
    changed |= !values[i] || values[i]->slice_data() != value.slice_data();
  }
  if (!changed) return d;
  if (array) {
    ArrayBuilder builder;
    for (const auto& v : values) {
      if (v) builder.add(*v);
    }
    return builder.finish();
  }
  ObjectBuilder builder;
  for (std::size_t i = 0; i < size; ++i) {
    if (values[i]) builder.set(d.name_at(i), std::move(*values[i]));
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
  if (is_literal(right)) {
    auto inner = right.get("value");
    return inner ? *inner : Datum();
  }
  if (!left.is(Type::kObject) || !right.is(Type::kObject)) return without_literals(right);
  ObjectBuilder builder(left);
  for (std::size_t i = 0; i < right.object_size(); ++i) {
    const std::string_view name = right.name_at(i);
    const Datum value = right.value_at(i);
    if (is_literal(value)) {
      if (auto inner = value.get("value")) {
        builder.set(name, *inner);
      } else {
        builder.erase(name);
      }
      continue;
    }
    const Datum* present = builder.find(name);
    builder.set(name, present ? merge(*present, value) : without_literals(value));
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
