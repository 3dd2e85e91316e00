// Folding many rows into one value: what count, sum, reduce … do with a whole sequence, or with each group of it.
#pragma once

#include <memory>

#include "datum/datum.hpp"
#include "reql/context.hpp"
#include "reql/object.hpp"

namespace reqld::reql {

/// The state of one fold.
class Accumulator {
 public:
  virtual ~Accumulator() = default;
  /// Throws EvalError and DatumError.
  virtual void add(Context& cx, const Datum& row) = 0;
  /// Adds what `later`, of the same Aggregation, has of the rows that follow on these.
  virtual void merge(Context& cx, Accumulator& later) = 0;
  /// Whether some row counted. A group for which none did is left out.
  virtual bool any() const = 0;
  /// The result. Without any row: that of an empty sequence, which may be an error.
  virtual Datum finish(Context& cx) = 0;
};

/// A kind of fold, ready to be started any number of times. Immutable.
class Aggregation : public Object {
 public:
  virtual std::unique_ptr<Accumulator> start() const = 0;
  /// Whether parts of a sequence may be folded on several threads, and merged.
  virtual bool in_parts() const = 0;
};

}  // namespace reqld::reql
