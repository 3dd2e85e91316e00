// The options that say where a table's data is to be kept: of table_create and reconfigure. One server has
// them all.
#pragma once

#include <cstdint>
#include <optional>

#include "reql/eval.hpp"

namespace reqld::reql {

/// The option `shards`. Throws EvalError when there cannot be so many.
std::optional<std::int64_t> read_shards(Args& args);

/// Throws EvalError unless `replicas`, `primary_replica_tag` and `nonvoting_replica_tags` ask for what one
/// server can do.
void check_replicas(Args& args);

}  // namespace reqld::reql
