// Sequences as arguments of terms.
#pragma once

#include "reql/eval.hpp"
#include "reql/stream.hpp"
#include "reql/table.hpp"

namespace reqld::reql {

/// The rows of an argument, and the table they are rows of when the argument is a selection.
struct Sequence {
  Ref<Stream> stream;
  Ref<Table> table;  ///< null: no selection

  /// `derived` (some of these rows, in any order) as a value: a selection if this is one.
  Value with(Ref<Stream> derived) const;
  /// One row as a value: a single selection if this is a selection.
  Value row(Datum d) const;
};

/// Argument `i` as a sequence. "Cannot convert NUMBER to SEQUENCE" blames the term, other errors the argument.
Sequence sequence_arg(Args& args, std::size_t i);
/// The same for a value at hand, which came from argument `i`.
Sequence to_sequence(Args& args, const Value& value, std::size_t i);

/// Throws, blaming argument `i`, when `stream` has no end.
void refuse_infinite(Args& args, std::size_t i, const Stream& stream);

/// The TABLE term that a chain of terms starts from: what is wrong with using it twice is blamed there.
const Node* table_node(const Node* chain);

}  // namespace reqld::reql
