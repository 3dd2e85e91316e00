// Deep merging of documents: what MERGE and UPDATE do.
#pragma once

#include "datum/datum.hpp"

namespace reqld::reql {

class Context;

/// `right` laid over `left`: objects field by field (recursively), any other value replaces. r.literal(x) inside `right` replaces
/// without merging; r.literal() removes the field. The result holds no literal.
Datum merge(const Context& cx, const Datum& left, const Datum& right);

/// Whether `d` is the object that r.literal makes: {"$reql_type$": "LITERAL", "value"?: …}.
bool is_literal(const Datum& d);

/// Throws the recorded error when a literal stands anywhere inside `d`.
void refuse_literals(const Datum& d);

}  // namespace reqld::reql
