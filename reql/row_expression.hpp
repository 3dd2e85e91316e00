// The part of the language that most functions of a row are made of: its fields, literals, comparisons, and, or, not.
// Computed straight from the nodes, without arguments, scopes or exceptions; the evaluator stays the authority on everything else.
#pragma once

#include "datum/datum.hpp"
#include "reql/program.hpp"

namespace reqld::reql {

/// Whether `node` is of this kind. Requires that its arguments are finished (Node::is_row_expression).
bool is_row_expression(const Node& node);

enum class RowAnswer : std::uint8_t {
  kValue,
  kMissing,    ///< the row lacks a field that is asked for
  kUndecided,  ///< ask the evaluator: an unusual type, an error
};

/// The value of `node`, a row expression in a function of one argument, which is `row`. Sets `value` for kValue.
RowAnswer evaluate_row_expression(const Node& node, const Datum& row, Datum& value);

/// Whether evaluating `body` (any expression, in a function of one argument, which is `row`) is sure to end with a NON_EXISTENCE
/// error, because the first thing it does is to ask for a field that the row lacks.
bool starts_with_missing_field(const Node& body, const Datum& row);

}  // namespace reqld::reql
