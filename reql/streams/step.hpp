// Row-by-row work, and the lazy stream that does it.
#pragma once

#include "reql/stream.hpp"

namespace reqld::reql {

/// What a term like map or filter does to one row after the other. May keep state from row to row; belongs to one sequence.
class RowStep : public Object {
 public:
  /// Replaces the rows from index `from` to the end of `rows` by what becomes of them, in place. Throws EvalError.
  virtual void run(Context& cx, Batch& rows, std::size_t from) = 0;
  /// Looks at each row by itself: what is done to a sequence can then be done to a change of it.
  virtual bool is_stateless() const { return true; }
  /// One that does the same, for the rows that another thread has; null where rows must come one after the other.
  virtual Ref<RowStep> copy() const { return {}; }
  /// Every row becomes exactly one.
  virtual bool is_one_to_one() const { return false; }
};

/// `source` with `step` done to its rows. Requires that the step makes at most one row of each.
/// Reads no more rows than it is asked for, unless it finds that most are dropped.
Ref<Stream> step_stream(Ref<Stream> source, Ref<RowStep> step);

}  // namespace reqld::reql
