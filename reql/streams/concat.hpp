// Streams one after the other.
#pragma once

#include <vector>

#include "reql/stream.hpp"

namespace reqld::reql {

/// The rows of `streams` in turn; of feeds, changes as they come.
Ref<Stream> concat_streams(std::vector<Ref<Stream>> streams);

}  // namespace reqld::reql
