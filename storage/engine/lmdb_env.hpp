// The LMDB environment: map size, pooled read transactions, pins, the raw meta page. Only this folder sees LMDB.
#pragma once

#include <lmdb.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine/prefetch.hpp"
#include "storage/result.hpp"

namespace reqld::storage {

/// Page header and meta data of one LMDB meta page: the start of page `txnid % 2` of data.mdb.
constexpr std::size_t kMetaBytes = 152;
using MetaPage = std::array<unsigned char, kMetaBytes>;

/// What a meta page says; nullopt-like `valid == false` when it is none of LMDB 0.9 on a 64-bit little-endian machine.
struct MetaInfo {
  bool valid = false;
  std::uint64_t transaction = 0;
  std::uint32_t page_size = 0;
  std::uint64_t last_page = 0;
  // Of the main database.
  std::uint64_t root = 0;
  unsigned depth = 0;  ///< levels of its tree, that of the leaves included
};
MetaInfo read_meta(const MetaPage& page);

Error lmdb_error(std::string_view call, int code, const std::string& directory);

inline MDB_val to_val(std::string_view s) { return MDB_val{s.size(), const_cast<char*>(s.data())}; }
inline std::string_view to_view(const MDB_val& v) { return {static_cast<const char*>(v.mv_data), v.mv_size}; }

/// A read transaction of the pool, and what its users found out about the version that it shows: the next one to get it has that,
/// too, while no newer version is there.
struct PooledReader {
  MDB_txn* txn = nullptr;
  std::uint64_t version = 0;  ///< what follows is of this transaction
  bool looked_for_tree = false;
  std::optional<Tree> tree;  ///< nullopt: not known
  RowsAhead ahead;           ///< in the tree

  void forget() {
    looked_for_tree = false;
    ahead.forget();
  }
};

class LmdbEnv {
 public:
  struct Options {
    std::string directory;
    bool read_only = false;
    std::uint64_t map_bytes = 0;  ///< address space to reserve; 0: as much as there is, up to 1 TiB
  };
  static Result<std::unique_ptr<LmdbEnv>> open(const Options& options);
  ~LmdbEnv();

  MDB_env* env() const { return env_; }
  MDB_dbi dbi() const { return dbi_; }
  int data_fd() const { return data_fd_; }
  std::size_t max_key_size() const { return max_key_size_; }
  std::uint64_t page_size() const { return page_size_; }
  /// Bytes of the data file, by LMDB's count of pages.
  std::uint64_t file_bytes() const;
  std::uint64_t map_bytes() const;
  struct Usage {
    std::uint64_t file_bytes = 0;
    std::uint64_t free_bytes = 0;
  };
  /// Any thread. Walks the list of free pages: not for every second.
  Usage usage();

  /// A read transaction at the newest version. Any thread; waits while the map grows. Throws std::runtime_error when
  /// there is none to be had.
  std::unique_ptr<PooledReader> acquire_read();
  void release_read(std::unique_ptr<PooledReader> reader);

  /// Where the data file is mapped, for as long as `reading`, a read transaction, lasts; nullptr while nothing is stored.
  const char* map(MDB_txn* reading);

  /// A read transaction that only keeps its version's pages from being reused; never used to read, so it may live
  /// through a growth of the map. nullptr: error.
  MDB_txn* pin();
  void unpin(MDB_txn* txn);

  /// Doubles the map. On the thread that commits, with no write transaction open; waits for the snapshots to end.
  Result<void> grow();

  /// Whether LMDB refuses everything, reads too: it does after a meta page could not be written. On the
  /// thread that commits.
  bool panicked() const;
  /// Opens the environment anew, for reading only, so that what was committed can be read. On the thread that commits, with no
  /// transaction but snapshots open; waits for those to end.
  Result<void> reopen_for_reading();

  /// The meta page of `transaction`, which must be the newest commit. On the thread that commits.
  Result<MetaPage> meta_of(std::uint64_t transaction) const;

  Result<void> sync_data();

 private:
  LmdbEnv() = default;
  int open_env(unsigned flags, std::uint64_t map);
  struct Shard;
  /// For `change` of without_snapshots().
  void for_each_idle(const std::function<void(PooledReader&)>& visit);
  /// The calling thread's.
  Shard& home();
  void enter_gate(Shard& shard);
  std::int64_t active() const;
  /// Calls `change` at a moment with no snapshot open.
  Result<void> without_snapshots(const std::function<int()>& change, std::string_view call);

  std::string directory_;
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
  int data_fd_ = -1;
  std::size_t max_key_size_ = 0;
  std::uint64_t page_size_ = 0;
  std::atomic<const char*> map_{nullptr};  ///< once somebody wanted to know

  // Snapshots in use, and the gate that a growth of the map closes for them.
  std::atomic<bool> gate_closed_{false};
  std::mutex gate_mutex_;
  std::condition_variable gate_opened_;

  // In parts, so that threads that read do not wait for each other.
  struct alignas(64) Shard {
    std::atomic<std::int64_t> active{0};  ///< snapshots that were taken here; they may be let go elsewhere
    std::mutex mutex;
    std::vector<std::unique_ptr<PooledReader>> idle;
  };
  static constexpr std::size_t kShards = 8;
  std::array<Shard, kShards> shards_;
};

/// Puts `page` back as the newest meta page of the (closed) data file, and makes the other one older.
Result<void> restore_meta(const std::string& directory, const MetaPage& page);
/// The newer of the two meta pages in the (closed) data file.
Result<MetaPage> newest_meta(const std::string& directory);

}  // namespace reqld::storage
