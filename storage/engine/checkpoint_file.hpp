// The side file: from where to recover. Two slots, written in turn, so that one of them is always whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/engine/file.hpp"
#include "storage/engine/lmdb_env.hpp"
#include "storage/engine/log_format.hpp"

namespace reqld::storage {

struct Checkpoint {
  std::uint64_t database = 0;
  std::uint64_t counter = 0;  ///< one more with each checkpoint
  Sequence sequence = 0;      ///< the newest commit that the meta page holds
  LogPosition position;       ///< where the record of the next commit is, or will be
  MetaPage meta{};
};

constexpr std::size_t kCheckpointBytes = 512;
std::string encode_checkpoint(const Checkpoint& checkpoint);
std::optional<Checkpoint> decode_checkpoint(std::string_view bytes);

class CheckpointFile {
 public:
  static std::string path(const std::string& directory) { return directory + "/checkpoint"; }
  /// Makes the file, durable, with this first checkpoint.
  static Result<void> create(const std::string& directory, const Checkpoint& first);
  /// The newest whole checkpoint.
  static Result<Checkpoint> read(const std::string& directory);

  static Result<CheckpointFile> open(const std::string& directory);
  /// Durable when it returns; the one before stays readable until then.
  Result<void> write(const Checkpoint& checkpoint);

 private:
  Result<void> upgrade();
  Result<void> write_slot(std::uint64_t slot, const Checkpoint& checkpoint);

  File file_;
};

}  // namespace reqld::storage
