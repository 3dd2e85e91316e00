// Writes and syncs that fail.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace reqld::crash {

/// The disk is full for a while: errors until there is room, then on as before, nothing lost.
std::optional<std::string> full_disk(std::uint64_t seed, const std::string& directory);

/// One call fails with EIO: writes end, what is committed stays readable, a restart loses nothing
/// acknowledged.
std::optional<std::string> failing_call(std::uint64_t seed, const std::string& directory);

}  // namespace reqld::crash
