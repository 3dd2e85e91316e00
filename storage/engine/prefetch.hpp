// Waiting for the memory of many rows at once instead of for one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace reqld::storage {

/// A version of the data that its user keeps by a read transaction.
struct Version {
  const char* map = nullptr;  ///< where the data file is mapped; nullptr: unknown
  std::size_t page_size = 0;
  std::uint64_t transaction = 0;
};

/// Asks the CPU for the rows of `keys`, and for what a search for them reads, as far as it is in memory. A hint: it changes
/// nothing, and does nothing when there is a newer version. Answers how many of the keys were found.
std::size_t prefetch_rows(const Version& version, std::span<const std::string_view> keys);

}  // namespace reqld::storage
