// Folding a sequence into one value on as many threads as are free.
#pragma once

#include <memory>

#include "reql/stream.hpp"

namespace reqld::reql {

/// What is made of the rows of a sequence, or of those of a part of it. Used by one thread at a time.
class Fold {
 public:
  virtual ~Fold() = default;
  /// Takes rows in, in their order; may move them out of `rows`. Throws EvalError and DatumError.
  virtual void add(Context& cx, Batch& rows) = 0;
  /// An empty one for later rows, to be used on another thread; null: these rows must be folded one after the other.
  virtual std::unique_ptr<Fold> split() const = 0;
  /// Takes in what `later`, of the same kind, has made of the rows that follow on these.
  virtual void merge(Context& cx, Fold& later) = 0;
};

/// Reads `rows` to the end, into `fold`. Parts of a long sequence are folded on other threads that have nothing to do,
/// where both can be split; result and error are those of one after the other. Refuses infinite streams.
void fold_rows(Context& cx, Stream& rows, Fold& fold);

}  // namespace reqld::reql
