// The engine's threads: the writer commits, the syncer makes commits durable, the checkpointer moves them into LMDB and
// the point to recover from forward.
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
#include "storage/engine/layers.hpp"
#include "storage/engine/read_view.hpp"
#include "storage/engine/recovery.hpp"
#include "storage/engine/request_queue.hpp"
#include "storage/engine/room.hpp"

namespace reqld::storage {

/// Syncs the log and completes who waits for it.
class Syncer {
 public:
  /// `failed` is called once on the syncer's thread when a sync fails, before anybody is told so.
  Syncer(Log& log, Sequence durable, const EngineOptions& options, std::function<void(Error)> failed);
  ~Syncer();

  /// A record has been appended, its commit is about to be visible. `now`: somebody waits for it.
  void appended(Sequence sequence, bool now);
  /// The commit is visible; `waiters` are completed once it is on disk, in order.
  void committed(Sequence sequence, std::vector<std::pair<Sequence, EngineRequest*>> waiters);
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
  std::chrono::steady_clock::time_point first_unsynced_;
  std::deque<std::pair<Sequence, EngineRequest*>> waiters_;
  std::optional<Error> failure_;
  bool stopping_ = false;
  std::atomic<Sequence> durable_;
  std::atomic<std::uint64_t> syncs_{0};
  std::thread thread_;
};

/// Makes checkpoints, one at a time: moves the frozen memtable into LMDB, and has that synced.
class Checkpointer {
 public:
  /// `pin` keeps the pages of `last` until there is a newer one.
  Checkpointer(LmdbEnv& env, Log& log, CheckpointFile file, CurrentLayers& layers, Room& room, const Checkpoint& last,
               MDB_txn* pin, const EngineOptions& options);
  ~Checkpointer();

  /// How much has been written since the start.
  struct Written {
    std::uint64_t log_bytes = 0;
    std::uint64_t keys = 0;
  };
  /// The commit that a checkpoint is to hold as the newest, and where the log goes on behind it.
  struct Point {
    Sequence sequence = 0;
    LogPosition position;
  };
  /// Asked by the writer after each commit, cheap.
  bool due(const Written& written) const;
  bool busy() const { return busy_.load(std::memory_order_acquire); }
  /// Called by the writer before each batch. While a checkpoint takes longer than its successor should have to wait for,
  /// slows the writer down, and stops it in the end: memory and the log to replay would get larger and larger. kDiskFull:
  /// there is no room for the one under way, which was tried once more.
  Result<void> keep_up(const Written& written);
  /// Waits for the one under way. kDiskFull: there is no room for it.
  Result<void> finish();
  /// Freezes the active memtable, whose newest commit is that of `point`; drops it when it only holds what was taken back. On
  /// the writer's thread, while not busy().
  void begin(const Point& point, const Written& written);
  /// Called when a checkpoint is wanted by time, so that a sleeping writer wakes up; with each failure, of which a full
  /// disk is tried again; and when there is room once more.
  struct Events {
    std::function<void()> wake_writer;
    std::function<void(Error)> failed;
    std::function<void()> mended;
  };
  void start(Events events);
  /// Waits for the one under way, unless it waits for room; ends the thread.
  void stop();
  /// One more, on the caller's thread, after stop() and after the writer has ended.
  void last(const Point& point);

  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  bool nothing_new(const Point& point) const {
    return point.sequence == last_.sequence && point.position == last_.position;
  }
  /// Nothing is under way, or it waits for room. With mutex_.
  bool over() const { return stopping_ || !busy() || no_room_; }
  Result<void> room_found() const;
  void freeze();
  void carry_out(const Point& point);
  Result<void> move_into_lmdb(const Memtable& memtable);
  int move_some(const Memtable::Node*& node, const char*& call);
  Result<void> make_durable(const Point& point);
  void keep_readable();
  void loop();
  void look_at_file();
  double lag(const Written& written) const;

  LmdbEnv& env_;
  Log& log_;
  CheckpointFile file_;
  CurrentLayers& layers_;
  Room& room_;
  const EngineOptions options_;
  Checkpoint last_;
  MDB_txn* pin_;  ///< keeps the pages of last_
  Events events_;

  std::atomic<bool> wanted_{false};  ///< its time has come
  std::atomic<bool> busy_{false};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> begun_log_bytes_{0};
  std::atomic<std::uint64_t> begun_keys_{0};
  std::atomic<std::uint64_t> most_written_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::optional<Point> work_;
  std::optional<Error> no_room_;  ///< of the newest attempt, while busy for want of it
  std::uint64_t attempts_ = 0;
  bool try_again_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

class EngineImpl final : public Engine {
 public:
  EngineImpl(const EngineOptions& options, DirectoryLock lock, Recovered state,
             CheckpointFile checkpoint_file);
  /// Read only. Takes what it needs of `state`.
  EngineImpl(const EngineOptions& options, DirectoryLock lock, Recovered& state);
  ~EngineImpl() override;

  std::unique_ptr<Snapshot> snapshot() override;
  using Engine::submit;
  void submit(EngineRequest& request) override;
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
  using Requests = std::vector<EngineRequest*>;
  struct Outcome {
    EngineRequest* request = nullptr;
    std::optional<Error> error;
  };

  void writer_loop();
  /// False: the engine is closing.
  bool take_requests(Requests& requests);
  /// Has the keys that the next jobs expect looked for together; answers for how many jobs.
  std::size_t look_ahead(ReadView& view, const Requests& requests, std::size_t first);
  /// Of room in the data file for the active memtable, and for all that does not lie there yet.
  std::uint64_t active_need() const;
  std::uint64_t pending_need() const;
  /// Whether there is room for more in the data file; kDiskFull: not even for what is on its way there.
  Result<void> find_room();
  std::size_t run_batch(const Requests& requests, std::size_t first);
  Result<void> run_job(EngineRequest& request, ReadView& view, Sequence sequence);
  Result<void> commit(Sequence sequence, bool hard, const Memtable::Mark& begin);
  void publish(Sequence sequence, bool committed, const std::optional<Error>& failed);
  void fail_for_good(Error error);
  void tell_failure();
  void disk_full(const std::optional<Error>& error);
  void begin_checkpoint();
  bool checkpoint_due() const;
  Checkpointer::Point point() const { return {last_sequence(), log_->tail()}; }
  Checkpointer::Written written() const { return {log_->appended_bytes(), written_keys_}; }

  const EngineOptions options_;
  DirectoryLock lock_;
  std::unique_ptr<LmdbEnv> env_;
  std::unique_ptr<Log> log_;
  CurrentLayers layers_;
  Room room_;
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

  RequestQueue queue_;
  std::atomic<bool> stopping_{false};

  // The writer's own.
  std::shared_ptr<Memtable> active_;
  std::uint64_t frozen_need_ = 0;  ///< room for the frozen memtable, while there is one
  std::vector<std::string_view> expected_;
  std::vector<Outcome> outcomes_;
  std::uint64_t written_keys_ = 0;
  std::thread writer_;
};

}  // namespace reqld::storage
