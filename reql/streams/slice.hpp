// A part of a stream by position.
#pragma once

#include <cstdint>
#include <limits>

#include "reql/stream.hpp"

namespace reqld::reql {

inline constexpr std::uint64_t kToTheEnd = std::numeric_limits<std::uint64_t>::max();

/// The rows at positions [from, to) of `source`; no row after them is read.
Ref<Stream> slice_of_stream(Ref<Stream> source, std::uint64_t from, std::uint64_t to = kToTheEnd);

}  // namespace reqld::reql
