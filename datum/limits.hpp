// How large one value may become in memory.
#pragma once

#include <cstddef>

namespace reqld {

/// Of the process; 1 GiB unless set. Set it before the first query.
void set_max_value_bytes(std::size_t bytes);

/// Throws DatumError(kResource) when an encoding of so many bytes is too large. Asked before the memory is
/// taken.
void check_value_bytes(std::size_t bytes);

}  // namespace reqld
