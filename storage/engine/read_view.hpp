// What one reader sees of the layers: a transaction of LMDB, and the memtables on top of it up to a commit.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "storage/engine.hpp"
#include "storage/engine/layers.hpp"
#include "storage/engine/lmdb_env.hpp"
#include "storage/engine/prefetch.hpp"
#include "storage/engine/stored_value.hpp"

namespace reqld::storage {

/// One thread at a time. Throws std::runtime_error when there is no transaction to be had, or LMDB cannot be read.
class ReadView {
 public:
  enum class Of : std::uint8_t {
    kNewestCommit,
    kWriter,  ///< what is not committed yet too, for the thread that puts it into the active memtable
  };
  ReadView(LmdbEnv& env, const CurrentLayers& layers, Of of);
  ~ReadView();
  ReadView(const ReadView&) = delete;
  ReadView& operator=(const ReadView&) = delete;

  /// The newest commit that is seen; kNewest for the writer.
  Sequence sequence() const { return sequence_; }
  /// Valid until the next get(), and within the view's life.
  std::optional<std::string_view> get(std::string_view key);
  std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction);
  /// The keys of the next get()s, in their order: see RowsAhead.
  void prefetch(std::span<const std::string_view> keys);

  MDB_txn* lmdb() const { return reader_->txn; }
  MDB_dbi dbi() const { return env_.dbi(); }
  std::size_t page_size() const { return env_.page_size(); }
  /// Of the pages under lmdb(); nullptr: not known.
  const Tree* tree();

 private:
  LmdbEnv& env_;
  std::shared_ptr<const Layers> layers_;  ///< null when LMDB has everything
  std::unique_ptr<PooledReader> reader_;
  Sequence sequence_ = kNewest;
  ValueBuffer buffer_;
};

}  // namespace reqld::storage
