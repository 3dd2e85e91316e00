// A fold that emits rows on its way.
#pragma once

#include "reql/function.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

struct FoldFunctions {
  Ref<Function> combine;     ///< (accumulator, row) -> accumulator
  Ref<Function> emit;        ///< (old accumulator, row, new accumulator) -> rows
  Ref<Function> final_emit;  ///< (accumulator) -> rows at the end; may be null
};

/// What `emit` answers for each row of `source`, then what `final_emit` answers. `node` is blamed when that is no array.
Ref<Stream> fold_emit_stream(Ref<Stream> source, Datum base, FoldFunctions functions, const Node* node);

}  // namespace reqld::reql
