// Reading a secondary index entry by entry.
#pragma once

#include <vector>

#include "datum/datum.hpp"
#include "reql/context.hpp"
#include "reql/object.hpp"

namespace reqld::reql {

struct IndexEntry {
  Datum value;     ///< what the index function made of the row
  Datum document;  ///< null when documents are not wanted
};

/// A walk over a range of an index. Used on the thread that runs its query; holds no snapshot between two calls of `next`.
class IndexCursor : public Object {
 public:
  /// Appends entries within `limits`; false when there are no more after them.
  virtual bool next(Context& cx, const BatchLimits& limits, std::vector<IndexEntry>& out) = 0;
};

}  // namespace reqld::reql
