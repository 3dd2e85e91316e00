// A function of several sequences in step.
#pragma once

#include <vector>

#include "reql/function.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

/// function(a1, b1, …), function(a2, b2, …), … until one of the sources ends.
Ref<Stream> map_many_stream(std::vector<Ref<Stream>> sources, Ref<Function> function);

}  // namespace reqld::reql
