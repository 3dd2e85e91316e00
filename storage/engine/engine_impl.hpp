// The engine's threads: the writer commits, the syncer makes commits durable, the checkpointer moves the
// point to recover from forward.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "storage/engine.hpp"
#include "storage/engine/lmdb_write.hpp"
#include "storage/engine/recovery.hpp"
#include "storage/engine/write_set.hpp"

namespace reqld::storage {

/// Syncs the log and completes who waits for it.
class Syncer {
 public:
  /// `failed` is called once on the syncer's thread when a sync fails, before anybody is told so.
  Syncer(Log& log, Sequence durable, const EngineOptions& options, std::function<void(Error)> failed);
  ~Syncer();

  /// A record has been appended, its commit may still be under way. `now`: somebody waits for it.
  void appended(Sequence sequence, bool now);
  /// The record appended last was taken back.
  void cancelled(Sequence sequence);
  /// The commit is visible; `waiters` are completed once it is on disk, in order.
  void committed(Sequence sequence, std::vector<std::pair<Sequence, Engine::Done>> waiters);
  /// Completes every waiter with `error`, now and from now on.
  void fail(const Error& error);
  /// Syncs what is left, completes who waits, ends the thread.
  void stop();

  Sequence durable() const { return durable_.load(std::memory_order_acquire); }
  std::uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }
  std::optional<Error> failure() const;

 private:
  void run();

  Log& log_;
  const std::function<void(Error)> failed_;
  const std::chrono::duration<double> soft_delay_;
  const bool skip_sync_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Sequence appended_ = 0;
  Sequence synced_ = 0;
  Sequence committed_ = 0;
  Sequence wanted_ = 0;  ///< somebody waits for everything up to here
  Sequence cancelled_to_ = 0;
  std::uint64_t cancels_ = 0;
  std::chrono::steady_clock::time_point first_unsynced_;
  std::deque<std::pair<Sequence, Engine::Done>> waiters_;
  std::optional<Error> failure_;
  bool stopping_ = false;
  std::atomic<Sequence> durable_;
  std::atomic<std::uint64_t> syncs_{0};
  std::thread thread_;
};

/// Makes checkpoints, one at a time.
class Checkpointer {
 public:
  Checkpointer(LmdbEnv& env, Log& log, CheckpointFile file, const Checkpoint& last, MDB_txn* pin,
               const EngineOptions& options);
  ~Checkpointer();

  /// How much has been written since the start.
  struct Written {
    std::uint64_t log_bytes = 0;
    std::uint64_t keys = 0;
  };
  /// Asked by the writer after each commit, cheap.
  bool due(const Written& written) const;
  /// Called by the writer before each batch. While a checkpoint takes longer than its successor should have to wait
  /// for, slows the writer down, and stops it in the end: pages that were freed cannot be reused meanwhile, and the log
  /// to replay gets longer.
  void keep_up(const Written& written);
  /// Set when the time for one has come; the writer then calls begin() as soon as no commit is under way.
  bool wanted() const { return wanted_.load(std::memory_order_relaxed); }
  /// Fixes the point: the commit just made. On the writer's thread, no commit under way.
  Result<void> begin(Sequence sequence, LogPosition position, const Written& written);
  /// Called when a checkpoint is wanted by time, so that a sleeping writer wakes up; and with each failure.
  void start(std::function<void()> wake_writer, std::function<void(Error)> failed);
  /// Waits for the one under way; ends the thread.
  void stop();
  /// Lets the pins go, after stop(): no further checkpoint will be made.
  void abandon();
  /// One more, on the caller's thread, after stop() and after the writer has ended.
  Result<void> last(Sequence sequence, LogPosition position);

  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  struct Work {
    Checkpoint checkpoint;
    MDB_txn* pin = nullptr;
  };
  Result<Work> capture(Sequence sequence, LogPosition position);
  Result<void> run(Work work);
  void loop();
  void set_limit();
  double lag(const Written& written) const;

  LmdbEnv& env_;
  Log& log_;
  CheckpointFile file_;
  const EngineOptions options_;
  Checkpoint last_;
  MDB_txn* pin_;
  std::function<void()> wake_writer_;
  std::function<void(Error)> failed_;

  std::atomic<bool> wanted_{false};
  std::atomic<bool> busy_{false};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> begun_log_bytes_{0};
  std::atomic<std::uint64_t> begun_keys_{0};
  std::atomic<std::uint64_t> most_written_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::optional<Work> work_;
  bool stopping_ = false;
  std::thread thread_;
};

class EngineImpl final : public Engine {
 public:
  EngineImpl(const EngineOptions& options, DirectoryLock lock, Recovered state,
             CheckpointFile checkpoint_file);
  EngineImpl(const EngineOptions& options, DirectoryLock lock, Recovered state);  ///< read only
  ~EngineImpl() override;

  std::unique_ptr<Snapshot> snapshot() override;
  using Engine::submit;
  void submit(Job job, Durability durability, Done done, std::vector<std::string> expected) override;
  void sync(Done done) override;
  void set_commit_listener(CommitListener listener) override;
  std::size_t max_key_size() const override { return env_->max_key_size(); }
  Sequence last_sequence() const override { return last_sequence_.load(std::memory_order_acquire); }
  Sequence durable_sequence() const override {
    return syncer_ != nullptr ? syncer_->durable() : last_sequence();
  }
  std::optional<Error> failure() const override;
  Stats stats() const override;

 private:
  struct Request {
    Job job;
    Durability durability = Durability::kHard;
    Done done;
    std::vector<std::string> expected;
  };
  struct Outcome {
    Request* request = nullptr;
    bool wrote = false;
    std::optional<Error> error;
  };

  void writer_loop();
  /// Has the keys that the next jobs expect looked for together; answers for how many jobs.
  std::size_t look_ahead(const std::vector<Request>& requests, std::size_t first);
  std::size_t run_batch(std::vector<Request>& requests, std::size_t first);
  Result<void> run_job(Request& request, Sequence sequence, std::uint64_t& changed);
  Result<void> begin_write();
  /// Begins the transaction again and applies the batch's entries, in a larger map when `grow`. On an Error
  /// there is none.
  Result<void> repeat_batch(std::uint64_t& changed, bool grow);
  int apply_overlay(std::uint64_t& changed);
  Result<void> commit(Sequence sequence, bool hard, std::uint64_t& changed);
  void publish(Sequence sequence, bool committed, const std::optional<Error>& failed);
  void fail_for_good(Error error);
  void tell_failure();
  void keep_readable();
  Error classify(int code, std::string_view call);
  void begin_checkpoint();
  void begin_checkpoint_if_due();
  Checkpointer::Written written() const { return {log_->appended_bytes(), written_keys_}; }

  const EngineOptions options_;
  DirectoryLock lock_;
  std::unique_ptr<LmdbEnv> env_;
  std::unique_ptr<Log> log_;
  const Sequence sequence_offset_;  ///< a commit's sequence less its LMDB transaction number
  std::atomic<Sequence> last_sequence_;
  std::unique_ptr<Syncer> syncer_;
  std::unique_ptr<Checkpointer> checkpointer_;

  mutable std::mutex failure_mutex_;
  std::optional<Error> failure_;  ///< for good
  std::optional<Error> disk_full_;
  std::mutex telling_mutex_;  ///< before failure_mutex_
  std::atomic<bool> told_{false};
  bool told_for_good_ = false;
  std::atomic<bool> failed_{false};

  std::mutex listener_mutex_;
  CommitListener listener_;

  std::mutex queue_mutex_;
  std::condition_variable queue_wake_;
  std::vector<Request> queue_;
  bool stopping_ = false;

  // The writer's own.
  LmdbWrite write_;
  bool kept_readable_ = false;
  EntryBuffer entries_;
  std::vector<std::string_view> expected_;
  Overlay overlay_;
  std::vector<Outcome> outcomes_;
  std::uint64_t written_keys_ = 0;
  std::thread writer_;
};

}  // namespace reqld::storage
