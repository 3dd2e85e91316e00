// Joins of two sequences.
#pragma once

#include <string>

#include "reql/function.hpp"
#include "reql/stream.hpp"
#include "reql/table.hpp"

namespace reqld::reql {

enum class JoinKind : std::uint8_t { kInner, kOuter };

/// {left, right} for every pair that `condition` holds for; an outer join has {left} for rows of `left` without any.
/// `right` is read once for every row of `left`: tables again and again, other streams from memory.
Ref<Stream> nested_loop_join(Ref<Stream> left, Value right, Ref<Function> condition, JoinKind kind);

/// {left, right} for every row of `left` and each row of `table` whose primary key or index value is key(left). Rows without the key,
/// or with null, have no partner. Looked up in batches. `node` is blamed for keys that cannot be.
Ref<Stream> lookup_join(Ref<Stream> left, Ref<Function> key, Ref<Table> table, std::string index, const Node* node);

}  // namespace reqld::reql
