// Binaries out of line: stored in chunks, counted by the rows that hold them, reclaimed when nobody can see
// them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "datum/datum.hpp"
#include "storage/engine.hpp"
#include "storage/tables/epochs.hpp"
#include "storage/tables/keyspace.hpp"

namespace reqld::storage {

/// A chunk and LMDB's page header fill one 4 KiB page: any free page will do, where a longer chunk would have
/// LMDB search its free pages for neighbours.
inline constexpr std::uint32_t kChunkBytes = 4096 - 16;

/// Where blobs are read from. Sources keep it alive; after close() they answer an error. Thread-safe.
class BlobStore : public std::enable_shared_from_this<BlobStore> {
 public:
  explicit BlobStore(Engine& engine) : engine_(&engine) {}

  Epochs& epochs() { return epochs_; }
  /// A source for rows seen at `at`. The caller holds a Slot or source at or before `at`.
  Ref<BlobSource> source(Sequence at);
  /// Before the engine goes away.
  void close();

  void read(std::uint64_t id, std::uint64_t offset, std::uint64_t length, std::string& out);

  /// While one exists, reads on this thread see the transaction: blobs that the running job has just stored
  /// are there.
  class InJob {
   public:
    InJob(BlobStore& store, WriteTxn& txn);
    ~InJob();
    InJob(const InJob&) = delete;
    InJob& operator=(const InJob&) = delete;
  };

 private:
  std::shared_mutex mutex_;
  Engine* engine_;
  Epochs epochs_;
};

/// The blobs of one job: stores new ones and keeps the counts. On the writer thread, within the job.
class BlobWriter {
 public:
  BlobWriter(BlobStore& store, WriteTxn& txn, std::uint64_t threshold)
      : store_(store), txn_(txn), threshold_(threshold) {}

  /// The source for rows that this job reads and writes.
  BlobSource* source();
  /// `document` as it is to be stored, its large binaries out of line, counted; the blobs that only `old_row`
  /// had are let go.
  Datum replace(const std::optional<Datum>& old_row, const Datum& document);
  /// Holds the blobs of a row that is kept once more.
  void retain(const Datum& row);
  /// Lets go of the blobs of a row that is removed.
  void release(const Datum& old_row);
  /// Writes what belongs to the whole job. Call once at its end.
  void finish();
  /// Whether a blob was left with no row.
  bool buried() const { return buried_; }

 private:
  std::optional<Datum> move_out(const Datum& d);
  std::uint64_t store(std::string_view bytes);
  void hold(std::uint64_t id);
  void let_go(std::uint64_t id);
  BlobHead head(std::uint64_t id);

  BlobStore& store_;
  WriteTxn& txn_;
  std::uint64_t threshold_;
  Ref<BlobSource> source_;
  std::uint64_t next_id_ = 0;  // 0: not read yet
  bool buried_ = false;
};

/// Appends the ids of the blobs in `d`, in no order, with repetitions.
void collect_blobs(const Datum& d, std::vector<BlobRef>& out);

/// Whether an encoded row holds a blob.
inline bool row_has_blob(std::string_view row) {
  return row.size() >= 2 && (static_cast<std::uint8_t>(row[1]) & kContainerHasBlob) != 0;
}

/// Removes the chunks of buried blobs that nobody at or after `oldest` can see, at most `max_chunks` of them.
/// A job of its own. Answers whether there is more to do at once.
bool reclaim_blobs(WriteTxn& txn, Sequence oldest, std::size_t max_chunks);

}  // namespace reqld::storage
