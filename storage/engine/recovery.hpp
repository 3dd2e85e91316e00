// Opening a data directory: make it when it is new, bring it to its last durable state when it is not.
#pragma once

#include <cstdint>
#include <memory>

#include "storage/engine.hpp"
#include "storage/engine/checkpoint_file.hpp"
#include "storage/engine/file.hpp"
#include "storage/engine/lmdb_env.hpp"
#include "storage/engine/log.hpp"

namespace reqld::storage {

/// Holds `DIR/lock` for as long as it lives; the file names the process. kInUse when another one has it.
class DirectoryLock {
 public:
  static Result<DirectoryLock> acquire(const std::string& directory, bool shared);

 private:
  File file_;
};

/// What recovery leaves to the engine.
struct Recovered {
  std::unique_ptr<LmdbEnv> env;
  std::unique_ptr<Log> log;  ///< null when read only
  Checkpoint checkpoint;     ///< the one recovered from: still the newest on disk
  MDB_txn* pin = nullptr;    ///< keeps the checkpoint's pages
  Sequence sequence = 0;     ///< newest commit
  std::uint64_t replayed_records = 0;
  std::uint64_t replayed_bytes = 0;
};

/// Whether the directory was closed cleanly, so that it can be opened for reading only. kNotFound: no
/// database.
Result<bool> closed_cleanly(const std::string& directory);

/// `options.directory` must be locked.
Result<Recovered> recover(const EngineOptions& options);

}  // namespace reqld::storage
