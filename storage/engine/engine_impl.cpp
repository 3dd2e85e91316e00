#include "storage/engine/engine_impl.hpp"

#include <pthread.h>

#include <exception>

#include "storage/engine/replacement.hpp"

namespace reqld::storage {
namespace {

using std::chrono::steady_clock;

/// How long a batch may go on taking jobs in before it commits.
constexpr auto kBatchTime = std::chrono::milliseconds(10);

/// Bytes of the data file that are looked for before a batch, whose size nobody knows yet.
constexpr std::uint64_t kUsualBatch = 256 * 1024;

/// A memtable keeps the memory of what was put again or taken back, so it is not used for more than this.
constexpr std::uint64_t kMostPuts = 200'000;

/// When nothing has been written for so long, so many keys are moved into LMDB.
constexpr std::chrono::nanoseconds kIdleTime = std::chrono::seconds(1);
constexpr std::size_t kManyKeys = 500;

class SnapshotImpl final : public Snapshot {
 public:
  SnapshotImpl(LmdbEnv& env, const CurrentLayers& layers)
      : env_(env), view_(env, layers, ReadView::Of::kNewestCommit) {}

  Sequence sequence() const override { return view_.sequence(); }
  std::optional<std::string_view> get(std::string_view key) override { return view_.get(key); }
  std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction) override {
    return view_.cursor(range, direction);
  }
  void prefetch(std::span<const std::string_view> keys) override { view_.prefetch(keys); }
  void verify(const std::function<void(const std::string&)>& problem) override {
    verify_chunks(view_.lmdb(), env_.dbi(), problem);
  }

 private:
  LmdbEnv& env_;
  ReadView view_;
};

/// Lives until it is finished.
class FunctionRequest final : public EngineRequest {
 public:
  FunctionRequest(Engine::Job job, Durability durability, Engine::Done done)
      : EngineRequest(durability), job_(std::move(job)), done_(std::move(done)) {}
  Result<void> run(WriteTxn& txn) override { return job_(txn); }
  void finished(Result<Sequence> result) override {
    const std::unique_ptr<FunctionRequest> self(this);
    if (done_) done_(std::move(result));
  }

 private:
  const Engine::Job job_;
  const Engine::Done done_;
};

class WriteTxnImpl final : public WriteTxn {
 public:
  WriteTxnImpl(ReadView& view, Memtable& active, Sequence sequence, std::size_t max_key_size)
      : view_(view), active_(active), sequence_(sequence), max_key_size_(max_key_size) {}

  Sequence sequence() const override { return sequence_; }

  std::optional<std::string_view> get(std::string_view key) override { return view_.get(key); }

  std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction) override {
    return view_.cursor(range, direction);
  }

  void put(std::string_view key, std::string_view value) override {
    if (accepts(key)) active_.put(sequence_, key, value, false);
  }

  void del(std::string_view key) override {
    if (accepts(key)) active_.put(sequence_, key, {}, true);
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  bool accepts(std::string_view key) {
    if (!key.empty() && key.size() <= max_key_size_ && key < kChunkKeys) return true;
    if (error_) return false;
    if (key.empty()) {
      error_ = Error{ErrorKind::kInvalid, "a key is empty"};
    } else if (key >= kChunkKeys) {
      error_ = Error{ErrorKind::kInvalid, "a key begins with ff ff ff ff"};
    } else {
      error_ = Error{ErrorKind::kKeyTooLong, "a key has " + std::to_string(key.size()) + " bytes, more than " +
                                                 std::to_string(max_key_size_)};
    }
    return false;
  }

  ReadView& view_;
  Memtable& active_;
  const Sequence sequence_;
  const std::size_t max_key_size_;
  std::optional<Error> error_;
};

Error closing_error() { return Error{ErrorKind::kCancelled, "the database is closing"}; }

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
    return std::unique_ptr<Engine>(new EngineImpl(options, std::move(*lock), *state));
  }
  auto file = CheckpointFile::open(options.directory);
  if (!file) {
    state->env->unpin(state->pin);
    return file.error();
  }
  return std::unique_ptr<Engine>(new EngineImpl(options, std::move(*lock), std::move(*state), std::move(*file)));
}

EngineImpl::EngineImpl(const EngineOptions& options, DirectoryLock lock, Recovered& state)
    : options_(options),
      lock_(std::move(lock)),
      env_(std::move(state.env)),
      room_(*env_, options.directory),
      last_sequence_(state.sequence),
      active_(std::make_shared<Memtable>(state.sequence)) {
  layers_.set({.number = 1, .frozen = nullptr, .active = active_});
}

EngineImpl::EngineImpl(const EngineOptions& options, DirectoryLock lock, Recovered state,
                       CheckpointFile checkpoint_file)
    : EngineImpl(options, std::move(lock), state) {
  log_ = std::move(state.log);
  syncer_ = std::make_unique<Syncer>(*log_, last_sequence(), options_,
                                     [this](const Error& error) { fail_for_good(error); });
  checkpointer_ = std::make_unique<Checkpointer>(*env_, *log_, std::move(checkpoint_file), layers_, room_,
                                                 state.checkpoint, state.pin, options_);
  checkpointer_->start({
      .wake_writer = [this] { queue_.wake(); },
      .failed =
          [this](const Error& error) { error.kind == ErrorKind::kDiskFull ? disk_full(error) : fail_for_good(error); },
      .mended = [this] { disk_full(std::nullopt); },
  });
  // What was replayed would be replayed again at the next start, and the old segments are in the way.
  begin_checkpoint();
  writer_ = std::thread([this] { writer_loop(); });
  ::pthread_setname_np(writer_.native_handle(), "writer");
}

EngineImpl::~EngineImpl() {
  if (!writer_.joinable()) return;
  stopping_.store(true);
  queue_.wake();
  writer_.join();
  Requests late;
  if (queue_.take(late)) {
    for (EngineRequest* request : late) request->finished(closing_error());
  }
  syncer_->stop();
  checkpointer_->stop();
  if (!failed_.load() && !syncer_->failure()) checkpointer_->last(point());
  checkpointer_.reset();
  syncer_.reset();
}

std::unique_ptr<Snapshot> EngineImpl::snapshot() { return std::make_unique<SnapshotImpl>(*env_, layers_); }

void Engine::submit(Job job, Durability durability, Done done) {
  submit(*new FunctionRequest(std::move(job), durability, std::move(done)));  // deletes itself
}

void EngineImpl::submit(EngineRequest& request) {
  if (log_ == nullptr) {
    request.finished(Error{ErrorKind::kReadOnly, options_.directory + " is open for reading only"});
  } else if (stopping_.load()) {
    request.finished(closing_error());
  } else {
    queue_.add(request);
  }
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
  Requests requests;
  while (take_requests(requests)) {
    for (std::size_t i = 0; i < requests.size();) {
      i += run_batch(requests, i);
      if (checkpoint_due()) begin_checkpoint();
    }
  }
}

bool EngineImpl::take_requests(Requests& requests) {
  for (;;) {
    if (queue_.take(requests)) return true;
    if (stopping_.load()) return queue_.take(requests);
    if (checkpoint_due()) begin_checkpoint();
    const bool may_stay_full = active_->keys() < kManyKeys || failed_.load();
    const bool idle = !queue_.sleep(may_stay_full ? std::nullopt : std::optional(kIdleTime));
    // Readers look into the memtables before they look into LMDB, so they shall not stay full.
    if (idle && !checkpointer_->busy()) begin_checkpoint();
  }
}

bool EngineImpl::checkpoint_due() const {
  if (failed_.load() || checkpointer_->busy()) return false;
  return checkpointer_->due(written()) || active_->puts() >= kMostPuts;
}

void EngineImpl::begin_checkpoint() {
  frozen_need_ = active_need();
  checkpointer_->begin(point(), written());
  active_ = layers_.get()->active;
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

void EngineImpl::disk_full(const std::optional<Error>& error) {
  {
    std::lock_guard lock(failure_mutex_);
    disk_full_ = error;
  }
  tell_failure();
}

Result<void> EngineImpl::run_job(EngineRequest& request, ReadView& view, Sequence sequence) {
  const auto before = active_->mark();
  auto drop = [&](Error error) -> Result<void> {
    active_->rollback(before);
    return error;
  };
  WriteTxnImpl txn(view, *active_, sequence, env_->max_key_size());
  try {
    auto ran = request.run(txn);
    if (!ran) return drop(ran.error());
  } catch (const std::exception& e) {
    return drop({ErrorKind::kInvalid, e.what()});
  }
  if (txn.error()) return drop(*txn.error());
  return {};
}

std::size_t EngineImpl::look_ahead(ReadView& view, const Requests& requests, std::size_t first) {
  expected_.clear();
  std::size_t count = 0;
  while (first + count < requests.size() && expected_.size() < kPrefetchKeys) {
    for (const std::string& key : requests[first + count]->expected()) expected_.emplace_back(key);
    ++count;
  }
  if (!expected_.empty()) view.prefetch(expected_);
  return count;
}

std::uint64_t EngineImpl::active_need() const {
  return room_.need(active_->keys(), active_->entries().bytes());
}

std::uint64_t EngineImpl::pending_need() const {
  return active_need() + (checkpointer_->busy() ? frozen_need_ : 0);
}

Result<void> EngineImpl::find_room() {
  if (auto kept_up = checkpointer_->keep_up(written()); !kept_up) return kept_up;
  if (room_.keep(pending_need() + kUsualBatch)) return {};
  // Perhaps less is needed than was thought, and what was freed meanwhile does.
  if (auto finished = checkpointer_->finish(); !finished) return finished;
  begin_checkpoint();
  return checkpointer_->finish();
}

std::size_t EngineImpl::run_batch(const Requests& requests, std::size_t first) {
  const Sequence sequence = last_sequence() + 1;
  std::optional<ReadView> view;
  std::optional<Error> failed;  // every job, also those that write nothing
  Result<void> room;
  if (failed_.load() || syncer_->failure()) {
    failed = stopped_error(*failure());
  } else {
    room = find_room();
    try {
      view.emplace(*env_, layers_, ReadView::Of::kWriter);
    } catch (const std::exception& e) {
      failed = Error{ErrorKind::kIo, e.what()};
    }
  }

  const auto until = steady_clock::now() + kBatchTime;
  const Memtable::Mark begin = active_->mark();
  const std::size_t keys = active_->keys();
  bool hard = false;
  outcomes_.clear();
  std::size_t count = 0;
  std::size_t looked_ahead = 0;
  while (first + count < requests.size()) {
    if (count >= looked_ahead && !failed) looked_ahead = count + look_ahead(*view, requests, first + count);
    EngineRequest& request = *requests[first + count++];
    Outcome& outcome = outcomes_.emplace_back();
    outcome.request = &request;
    if (failed) continue;
    const std::size_t puts = active_->mark().puts;
    auto ran = run_job(request, *view, sequence);
    if (!ran) outcome.error = ran.error();
    hard |= active_->mark().puts > puts && request.durability() == Durability::kHard;
    if (active_->entries().bytes() - begin.entries.bytes >= options_.batch_bytes || steady_clock::now() >= until) break;
  }
  view.reset();

  const bool wrote = active_->mark().puts > begin.puts;
  if (wrote) {
    if (room) room = room_.keep(pending_need());
    auto done = room ? commit(sequence, hard, begin) : room;
    if (!done) {
      active_->rollback(begin);
      failed = done.error();
    }
    written_keys_ += active_->keys() - keys;
  }
  publish(sequence, wrote && !failed, failed);
  return count;
}

Result<void> EngineImpl::commit(Sequence sequence, bool hard, const Memtable::Mark& begin) {
  RecordHeader header;
  header.sequence = sequence;
  header.durable = syncer_->durable();
  header.time_us = now_us();
  if (auto appended = log_->append(header, active_->entries(), begin.entries); !appended) {
    if (appended.error().kind != ErrorKind::kDiskFull) fail_for_good(appended.error());
    return appended;
  }
  syncer_->appended(sequence, hard);
  active_->publish(sequence);
  return {};
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
  std::vector<std::pair<Sequence, EngineRequest*>> waiters;
  for (const auto& [request, error] : outcomes_) {
    if (failed || error) {
      request->finished(error ? *error : *failed);
    } else if (request->durability() == Durability::kHard) {
      waiters.emplace_back(newest, request);
    } else {
      request->finished(newest);
    }
  }
  if (committed || !waiters.empty()) syncer_->committed(newest, std::move(waiters));
}

}  // namespace reqld::storage
