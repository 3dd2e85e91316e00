// The element at a position: nth, and bracket with a number.
#pragma once

#include <cstdint>

#include "reql/eval.hpp"

namespace reqld::reql {

/// Element `n` of `sequence`, which is argument 0 of a term; from the end when negative. A single selection if it is one of a selection.
Value nth_of(Args& args, const Value& sequence, std::int64_t n);

}  // namespace reqld::reql
