// The log being written: numbered segment files, one record per commit, synced apart from the writer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "storage/engine/file.hpp"
#include "storage/engine/log_format.hpp"
#include "storage/result.hpp"

namespace reqld::storage {

class Log {
 public:
  struct Options {
    std::string directory;
    std::uint64_t database = 0;
    std::uint64_t segment_bytes = 16u << 20;
    double retention_seconds = 0;
    std::uint64_t retention_bytes = 0;  ///< 0: no limit of its own
  };
  /// A segment file that was there before.
  struct OldSegment {
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;
    std::int64_t time = 0;  ///< of its last change, seconds since 1970
  };
  static Result<std::vector<OldSegment>> list(const std::string& directory);

  /// Starts writing at the front of a segment of its own: a new one behind all of `old`, or the last of `old` when that
  /// holds nothing (`last_is_unused`). The others stay until drop_before().
  static Result<std::unique_ptr<Log>> create(const Options& options, std::vector<OldSegment> old, bool last_is_unused);
  ~Log();

  /// Writes one record of the entries behind `from`; it is on disk after a sync(). On the writer's thread.
  /// After kDiskFull nothing has been added; after another Error perhaps something, and nothing more may be.
  Result<void> append(RecordHeader header, const EntryBuffer& entries, const EntryBuffer::Mark& from);
  /// Where the next record goes. On the writer's thread.
  LogPosition tail() const { return {current_->number, tail_}; }
  std::uint64_t appended_bytes() const { return appended_bytes_; }

  /// Makes everything appended before the call durable. Not on the writer's thread.
  Result<void> sync();

  /// Segments below `number` are needed for no recovery: reuses or removes those that retention lets go.
  void drop_before(std::uint64_t number);
  std::uint64_t bytes_on_disk() const;

 private:
  struct Segment {
    std::uint64_t number = 0;
    std::uint64_t nonce = 0;
    std::uint64_t capacity = 0;
    File file;
    bool filled = false;            ///< has its whole size already
    bool directory_synced = false;  ///< the syncer's once the segment is in use
  };
  using SegmentPtr = std::shared_ptr<Segment>;
  enum class Making {
    kQuick,     ///< empty, not durable yet: sync() does that
    kPrepared,  ///< full of zeros or stale records, durable
    kAdopted,   ///< a prepared file of this number that nothing was written to; its header is not durable yet
  };

  explicit Log(Options options) : options_(std::move(options)) {}
  /// Takes the record appended last back, for good: when this returns, no recovery will see it.
  Result<void> cancel_last();
  std::string path(std::uint64_t number) const { return options_.directory + "/" + segment_name(number); }
  Result<SegmentPtr> make_segment(std::uint64_t number, Making how);
  Result<void> advance();
  void prepare_loop();
  /// With the lock held. Whether a segment of the usual size that holds nothing any more is one of those that are kept.
  bool keep_for_reuse(std::uint64_t number);

  const Options options_;

  // The writer's own.
  SegmentPtr current_;
  std::uint64_t tail_ = 0;
  std::uint64_t last_record_ = 0;  ///< offset of the record appended last
  std::uint64_t appended_bytes_ = 0;
  std::vector<iovec> pieces_;

  std::mutex sync_mutex_;  ///< before mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  SegmentPtr sync_current_;              ///< the one that may have unsynced bytes now
  std::vector<SegmentPtr> sync_sealed_;  ///< full, but perhaps not synced to their end
  std::atomic<bool> spare_ready_{false};
  SegmentPtr spare_;                     ///< ready for use; its number follows current_'s
  bool spare_wanted_ = false;
  bool stopping_ = false;
  std::uint64_t next_number_ = 0;
  std::deque<OldSegment> old_;           ///< below the current one, oldest first
  std::vector<std::uint64_t> reusable_;  ///< see keep_for_reuse()
  std::thread preparer_;
};

}  // namespace reqld::storage
