// Looking into documents: what get_field and its kin make of one value.
#pragma once

#include <optional>
#include <string_view>

#include "datum/datum.hpp"

namespace reqld::reql {

/// What the document term `op` answers for a value that is neither document nor sequence: "Cannot perform pluck on a
/// non-object non-sequence `1`."
[[noreturn]] void throw_not_a_document(std::string_view op, const Datum& found);
/// The same for an element of a sequence, where an array is no better: "Cannot perform pluck on a sequence of sequences."
[[noreturn]] void throw_not_a_document_in_sequence(std::string_view op, const Datum& found);
/// "No attribute `a` in object:…"
[[noreturn]] void throw_no_attribute(std::string_view name, const Datum& document);

/// document[name]; throws as the term `op` does.
Datum get_field(const Datum& document, std::string_view name, std::string_view op);

/// As get_field does with any value: of a document its field, of an array those of its elements that have it. nullopt: a document
/// without the field.
std::optional<Datum> find_field(const Datum& value, std::string_view name, std::string_view op);

}  // namespace reqld::reql
