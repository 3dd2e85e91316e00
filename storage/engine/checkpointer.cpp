#include <exception>

#include "storage/engine/engine_impl.hpp"

namespace reqld::storage {
namespace {

/// Pages that may be written between two checkpoints, in bytes: those freed since the last one cannot be
/// reused before the next, so the file grows by some three times this. More when more is stored.
constexpr std::uint64_t kLeastWritten = 32u << 20;
constexpr std::uint64_t kStoredPerWritten = 16;

/// Keys that may be written between two checkpoints: a replay touches a page for each.
constexpr std::uint64_t kMostKeys = 100'000;

/// The longest that the writer is slowed down for a batch, before it has to stop.
constexpr std::chrono::milliseconds kLongestDelay{10};

}  // namespace

Checkpointer::Checkpointer(LmdbEnv& env, Log& log, CheckpointFile file, const Checkpoint& last, MDB_txn* pin,
                           const EngineOptions& options)
    : env_(env),
      log_(log),
      file_(std::move(file)),
      options_(options),
      last_(last),
      pin_(pin),
      most_written_(kLeastWritten) {}

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

/// What has been written since the last checkpoint was begun, as a share of what calls for the next one.
double Checkpointer::lag(const Written& written) const {
  const auto share = [](std::uint64_t now, const std::atomic<std::uint64_t>& begun, std::uint64_t most) {
    const std::uint64_t before = begun.load(std::memory_order_relaxed);
    return now < before ? 0 : static_cast<double>(now - before) / static_cast<double>(most);
  };
  // A page for each key, at worst, and those that large values fill.
  const auto pages = [this](std::uint64_t keys, std::uint64_t bytes) {
    return keys * env_.page_size() + bytes;
  };
  const double of_pages =
      static_cast<double>(pages(written.keys - begun_keys_.load(std::memory_order_relaxed),
                                written.log_bytes - begun_log_bytes_.load(std::memory_order_relaxed))) /
      static_cast<double>(most_written_.load(std::memory_order_relaxed));
  return std::max({share(written.log_bytes, begun_log_bytes_, options_.checkpoint_bytes),
                   share(written.keys, begun_keys_, kMostKeys), of_pages});
}

bool Checkpointer::due(const Written& written) const {
  if (busy_.load(std::memory_order_acquire)) return false;
  return wanted() || lag(written) >= 1;
}

void Checkpointer::keep_up(const Written& written) {
  if (!busy_.load(std::memory_order_acquire)) return;
  const double late = lag(written) - 1;
  if (late <= 0) return;
  std::unique_lock lock(mutex_);
  const auto over = [this] { return stopping_ || !busy_.load(std::memory_order_acquire); };
  if (late < 1) {
    done_.wait_for(lock, late * kLongestDelay, over);
  } else {
    done_.wait(lock, over);
  }
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

Result<void> Checkpointer::begin(Sequence sequence, LogPosition position, const Written& written) {
  wanted_.store(false, std::memory_order_relaxed);
  begun_log_bytes_.store(written.log_bytes, std::memory_order_relaxed);
  begun_keys_.store(written.keys, std::memory_order_relaxed);
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
  set_limit();
  log_.drop_before(last_.position.segment);
  return {};
}

void Checkpointer::set_limit() {
  try {
    const LmdbEnv::Usage usage = env_.usage();
    most_written_.store(std::max(kLeastWritten, (usage.file_bytes - usage.free_bytes) / kStoredPerWritten),
                        std::memory_order_relaxed);
  } catch (const std::exception&) {
    // No snapshot to be had: it stays as it is.
  }
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
      lock.lock();
      busy_.store(false, std::memory_order_release);
      done_.notify_all();
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
  done_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<void> Checkpointer::last(Sequence sequence, LogPosition position) {
  if (sequence == last_.sequence && position == last_.position) return {};
  auto work = capture(sequence, position);
  if (!work) return work.error();
  return run(*work);
}

}  // namespace reqld::storage
