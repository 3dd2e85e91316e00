#include "reql/merge.hpp"

#include <cstdint>
#include <optional>

#include "datum/encoding.hpp"
#include "reql/error.hpp"
#include "reql/stack.hpp"

namespace reqld::reql {

namespace {

constexpr std::string_view kTypeField = "$reql_type$";
constexpr std::string_view kLiteral = "LITERAL";

// Whether the encoded value at `p` is or has a literal. Every written document is asked, on the writer's thread: so the
// bytes are looked at where they are.
bool holds_literal(const Context& cx, const std::uint8_t* p) {
  check_stack(cx);
  const Tag tag = encoding::tag_at(p);
  if (tag != Tag::kArray && tag != Tag::kObject) return false;
  const encoding::Container container(p);
  if (tag == Tag::kObject) {
    const std::uint8_t* type = container.find(kTypeField);
    if (type && encoding::tag_at(type) == Tag::kString && encoding::text_at(type) == kLiteral) return true;
  }
  for (std::uint32_t i = 0; i < container.count(); ++i) {
    if (holds_literal(cx, tag == Tag::kObject ? container.value(i) : container.at(i))) return true;
  }
  return false;
}

bool holds_literal(const Context& cx, const Datum& d) {
  const std::uint8_t* bytes = d.slice_data();
  return bytes && holds_literal(cx, bytes);
}

// `d` with the literals inside taken out: what a value with no counterpart on the left becomes. nullopt: nothing is left of it.
std::optional<Datum> without_literals(const Context& cx, const Datum& d) {
  if (!holds_literal(cx, d)) return d;
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
  if (!d.is(Type::kObject)) return false;
  const auto type = d.get(kTypeField);
  return type && type->is(Type::kString) && type->as_string() == kLiteral;
}

Datum merge(const Context& cx, const Datum& left, const Datum& right) {
  check_stack(cx);
  if (!left.is(Type::kObject) || !right.is(Type::kObject) || is_literal(right)) return without_literals(cx, right).value_or(Datum());
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

void refuse_literals(const Context& cx, const Datum& d) {
  if (holds_literal(cx, d)) {
    throw_logic(
        "Stray literal keyword found: literal is only legal inside of the object passed to merge or update and cannot nest "
        "inside other literals.");
  }
}

}  // namespace reqld::reql
