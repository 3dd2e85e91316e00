// Several sorted streams as one.
#pragma once

#include <vector>

#include "reql/order.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

/// The rows of `sources`, each of which is in the order of `keys`, in that order. Throws (blaming `node`) when a source is not.
Ref<Stream> merge_ordered(std::vector<Ref<Stream>> sources, std::vector<OrderKey> keys, const Node* node);

}  // namespace reqld::reql
