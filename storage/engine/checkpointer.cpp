#include "storage/engine/engine_impl.hpp"

namespace reqld::storage {
namespace {

/// New pages that the data file may grow by between two checkpoints: pages freed since the last one cannot be reused
/// before the next.
constexpr std::uint64_t kLeastGrowth = 64u << 20;

}  // namespace

Checkpointer::Checkpointer(LmdbEnv& env, Log& log, CheckpointFile file, const Checkpoint& last, MDB_txn* pin,
                           const EngineOptions& options)
    : env_(env), log_(log), file_(std::move(file)), options_(options), last_(last), pin_(pin) {
  begun_file_bytes_ = env_.file_bytes();
}

Checkpointer::~Checkpointer() {
  stop();
  abandon();
}

void Checkpointer::abandon() {
  if (work_) env_.unpin(work_->pin);
  work_.reset();
  env_.unpin(std::exchange(pin_, nullptr));
}

void Checkpointer::start(std::function<void()> wake_writer, std::function<void(Error)> failed) {
  wake_writer_ = std::move(wake_writer);
  failed_ = std::move(failed);
  thread_ = std::thread([this] { loop(); });
}

bool Checkpointer::due(std::uint64_t log_bytes) const {
  if (busy_.load(std::memory_order_acquire)) return false;
  if (wanted()) return true;
  if (log_bytes - begun_log_bytes_.load(std::memory_order_relaxed) >= options_.checkpoint_bytes) return true;
  const std::uint64_t before = begun_file_bytes_.load(std::memory_order_relaxed);
  return env_.file_bytes() > before + std::max(kLeastGrowth, before / 8);
}

Result<Checkpointer::Work> Checkpointer::capture(Sequence sequence, LogPosition position) {
  Work work;
  work.checkpoint = last_;
  ++work.checkpoint.counter;
  work.checkpoint.sequence = sequence;
  work.checkpoint.position = position;
  work.pin = env_.pin();
  if (work.pin == nullptr) return Error{ErrorKind::kIo, "no reader slot for a checkpoint"};
  auto meta = env_.meta_of(mdb_txn_id(work.pin));
  if (!meta) {
    env_.unpin(work.pin);
    return meta.error();
  }
  work.checkpoint.meta = *meta;
  return work;
}

Result<void> Checkpointer::begin(Sequence sequence, LogPosition position, std::uint64_t log_bytes) {
  wanted_.store(false, std::memory_order_relaxed);
  begun_log_bytes_.store(log_bytes, std::memory_order_relaxed);
  begun_file_bytes_.store(env_.file_bytes(), std::memory_order_relaxed);
  if (sequence == last_.sequence && position == last_.position) return {};
  auto work = capture(sequence, position);
  if (!work) return work.error();
  busy_.store(true, std::memory_order_release);
  {
    std::lock_guard lock(mutex_);
    work_ = *work;
  }
  wake_.notify_one();
  return {};
}

Result<void> Checkpointer::run(Work work) {
  if (options_.testing.unpin_early) {
    env_.unpin(pin_);
    pin_ = nullptr;
  }
  // The log too: the segment that the checkpoint names may be a new one, not yet on disk.
  auto done = log_.sync();
  if (done) done = env_.sync_data();
  if (done) done = file_.write(work.checkpoint);
  if (!done) {
    env_.unpin(work.pin);
    return done;
  }
  // The new point is on disk: nothing will go back to the older one.
  env_.unpin(pin_);
  pin_ = work.pin;
  last_ = work.checkpoint;
  count_.fetch_add(1, std::memory_order_relaxed);
  log_.drop_before(last_.position.segment);
  return {};
}

void Checkpointer::loop() {
  const auto interval = std::chrono::duration<double>(options_.checkpoint_seconds);
  std::unique_lock lock(mutex_);
  for (;;) {
    const bool signalled = wake_.wait_for(lock, interval, [this] { return stopping_ || work_.has_value(); });
    if (work_) {
      const Work work = *work_;
      work_.reset();
      lock.unlock();
      auto done = run(work);
      if (!done) failed_(done.error());
      busy_.store(false, std::memory_order_release);
      lock.lock();
      continue;
    }
    if (stopping_) return;
    if (!signalled) {
      wanted_.store(true, std::memory_order_relaxed);
      lock.unlock();
      wake_writer_();
      lock.lock();
    }
  }
}

void Checkpointer::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Result<void> Checkpointer::last(Sequence sequence, LogPosition position) {
  if (sequence == last_.sequence && position == last_.position) return {};
  auto work = capture(sequence, position);
  if (!work) return work.error();
  return run(*work);
}

}  // namespace reqld::storage
