// Sorting by functions of the rows.
#pragma once

#include <string>
#include <vector>

#include "reql/index_cursor.hpp"
#include "reql/order.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

/// The rows of `source` in the order of `keys`, equal ones as they come; an array to the language. Reads everything when it is first
/// read; keeps no more rows than it was told will be wanted (Stream::expect_at_most), else at most array_limit. Blames `node`.
Ref<Stream> sort_stream(Ref<Stream> source, std::vector<OrderKey> keys, const Node* node);

/// The documents of an ordered index walk, those with the same index value in the order of `keys`.
Ref<Stream> sort_within_index(Ref<IndexCursor> entries, std::vector<OrderKey> keys, const Node* node);

}  // namespace reqld::reql
