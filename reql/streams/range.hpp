// Whole numbers in a row.
#pragma once

#include <cstdint>
#include <optional>

#include "reql/stream.hpp"

namespace reqld::reql {

/// start, start + 1, … below `end`; without `end` they do not stop.
Ref<Stream> range_stream(std::int64_t start, std::optional<std::int64_t> end);

}  // namespace reqld::reql
