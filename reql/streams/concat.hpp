// Streams one after the other.
#pragma once

#include <vector>

#include "reql/stream.hpp"

namespace reqld::reql {

/// The rows of `streams` in turn; of feeds, changes as they come.
Ref<Stream> concat_streams(std::vector<Ref<Stream>> streams);
/// The rows of `first`, which is no feed, then those of `more`. Used again and again on its own answer it makes no deeper streams.
Ref<Stream> append_streams(Ref<Stream> first, std::vector<Ref<Stream>> more);

}  // namespace reqld::reql
