// Sequences that a function makes of each row, one after the other.
#pragma once

#include "reql/function.hpp"
#include "reql/stream.hpp"
#include "reql/streams/step.hpp"

namespace reqld::reql {

/// The rows of function(row) for each row of `source`; those sequences are read lazily too. `node` is blamed for what is no sequence.
Ref<Stream> concat_map_stream(Ref<Stream> source, Ref<Function> function, const Node* node);
/// The same as a step (which reads each of the sequences to its end).
Ref<RowStep> concat_map_step(Ref<Function> function, const Node* node);

}  // namespace reqld::reql
