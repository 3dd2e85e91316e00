#include "storage/engine/engine_impl.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <exception>

#include "storage/engine/cursors.hpp"
#include "storage/engine/prefetch.hpp"
#include "storage/engine/replacement.hpp"

namespace reqld::storage {
namespace {

using std::chrono::steady_clock;

/// How long a batch may go on taking jobs in before it commits.
constexpr auto kBatchTime = std::chrono::milliseconds(10);

class SnapshotImpl final : public Snapshot {
 public:
  SnapshotImpl(LmdbEnv& env, Sequence offset) : env_(env), txn_(env.acquire_read()), offset_(offset) {}
  ~SnapshotImpl() override { env_.release_read(txn_); }
  SnapshotImpl(const SnapshotImpl&) = delete;
  SnapshotImpl& operator=(const SnapshotImpl&) = delete;

  Sequence sequence() const override { return mdb_txn_id(txn_) + offset_; }
  std::optional<std::string_view> get(std::string_view key) override {
    return lmdb_get(txn_, env_.dbi(), key, buffer_);
  }
  std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction) override {
    return make_lmdb_cursor(txn_, env_.dbi(), range, direction);
  }
  void prefetch(std::span<const std::string_view> keys) override {
    prefetch_rows({env_.map(txn_), env_.page_size(), mdb_txn_id(txn_)}, keys);
  }
  void verify(const std::function<void(const std::string&)>& problem) override {
    verify_chunks(txn_, env_.dbi(), problem);
  }

 private:
  LmdbEnv& env_;
  MDB_txn* const txn_;
  const Sequence offset_;
  ValueBuffer buffer_;
};

class WriteTxnImpl final : public WriteTxn {
 public:
  WriteTxnImpl(const LmdbEnv& env, MDB_txn* txn, Sequence sequence, EntryBuffer& entries, Overlay& overlay)
      : env_(env), txn_(txn), sequence_(sequence), entries_(entries), overlay_(overlay) {}

  Sequence sequence() const override { return sequence_; }

  std::optional<std::string_view> get(std::string_view key) override {
    if (const LogEntry* mine = overlay_.find(key)) {
      if (mine->gone) return std::nullopt;
      return mine->value;
    }
    return lmdb_get(txn_, env_.dbi(), key, buffer_);
  }

  std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction) override {
    return make_merging_cursor(txn_, env_.dbi(), overlay_, range, direction);
  }

  void put(std::string_view key, std::string_view value) override {
    if (accepts(key)) overlay_.put(entries_.append(key, value, false));
  }

  void del(std::string_view key) override {
    if (accepts(key)) overlay_.put(entries_.append(key, {}, true));
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  bool accepts(std::string_view key) {
    if (!key.empty() && key.size() <= env_.max_key_size() && key < kChunkKeys) return true;
    if (error_) return false;
    if (key.empty()) {
      error_ = Error{ErrorKind::kInvalid, "a key is empty"};
    } else if (key >= kChunkKeys) {
      error_ = Error{ErrorKind::kInvalid, "a key begins with ff ff ff ff"};
    } else {
      error_ = Error{ErrorKind::kKeyTooLong, "a key has " + std::to_string(key.size()) + " bytes, more than " +
                                                 std::to_string(env_.max_key_size())};
    }
    return false;
  }

  const LmdbEnv& env_;
  MDB_txn* const txn_;
  const Sequence sequence_;
  EntryBuffer& entries_;
  Overlay& overlay_;
  ValueBuffer buffer_;
  std::optional<Error> error_;
};

Error stopped_error(const Error& cause) {
  return Error{ErrorKind::kReadOnly, "writes have stopped after a failure: " + cause.message};
}

std::uint64_t now_us() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(const EngineOptions& options) {
  if (options.create && !options.read_only) {
    if (auto made = make_directories(options.directory); !made) return made.error();
  }
  auto lock = DirectoryLock::acquire(options.directory, options.read_only);
  if (!lock) return lock.error();
  if (auto finished = finish_replacement(options.directory, options.read_only); !finished) return finished.error();
  auto state = recover(options);
  if (!state) return state.error();
  if (options.read_only) {
    return std::unique_ptr<Engine>(new EngineImpl(options, std::move(*lock), std::move(*state)));
  }
  auto file = CheckpointFile::open(options.directory);
  if (!file) {
    state->env->unpin(state->pin);
    return file.error();
  }
  return std::unique_ptr<Engine>(new EngineImpl(options, std::move(*lock), std::move(*state), std::move(*file)));
}

EngineImpl::EngineImpl(const EngineOptions& options, DirectoryLock lock, Recovered state)
    : options_(options),
      lock_(std::move(lock)),
      env_(std::move(state.env)),
      sequence_offset_(state.sequence - env_->last_transaction()),
      last_sequence_(state.sequence) {}

EngineImpl::EngineImpl(const EngineOptions& options, DirectoryLock lock, Recovered state,
                       CheckpointFile checkpoint_file)
    : options_(options),
      lock_(std::move(lock)),
      env_(std::move(state.env)),
      log_(std::move(state.log)),
      sequence_offset_(state.sequence - env_->last_transaction()),
      last_sequence_(state.sequence) {
  syncer_ = std::make_unique<Syncer>(*log_, state.sequence, options_,
                                     [this](const Error& error) { fail_for_good(error); });
  checkpointer_ = std::make_unique<Checkpointer>(*env_, *log_, std::move(checkpoint_file), state.checkpoint, state.pin,
                                                 options_);
  checkpointer_->start(
      [this] {
        std::lock_guard guard(queue_mutex_);
        queue_wake_.notify_one();
      },
      [this](const Error& error) { fail_for_good(error); });
  // What was replayed would be replayed again at the next start, and the old segments are in the way.
  begin_checkpoint();
  writer_ = std::thread([this] { writer_loop(); });
}

EngineImpl::~EngineImpl() {
  if (!writer_.joinable()) return;
  {
    std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  queue_wake_.notify_one();
  writer_.join();
  syncer_->stop();
  checkpointer_->stop();
  if (!failed_.load() && !syncer_->failure()) (void)checkpointer_->last(last_sequence(), log_->tail());
  checkpointer_.reset();
  syncer_.reset();
}

std::unique_ptr<Snapshot> EngineImpl::snapshot() { return std::make_unique<SnapshotImpl>(*env_, sequence_offset_); }

void EngineImpl::submit(Job job, Durability durability, Done done, std::vector<std::string> expected) {
  std::optional<Error> refused;
  if (log_ == nullptr) refused = Error{ErrorKind::kReadOnly, options_.directory + " is open for reading only"};
  if (!refused) {
    std::lock_guard lock(queue_mutex_);
    if (stopping_) {
      refused = Error{ErrorKind::kCancelled, "the database is closing"};
    } else {
      queue_.push_back({std::move(job), durability, std::move(done), std::move(expected)});
      if (queue_.size() == 1) queue_wake_.notify_one();
      return;
    }
  }
  if (done) done(*refused);
}

void EngineImpl::sync(Done done) {
  submit([](WriteTxn&) { return Result<void>{}; }, Durability::kHard, std::move(done));
}

void EngineImpl::set_commit_listener(CommitListener listener) {
  std::lock_guard lock(listener_mutex_);
  listener_ = std::move(listener);
}

std::optional<Error> EngineImpl::failure() const {
  std::lock_guard lock(failure_mutex_);
  if (failure_) return failure_;
  if (syncer_ != nullptr) {
    if (auto error = syncer_->failure()) return error;
  }
  return disk_full_;
}

Engine::Stats EngineImpl::stats() const {
  Stats stats{};
  const LmdbEnv::Usage usage = env_->usage();
  stats.data_file_bytes = usage.file_bytes;
  stats.free_bytes = usage.free_bytes;
  stats.used_bytes = stats.data_file_bytes - stats.free_bytes;
  stats.commits = last_sequence();
  if (log_ != nullptr) {
    stats.log_bytes = log_->bytes_on_disk();
    stats.syncs = syncer_->syncs();
    stats.checkpoints = checkpointer_->count();
  }
  return stats;
}

void EngineImpl::writer_loop() {
  std::vector<Request> requests;
  for (;;) {
    {
      std::unique_lock lock(queue_mutex_);
      queue_wake_.wait(lock, [this] {
        return stopping_ || !queue_.empty() ||
               (!failed_.load() && checkpointer_->wanted() && checkpointer_->due(written()));
      });
      if (queue_.empty() && stopping_) return;
      requests.swap(queue_);
    }
    for (std::size_t i = 0; i < requests.size();) {
      if (!failed_.load()) checkpointer_->keep_up(written());
      i += run_batch(requests, i);
      if (failed_.load() && !kept_readable_) keep_readable();
      begin_checkpoint_if_due();
    }
    begin_checkpoint_if_due();
    requests.clear();
  }
}

void EngineImpl::begin_checkpoint_if_due() {
  if (checkpointer_->due(written()) && !failed_.load()) begin_checkpoint();
}

void EngineImpl::begin_checkpoint() {
  auto begun = checkpointer_->begin(last_sequence(), log_->tail(), written());
  if (!begun) fail_for_good(begun.error());
}

void EngineImpl::fail_for_good(Error error) {
  // Of a failed sync nobody knows what it lost: room on the disk does not mend it.
  if (error.kind == ErrorKind::kDiskFull) error.kind = ErrorKind::kIo;
  {
    std::lock_guard lock(failure_mutex_);
    if (!failure_) failure_ = error;
  }
  failed_.store(true);
  syncer_->fail(error);
  tell_failure();
}

void EngineImpl::tell_failure() {
  if (!options_.on_failure) return;
  std::lock_guard telling(telling_mutex_);
  const std::optional<Error> now = failure();
  const bool for_good = now && now->kind != ErrorKind::kDiskFull;
  if (now.has_value() == told_ && (!for_good || told_for_good_)) return;
  told_ = now.has_value();
  told_for_good_ = for_good;
  options_.on_failure(now);
}

void EngineImpl::keep_readable() {
  kept_readable_ = true;
  if (!env_->panicked()) return;
  checkpointer_->stop();
  checkpointer_->abandon();
  // On an Error readers go on failing, as they would without the attempt.
  (void)env_->reopen_for_reading();
}

Result<void> EngineImpl::begin_write() {
  const int rc = write_.begin(*env_);
  return rc == 0 ? Result<void>{} : classify(rc, "begin");
}

Result<void> EngineImpl::repeat_batch(std::uint64_t& changed, bool grow) {
  for (;;) {
    write_.abort();
    if (grow) {
      if (auto grown = env_->grow(); !grown) return grown;
    }
    if (auto begun = begin_write(); !begun) return begun;
    changed = 0;
    int rc = 0;
    entries_.for_each([&](const LogEntry& entry) {
      rc = write_.apply(entry, changed);
      return rc == 0;
    });
    if (rc == 0) return {};
    if (rc != MDB_MAP_FULL) {
      write_.abort();
      return classify(rc, "write");
    }
    grow = true;
  }
}

int EngineImpl::apply_overlay(std::uint64_t& changed) {
  for (const auto* node = overlay_.first(); node != nullptr; node = Overlay::next(node)) {
    if (const int rc = write_.apply(Overlay::entry(node), changed); rc != 0) return rc;
  }
  return 0;
}

Result<void> EngineImpl::run_job(Request& request, Sequence sequence, std::uint64_t& changed) {
  const auto before = entries_.mark();
  overlay_.clear();
  auto drop = [&](Error error) -> Result<void> {
    entries_.rollback(before);
    return error;
  };
  WriteTxnImpl view(*env_, write_.txn(), sequence, entries_, overlay_);
  try {
    auto ran = request.job(view);
    if (!ran) return drop(ran.error());
  } catch (const std::exception& e) {
    return drop({ErrorKind::kInvalid, e.what()});
  }
  if (view.error()) return drop(*view.error());
  if (overlay_.empty()) return {};
  const int rc = apply_overlay(changed);
  if (rc == 0) return {};
  // The transaction is spoilt: build it again from the batch's entries, with this job if only the map was too small.
  if (rc == MDB_MAP_FULL) return repeat_batch(changed, true);
  Error error = classify(rc, "write");
  entries_.rollback(before);
  if (auto repeated = repeat_batch(changed, false); !repeated) return repeated;
  return error;
}

std::size_t EngineImpl::look_ahead(const std::vector<Request>& requests, std::size_t first) {
  expected_.clear();
  std::size_t count = 0;
  while (first + count < requests.size() && expected_.size() < kPrefetchKeys) {
    for (const std::string& key : requests[first + count].expected) expected_.emplace_back(key);
    ++count;
  }
  env_->prefetch_newest(expected_);
  return count;
}

std::size_t EngineImpl::run_batch(std::vector<Request>& requests, std::size_t first) {
  const Sequence sequence = last_sequence() + 1;
  const auto until = steady_clock::now() + kBatchTime;
  std::uint64_t changed = 0;
  bool hard = false;
  outcomes_.clear();
  entries_.clear();

  std::optional<Error> failed;
  if (failed_.load() || syncer_->failure()) {
    failed = stopped_error(*failure());
  } else if (auto begun = begin_write(); !begun) {
    failed = begun.error();
  }
  std::size_t count = 0;
  std::size_t looked_ahead = 0;
  while (first + count < requests.size()) {
    if (count >= looked_ahead && !failed) looked_ahead = count + look_ahead(requests, first + count);
    Request& request = requests[first + count++];
    Outcome& outcome = outcomes_.emplace_back();
    outcome.request = &request;
    if (failed) continue;
    const std::size_t bytes = entries_.bytes();
    auto ran = run_job(request, sequence, changed);
    if (!ran) outcome.error = ran.error();
    outcome.wrote = ran && entries_.bytes() > bytes;
    hard |= outcome.wrote && request.durability == Durability::kHard;
    if (!write_.is_open()) failed = outcome.error;
    if (entries_.bytes() >= options_.batch_bytes || steady_clock::now() >= until) break;
  }

  if (!failed) {
    if (changed > 0) {
      if (auto done = commit(sequence, hard, changed); !done) failed = done.error();
    } else {
      write_.abort();
    }
  }
  publish(sequence, changed > 0 && !failed, failed);
  return count;
}

Result<void> EngineImpl::commit(Sequence sequence, bool hard, std::uint64_t& changed) {
  RecordHeader header;
  header.sequence = sequence;
  header.durable = syncer_->durable();
  header.time_us = now_us();
  // The log first: a commit that cannot be logged is not made, so a full disk refuses it and harms nothing; and the
  // sync runs while LMDB commits.
  if (auto appended = log_->append(header, entries_); !appended) {
    write_.abort();
    if (appended.error().kind != ErrorKind::kDiskFull) fail_for_good(appended.error());
    return appended;
  }
  syncer_->appended(sequence, hard);
  written_keys_ += changed;

  Error error{};
  for (bool again = true;;) {
    const int rc = write_.commit();
    if (rc == 0) return {};
    error = classify(rc, "commit");
    // A short write on a disk that has room again, because a log segment under preparation has just given its space
    // back, looks like a device that fails. That one fails twice.
    const bool retry = rc == EIO && error.kind != ErrorKind::kDiskFull && std::exchange(again, false);
    if (rc != MDB_MAP_FULL && !retry) break;
    if (auto repeated = repeat_batch(changed, rc == MDB_MAP_FULL); !repeated) {
      error = repeated.error();
      break;
    }
  }
  // Its record must not be replayed: what was built on this commit is refused, and later commits go without it.
  syncer_->cancelled(sequence);
  auto cancelled = log_->cancel_last();
  if (!cancelled) fail_for_good(cancelled.error());
  if (error.kind != ErrorKind::kDiskFull) fail_for_good(error);
  return error;
}

void EngineImpl::publish(Sequence sequence, bool committed, const std::optional<Error>& failed) {
  if (committed) {
    last_sequence_.store(sequence, std::memory_order_release);
    CommitListener listener;
    {
      std::lock_guard lock(listener_mutex_);
      listener = listener_;
    }
    if (listener) listener(sequence);
  }
  {
    std::lock_guard lock(failure_mutex_);
    if (failed && failed->kind == ErrorKind::kDiskFull) {
      disk_full_ = failed;
    } else if (committed) {
      disk_full_.reset();
    }
  }
  if (failed || told_.load(std::memory_order_relaxed)) tell_failure();
  const Sequence newest = last_sequence();
  std::vector<std::pair<Sequence, Done>> waiters;
  for (Outcome& outcome : outcomes_) {
    Done& done = outcome.request->done;
    if (failed) {
      if (done) done(outcome.error ? *outcome.error : *failed);
    } else if (outcome.error) {
      if (done) done(*outcome.error);
    } else if (outcome.request->durability == Durability::kHard) {
      waiters.emplace_back(newest, std::move(done));
    } else if (done) {
      done(newest);
    }
  }
  if (committed || !waiters.empty()) syncer_->committed(newest, std::move(waiters));
}

Error EngineImpl::classify(int code, std::string_view call) {
  Error error = lmdb_error(call, code, options_.directory);
  if (code == EIO) {
    // LMDB says EIO for a short write, which is what a full disk looks like at its edge.
    // Behind what that write has added.
    struct stat now {};
    if (::fstat(env_->data_fd(), &now) == 0 &&
        ::fallocate(env_->data_fd(), FALLOC_FL_KEEP_SIZE, now.st_size, 64 * 1024) != 0 &&
        (errno == ENOSPC || errno == EDQUOT)) {
      return lmdb_error(call, errno, options_.directory);
    }
  }
  return error;
}

}  // namespace reqld::storage
