// Room in the data file for what is committed and does not lie there yet.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/engine/lmdb_env.hpp"
#include "storage/result.hpp"

namespace reqld::storage {

/// What a client was told is stored must not fail to get into the data file for want of room later: then nothing could be
/// removed any more either. So where the disk gets full, a commit has the system keep as much for the file as it will need, as
/// far as LMDB has no free pages for it. (A quota cannot be seen to come near.)
class Room {
 public:
  Room(const LmdbEnv& env, std::string_view directory) : env_(env), directory_(directory) {}

  /// What a checkpoint of so many keys and bytes of them and their values takes at most, in bytes, but for odd cases.
  std::uint64_t need(std::size_t keys, std::uint64_t bytes) const;
  /// Keeps `need` bytes in all, from what the last refresh() found on. kDiskFull: there is no room for it. On the writer's
  /// thread. A file system that cannot keep room for a file promises nothing, and is not asked again.
  Result<void> keep(std::uint64_t need);
  /// The file is as `usage` says, and nothing is on its way into it. Any thread, one at a time.
  void refresh(const LmdbEnv::Usage& usage);

 private:
  /// Whether the file system has so much that nobody needs to care. Looked up now and then.
  bool plenty(std::uint64_t need);

  const LmdbEnv& env_;
  const std::string directory_;
  std::atomic<std::uint64_t> end_{0};   ///< of the file's pages
  std::atomic<std::uint64_t> free_{0};  ///< bytes of pages before that

  // The writer's own.
  std::uint64_t kept_to_ = 0;  ///< a place in the file
  bool keeps_ = true;
  bool plenty_ = false;
  std::chrono::steady_clock::time_point looked_at_;
};

}  // namespace reqld::storage
