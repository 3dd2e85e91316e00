// The distinct values of a secondary index.
#pragma once

#include <string>

#include "reql/stream.hpp"
#include "reql/table.hpp"

namespace reqld::reql {

/// Each value that the index has within `bounds`, once, in ascending order. Where many entries share a value
/// the rest of them is skipped, so the cost follows the number of values rather than that of rows. Throws
/// when the index is missing or not ready.
Ref<Stream> distinct_values(Context& cx, Ref<Table> table, std::string index, const Bounds& bounds);

}  // namespace reqld::reql
