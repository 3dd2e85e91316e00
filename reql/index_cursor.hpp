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
  /// Passes entries by, within `limits`, without their documents; adds their number to `skipped`. Otherwise as next().
  virtual bool skip(Context& cx, const BatchLimits& limits, std::size_t& skipped) {
    std::vector<IndexEntry> entries;
    const bool more = next(cx, limits, entries);
    skipped += entries.size();
    return more;
  }
};

}  // namespace reqld::reql
