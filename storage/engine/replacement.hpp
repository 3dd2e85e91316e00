// A new set of engine files, prepared in a directory of its own within the data directory, takes the place of
// the present one.
#pragma once

#include <string>

#include "storage/result.hpp"

namespace reqld::storage {

/// The subdirectory that the new files are prepared in, by an engine that is closed before
/// complete_replacement().
inline constexpr const char* kReplacementName = "next";

/// Removes what an earlier attempt left. `directory` must be locked.
Result<void> discard_replacement(const std::string& directory);

/// From here on the new files count: the next time the directory is opened they are put in place. `directory`
/// must be locked and nothing may be written to its present files any more.
Result<void> complete_replacement(const std::string& directory);

/// Called under the lock whenever a directory is opened: puts complete new files in place, also when a crash
/// interrupted that before.
Result<void> finish_replacement(const std::string& directory, bool read_only);

}  // namespace reqld::storage
