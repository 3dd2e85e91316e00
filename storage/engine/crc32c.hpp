// CRC-32C (Castagnoli), with the processor's instruction where it has one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace reqld::storage {

/// Continues `crc` (0 to start with) over `size` bytes.
std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size);

}  // namespace reqld::storage
