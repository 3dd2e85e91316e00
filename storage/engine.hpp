// The ordered key-value engine under everything: one keyspace, snapshots, one writer, durable commits.
// LMDB implements it; nothing above may know that.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/result.hpp"

namespace reqld::storage {

/// Number of a commit; grows by one with each.
using Sequence = std::uint64_t;

enum class Durability : std::uint8_t {
  kHard,  ///< acknowledged when on disk
  kSoft,  ///< acknowledged when committed and visible; on disk within about a second
};

enum class Direction : std::uint8_t { kForward, kBackward };

/// Keys `lower <= key < upper`; an empty `upper` has no bound.
struct KeyRange {
  std::string lower;
  std::string upper;
};

/// Walks the keys of a range in order. Views are valid until the next call, and within the snapshot's life only.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool valid() const = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual void next() = 0;
  /// Goes to the first key >= `key` (forward) or the last key < `key` (backward) within the range.
  virtual void seek(std::string_view key) = 0;
};

/// A consistent read-only view of the newest commit at its making. Cheap (pooled); one thread at a time. Hold it briefly:
/// pages it can see are not reused (never across a CONTINUE, a feed wait or a suspension).
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  virtual Sequence sequence() const = 0;
  /// Valid until the next get(), and within the snapshot's life. Throws std::runtime_error when the data file cannot be
  /// read (cursors too).
  virtual std::optional<std::string_view> get(std::string_view key) = 0;
  virtual std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction) = 0;
  /// A hint that these keys will be read next, in this order: they are looked for together, so that their places in memory are
  /// waited for together.
  virtual void prefetch(std::span<const std::string_view> /*keys*/) {}
  /// For tools: tells `problem` what does not fit together in how the engine keeps values, which nobody reads by a key.
  /// Throws as get() does.
  virtual void verify(const std::function<void(const std::string&)>& /*problem*/) {}
};

/// As many keys as are best looked for together: with more, their rows would push each other out of the nearest cache.
inline constexpr std::size_t kPrefetchKeys = 16;

/// One job's view inside the writer: reads see the newest state, this job's own writes included; nothing is applied when the
/// job fails. On the writer thread only, within the job.
class WriteTxn {
 public:
  virtual ~WriteTxn() = default;
  /// The number that the commit holding this job will have.
  virtual Sequence sequence() const = 0;
  /// Valid until the next get, put or del.
  virtual std::optional<std::string_view> get(std::string_view key) = 0;
  virtual std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction) = 0;
  /// Key 1 to `max_key_size()` bytes, the first four not all ff: another one fails the job (kKeyTooLong, kInvalid).
  /// `value` is copied.
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void del(std::string_view key) = 0;
};

struct EngineOptions {
  std::string directory;
  bool create = true;             ///< make the directory and an empty database when there is none
  bool read_only = false;         ///< for offline tools; recovers nothing, writes nothing
  std::uint64_t checkpoint_bytes = 8u << 20;  ///< log bytes after which a checkpoint starts
  double checkpoint_seconds = 60;
  std::size_t moved_keys = 512;  ///< that a checkpoint writes in one step
  double soft_sync_seconds = 0.5;  ///< the longest a soft commit stays off the disk
  std::uint64_t batch_bytes = 8u << 20;  ///< the writer commits when its batch has this much
  double log_retention_seconds = 0;      ///< segments younger than this are kept after a checkpoint
  std::uint64_t log_retention_bytes = 0;  ///< but no more than this in all (0: no limit of its own)
  std::uint64_t map_bytes = 0;  ///< address space for the data file to begin with; 0: plenty. It grows by itself.

  /// Called when writes stop being possible (the Error that failure() answers from then on), and with nullopt when they
  /// are possible again. On an engine's thread, one call at a time; must not block, nor call the engine.
  std::function<void(const std::optional<Error>&)> on_failure;

  /// Switches that break durability, for the tests that must see it break.
  struct Testing {
    bool keep_found_meta = false;  ///< recovery trusts the data file's own meta pages (plain MDB_NOSYNC)
    bool skip_log_sync = false;
    bool unpin_early = false;     ///< a checkpoint's pages are let go before a later one is on disk
    bool skip_data_sync = false;  ///< a checkpoint names what may not be on disk yet
  } testing;
};

/// A job for the writer, and whom to tell about it. The owner keeps it, and what it refers to, until finished() is called.
class EngineRequest {
 public:
  explicit EngineRequest(Durability durability) : durability_(durability) {}
  EngineRequest(const EngineRequest&) = delete;
  EngineRequest& operator=(const EngineRequest&) = delete;
  virtual ~EngineRequest() = default;

  /// On the writer thread; an Error or an exception (kInvalid, its text) drops its writes, not its neighbours'. It may be run
  /// again, when what it wrote has been dropped.
  virtual Result<void> run(WriteTxn& txn) = 0;
  /// Called once on an engine thread, after the commit (soft) or its sync (hard), in commit order per durability; or from
  /// within Engine::submit. `result` is the commit's number: that of the newest commit it could see for a job without writes,
  /// and hard waits until that is on disk. Must not block. The request may be destroyed within it, or by who learns of it.
  virtual void finished(Result<Sequence> result) = 0;

  Durability durability() const { return durability_; }
  /// Keys that the job will look up or write: a hint, see Snapshot::prefetch.
  const std::vector<std::string>& expected() const { return expected_; }
  void expect(std::vector<std::string> keys) { expected_ = std::move(keys); }

 private:
  friend class RequestQueue;
  const Durability durability_;
  std::vector<std::string> expected_;
  EngineRequest* before_ = nullptr;
};

class Engine {
 public:
  /// See EngineRequest::run and finished.
  using Job = std::function<Result<void>(WriteTxn&)>;
  using Done = std::function<void(Result<Sequence>)>;
  /// Called on the writer thread right after each commit is visible, in commit order, before any Done of that commit.
  using CommitListener = std::function<void(Sequence)>;

  static Result<std::unique_ptr<Engine>> open(const EngineOptions& options);
  virtual ~Engine() = default;

  virtual std::unique_ptr<Snapshot> snapshot() = 0;
  /// Any thread. Jobs of one thread run in their order.
  virtual void submit(EngineRequest& request) = 0;
  /// The same with a request of its own.
  void submit(Job job, Durability durability, Done done);
  /// Waits until everything committed before the call is on disk.
  virtual void sync(Done done) = 0;
  virtual void set_commit_listener(CommitListener listener) = 0;

  virtual std::size_t max_key_size() const = 0;
  virtual Sequence last_sequence() const = 0;     ///< newest visible commit
  virtual Sequence durable_sequence() const = 0;  ///< newest commit known to be on disk
  /// Set once writes have stopped for good because a sync or write failed; text for the log and for clients. A full disk
  /// (kDiskFull) is for as long as it is full: each write tries again, and the first that succeeds clears it.
  virtual std::optional<Error> failure() const = 0;

  struct Stats {
    std::uint64_t data_file_bytes, used_bytes, free_bytes, log_bytes, commits, syncs, checkpoints;
  };
  virtual Stats stats() const = 0;
};

}  // namespace reqld::storage
