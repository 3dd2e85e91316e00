#include "reql/terms/path_pattern.hpp"

#include <algorithm>

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/stack.hpp"

namespace reqld::reql {

namespace {

[[noreturn]] void throw_invalid(const Datum& pattern) {
  throw_logic("Invalid path argument `" + to_pretty_json(pattern) + "`.");
}

// Done to each element of an array; an element that it cannot be done to spoils the array.
template <typename F>
std::optional<Datum> each_element(const Datum& array, F&& change) {
  ArrayBuilder builder;
  for (std::size_t i = 0; i < array.array_size(); ++i) {
    const auto changed = change(array.at(i));
    if (!changed) return std::nullopt;
    builder.add(*changed);
  }
  return builder.finish();
}

}  // namespace

PathPattern::PathPattern(const Context& cx, const std::vector<Datum>& patterns) {
  for (const Datum& p : patterns) add(cx, fields_, p);
}

PathPattern::Field& PathPattern::field_of(Fields& fields, std::string_view name) {
  const auto at = std::lower_bound(fields.begin(), fields.end(), name,
                                   [](const Field& f, std::string_view n) { return f.name < n; });
  if (at != fields.end() && at->name == name) return *at;
  Field added;
  added.name = name;
  return *fields.insert(at, std::move(added));
}

void PathPattern::add(const Context& cx, Fields& fields, const Datum& pattern) {
  check_stack(cx);
  switch (pattern.type()) {
    case Type::kString: field_of(fields, pattern.as_string()).whole = true; return;
    case Type::kArray:
      for (std::size_t i = 0; i < pattern.array_size(); ++i) add(cx, fields, pattern.at(i));
      return;
    case Type::kObject:
    case Type::kTime:
    case Type::kGeometry: break;
    default: throw_invalid(pattern);
  }
  const Datum map = pattern.is(Type::kObject) ? pattern : to_pseudo_object(pattern);
  for (std::size_t i = 0; i < map.object_size(); ++i) {
    Field& field = field_of(fields, map.name_at(i));
    const Datum value = map.value_at(i);
    if (value.is(Type::kBool) && value.as_bool()) {
      field.whole = true;
    } else {
      field.deeper = true;
      add(cx, field.inner, value);
    }
  }
}

std::optional<Datum> PathPattern::pluck(const Context& cx, const Fields& fields, const Datum& value, bool into_arrays) {
  check_stack(cx);
  if (value.is(Type::kArray) && into_arrays) {
    return each_element(value, [&](const Datum& element) { return pluck(cx, fields, element, false); });
  }
  if (!value.is(Type::kObject)) return fields.empty() ? std::optional(Datum::empty_object()) : std::nullopt;
  ObjectBuilder builder;
  for (const Field& f : fields) {
    auto part = value.get(f.name);
    if (part && !f.whole) part = pluck(cx, f.inner, *part, true);
    if (part) builder.set(f.name, std::move(*part));
  }
  return builder.finish();
}

std::optional<Datum> PathPattern::without(const Context& cx, const Fields& fields, const Datum& value, bool into_arrays) {
  check_stack(cx);
  if (value.is(Type::kArray) && into_arrays) {
    return each_element(value, [&](const Datum& element) { return without(cx, fields, element, false); });
  }
  if (!value.is(Type::kObject)) return fields.empty() ? std::optional(value) : std::nullopt;
  ObjectBuilder builder(value);
  for (const Field& f : fields) {
    const Datum* part = builder.find(f.name);
    if (!part) continue;
    if (f.whole) {
      builder.erase(f.name);
    } else if (auto rest = without(cx, f.inner, *part, true)) {
      builder.set(f.name, std::move(*rest));
    }
  }
  return builder.finish();
}

bool PathPattern::found(const Context& cx, const Fields& fields, const Datum& value) {
  check_stack(cx);
  if (!value.is(Type::kObject)) return fields.empty();
  return std::all_of(fields.begin(), fields.end(), [&](const Field& f) {
    const auto part = value.get(f.name);
    if (!part || (f.whole && part->is_null())) return false;
    return !f.deeper || found(cx, f.inner, *part);
  });
}

Datum PathPattern::pluck(const Context& cx, const Datum& document) const { return *pluck(cx, fields_, document, false); }

Datum PathPattern::without(const Context& cx, const Datum& document) const { return *without(cx, fields_, document, false); }

bool PathPattern::found_in(const Context& cx, const Datum& document) const { return found(cx, fields_, document); }

}  // namespace reqld::reql
