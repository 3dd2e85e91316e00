// Streams one after the other.
#pragma once

#include <vector>

#include "reql/stream.hpp"

namespace reqld::reql {

/// The rows of `streams` in turn.
Ref<Stream> concat_streams(std::vector<Ref<Stream>> streams);

}  // namespace reqld::reql
