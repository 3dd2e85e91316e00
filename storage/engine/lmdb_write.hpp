// The LMDB write transaction: begun, filled with entries, committed. On the checkpointer's thread (or recovery's) only.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <string_view>

#include "storage/engine/stored_value.hpp"
#include "storage/engine/write_set.hpp"

namespace reqld::storage {

class LmdbEnv;

/// Methods answer an LMDB code, 0 when it went well.
class LmdbWrite {
 public:
  LmdbWrite() = default;
  ~LmdbWrite() { abort(); }
  LmdbWrite(const LmdbWrite&) = delete;
  LmdbWrite& operator=(const LmdbWrite&) = delete;

  /// Requires that none is open. On failure none is.
  int begin(LmdbEnv& env);

  /// After a failure the transaction can only be aborted.
  int apply(const LogEntry& entry);
  /// None is open afterwards, in any case.
  int commit();
  void abort();

 private:
  int put(MDB_val key, std::string_view value);
  int erase(MDB_val key);
  /// Writes chunks behind all that there are; `out` gets what is to lie under the value's key.
  int write_chunks(std::string_view value, std::string& out);
  int erase_chunks(std::uint64_t id);
  void close_cursor();

  MDB_txn* txn_ = nullptr;
  MDB_cursor* cursor_ = nullptr;
  std::size_t chunk_bytes_ = 0;
};

}  // namespace reqld::storage
