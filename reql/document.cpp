#include "reql/document.hpp"

#include <string>

#include "datum/json.hpp"
#include "reql/error.hpp"

namespace reqld::reql {

void throw_not_a_document(std::string_view op, const Datum& found) {
  if (found.is(Type::kTime) || found.is(Type::kGeometry)) {
    throw_logic("Cannot call `" + std::string(op) + "` on objects of type `" + std::string(type_name(found.type())) + "`.");
  }
  std::string message = "Cannot perform " + std::string(op) + " on a non-object non-sequence `" + to_pretty_json(found) + "`.";
  if (found.is_null()) throw_non_existence(std::move(message));
  throw_logic(std::move(message));
}

void throw_not_a_document_in_sequence(std::string_view op, const Datum& found) {
  if (found.is(Type::kArray)) throw_logic("Cannot perform " + std::string(op) + " on a sequence of sequences.");
  throw_not_a_document(op, found);
}

void throw_no_attribute(std::string_view name, const Datum& document) {
  throw_non_existence("No attribute `" + std::string(name) + "` in object:\n" + to_pretty_json(document));
}

Datum get_field(const Datum& document, std::string_view name, std::string_view op) {
  if (!document.is(Type::kObject)) throw_not_a_document(op, document);
  auto field = document.get(name);
  if (!field) throw_no_attribute(name, document);
  return std::move(*field);
}

std::optional<Datum> find_field(const Datum& value, std::string_view name, std::string_view op) {
  if (value.is(Type::kObject)) return value.get(name);
  if (!value.is(Type::kArray)) throw_not_a_document(op, value);
  ArrayBuilder found;
  for (std::size_t i = 0; i < value.array_size(); ++i) {
    const Datum element = value.at(i);
    if (!element.is(Type::kObject)) throw_not_a_document_in_sequence(op, element);
    if (const auto field = element.get(name)) found.add(*field);
  }
  return found.finish();
}

}  // namespace reqld::reql
