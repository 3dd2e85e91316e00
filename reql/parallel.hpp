// Reading a sequence on as many threads as are free: to fold it into one value, or to find rows in it.
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
  /// How much add() is to be given at a time.
  virtual BatchLimits room() const;
  /// No more rows are wanted.
  virtual bool is_full() const { return false; }
  /// An empty one for later rows, to be used on another thread; null: the rows are folded one after the other, for now.
  virtual std::unique_ptr<Fold> split() const = 0;
};

/// A Fold of which all parts come to one.
class MergingFold : public Fold {
 public:
  /// Takes in what `later`, of the same kind, has made of the rows that follow on these.
  virtual void merge(Context& cx, Fold& later) = 0;
};

/// Reads `rows` to the end, into `fold`, whose split() makes folds of its own kind. Parts of a long sequence are folded on
/// other threads that have nothing to do, where both can be split; result and error are those of one after the other. Refuses
/// infinite streams.
void fold_rows(Context& cx, Stream& rows, MergingFold& fold);

/// As Stream::next, but where that finds few rows it goes on until `limits` are reached, or there are no more, or it is late.
/// Where that takes long other threads that have nothing to do read ahead, as much as `limits` each, and `rows` becomes a
/// stream of what is left.
bool read_rows(Context& cx, Ref<Stream>& rows, const BatchLimits& limits, Batch& out);

}  // namespace reqld::reql
