#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include <cerrno>
#include <exception>

#include "storage/engine/engine_impl.hpp"
#include "storage/engine/lmdb_write.hpp"

namespace reqld::storage {
namespace {

/// Pages that a checkpoint may write, in bytes, more when more is stored: the pages that it frees can be used again by the
/// next but one, so the file grows by some three times this.
constexpr std::uint64_t kLeastWritten = 32u << 20;
constexpr std::uint64_t kStoredPerWritten = 16;

/// Keys that a checkpoint may write: a replay touches a page for each.
constexpr std::uint64_t kMostKeys = 50'000;

/// How far the writer may get ahead of the checkpoint under way, as multiples of what calls for the next one: from the first on
/// it is slowed down, by so much for a batch at the most, and at the second it has to stop.
constexpr double kSlowAt = 1.5;
constexpr double kStopAt = 3;
constexpr std::chrono::milliseconds kLongestDelay{10};

/// Values that are moved into LMDB in one transaction, in bytes.
constexpr std::size_t kMovedBytes = 1u << 20;

/// How long a checkpoint that found no room waits before it tries again by itself.
constexpr std::chrono::seconds kRetryAfter{1};

Error failed_write(const LmdbEnv& env, const EngineOptions& options, int code, std::string_view call) {
  // LMDB says EIO for a short write, which is what a full disk looks like at its edge.
  struct stat now {};
  if (code == EIO && ::fstat(env.data_fd(), &now) == 0 &&
      // Behind what that write has added.
      ::fallocate(env.data_fd(), FALLOC_FL_KEEP_SIZE, now.st_size, 64 * 1024) != 0) {
    Error tried = lmdb_error(call, errno, options.directory);
    if (tried.kind == ErrorKind::kDiskFull) return tried;
  }
  return lmdb_error(call, code, options.directory);
}

}  // namespace

Checkpointer::Checkpointer(LmdbEnv& env, Log& log, CheckpointFile file, CurrentLayers& layers, Room& room,
                           const Checkpoint& last, MDB_txn* pin, const EngineOptions& options)
    : env_(env),
      log_(log),
      file_(std::move(file)),
      layers_(layers),
      room_(room),
      options_(options),
      last_(last),
      pin_(pin),
      most_written_(kLeastWritten) {
  look_at_file();
}

Checkpointer::~Checkpointer() {
  stop();
  env_.unpin(std::exchange(pin_, nullptr));
}

void Checkpointer::start(Events events) {
  events_ = std::move(events);
  thread_ = std::thread([this] { loop(); });
  ::pthread_setname_np(thread_.native_handle(), "checkpointer");
}

/// What has been written since the last checkpoint was begun, as a share of what calls for the next one.
double Checkpointer::lag(const Written& written) const {
  const auto share = [](std::uint64_t now, const std::atomic<std::uint64_t>& begun, std::uint64_t most) {
    const std::uint64_t before = begun.load(std::memory_order_relaxed);
    return now < before ? 0 : static_cast<double>(now - before) / static_cast<double>(most);
  };
  const double of_pages = static_cast<double>((written.keys - begun_keys_.load(std::memory_order_relaxed)) * env_.page_size()) /
                          static_cast<double>(most_written_.load(std::memory_order_relaxed));
  return std::max({share(written.log_bytes, begun_log_bytes_, options_.checkpoint_bytes),
                   share(written.keys, begun_keys_, kMostKeys), of_pages});
}

bool Checkpointer::due(const Written& written) const {
  if (busy()) return false;
  return wanted_.load(std::memory_order_relaxed) || lag(written) >= 1;
}

Result<void> Checkpointer::keep_up(const Written& written) {
  if (!busy()) return {};
  const double late = (lag(written) - kSlowAt) / (kStopAt - kSlowAt);
  std::unique_lock lock(mutex_);
  if (no_room_) {
    try_again_ = true;
    wake_.notify_one();
    done_.wait(lock, [&, before = attempts_] { return stopping_ || !busy() || attempts_ != before; });
  } else if (late >= 1) {
    done_.wait(lock, [this] { return over(); });
  } else if (late > 0) {
    done_.wait_for(lock, late * kLongestDelay, [this] { return over(); });
  }
  return room_found();
}

Result<void> Checkpointer::finish() {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return over(); });
  return room_found();
}

Result<void> Checkpointer::room_found() const {
  if (no_room_) return *no_room_;
  return {};
}

void Checkpointer::begin(const Point& point, const Written& written) {
  wanted_.store(false, std::memory_order_relaxed);
  begun_log_bytes_.store(written.log_bytes, std::memory_order_relaxed);
  begun_keys_.store(written.keys, std::memory_order_relaxed);
  if (nothing_new(point)) {
    const auto layers = layers_.get();
    layers_.set({.number = layers->number, .frozen = nullptr, .active = std::make_shared<Memtable>(point.sequence)});
    return;
  }
  freeze();
  busy_.store(true, std::memory_order_release);
  {
    std::lock_guard lock(mutex_);
    work_ = point;
  }
  wake_.notify_one();
}

void Checkpointer::freeze() {
  const auto layers = layers_.get();
  layers_.set({.number = layers->number + 1,
               .frozen = layers->active,
               .active = std::make_shared<Memtable>(layers->active->newest())});
}

void Checkpointer::carry_out(const Point& point) {
  const auto layers = layers_.get();
  layers_.begin_moving(layers->number - 1);
  for (;;) {
    auto moved = move_into_lmdb(*layers->frozen);
    std::unique_lock lock(mutex_);
    const bool was_full = no_room_.has_value();
    const bool full = !moved && moved.error().kind == ErrorKind::kDiskFull;
    no_room_ = full ? std::optional(moved.error()) : std::nullopt;
    ++attempts_;
    done_.notify_all();
    lock.unlock();
    if (!moved) events_.failed(moved.error());
    if (moved && was_full) events_.mended();
    if (moved) break;
    if (!full) return keep_readable();
    lock.lock();
    wake_.wait_for(lock, kRetryAfter, [this] { return stopping_ || try_again_; });
    try_again_ = false;
    if (stopping_) return;
  }
  layers_.set({.number = layers->number, .frozen = nullptr, .active = layers->active});
  if (auto done = make_durable(point); !done) events_.failed(done.error());
}

Result<void> Checkpointer::move_into_lmdb(const Memtable& memtable) {
  if (options_.testing.unpin_early) env_.unpin(std::exchange(pin_, nullptr));
  const Memtable::Node* node = memtable.at_or_after({});
  for (bool again = true; node != nullptr;) {
    const char* call = "";
    const Memtable::Node* next = node;
    const int rc = move_some(next, call);
    if (rc == 0) {
      node = next;
    } else if (rc == MDB_MAP_FULL) {
      if (auto grown = env_.grow(); !grown) return grown;
    } else {
      Error error = failed_write(env_, options_, rc, call);
      // A short write on a disk that has room again, because a log segment under preparation has just given its space
      // back, looks like a device that fails. That one fails twice.
      const bool retry = rc == EIO && error.kind != ErrorKind::kDiskFull && std::exchange(again, false);
      if (!retry) return error;
    }
  }
  return {};
}

/// In transactions so small that their pages stay in the CPU's cache: LMDB holds them all until it commits, and the memory
/// for them for ever. What readers see does not depend on how far this is, since the memtable hides it.
int Checkpointer::move_some(const Memtable::Node*& node, const char*& call) {
  LmdbWrite write;
  call = "begin";
  int rc = write.begin(env_);
  if (rc == 0) call = "write";
  std::size_t bytes = 0;
  for (std::size_t keys = 0; rc == 0 && node != nullptr && keys < options_.moved_keys && bytes < kMovedBytes; ++keys) {
    if (const auto* newest = Memtable::version(node, kNewest)) {
      rc = write.apply({Memtable::key(node), newest->value, newest->gone});
      bytes += newest->value.size();
    }
    node = Memtable::next(node);
  }
  if (rc != 0) return rc;
  call = "commit";
  return write.commit();
}

Result<void> Checkpointer::make_durable(const Point& point) {
  Checkpoint next = last_;
  ++next.counter;
  next.sequence = point.sequence;
  next.position = point.position;
  MDB_txn* const pin = env_.pin();
  if (pin == nullptr) return Error{ErrorKind::kIo, "no reader slot for a checkpoint"};
  auto meta = env_.meta_of(mdb_txn_id(pin));
  auto done = meta ? Result<void>() : meta.error();
  if (done) next.meta = *meta;
  // The log too: the segment that the checkpoint names may be a new one, not yet on disk.
  if (done) done = log_.sync();
  if (done && !options_.testing.skip_data_sync) done = env_.sync_data();
  if (done) done = file_.write(next);
  if (!done) {
    env_.unpin(pin);
    return done;
  }
  // Nothing will go back to the older one.
  env_.unpin(std::exchange(pin_, pin));
  last_ = next;
  count_.fetch_add(1, std::memory_order_relaxed);
  look_at_file();
  log_.drop_before(last_.position.segment);
  return {};
}

/// Readers go on, as far as they can: LMDB refuses even them after a meta page could not be written.
void Checkpointer::keep_readable() {
  if (!env_.panicked()) return;
  env_.unpin(std::exchange(pin_, nullptr));
  // On an Error they go on failing, as they would without the attempt.
  (void)env_.reopen_for_reading();
}

void Checkpointer::look_at_file() {
  try {
    const LmdbEnv::Usage usage = env_.usage();
    room_.refresh(usage);
    most_written_.store(std::max(kLeastWritten, (usage.file_bytes - usage.free_bytes) / kStoredPerWritten),
                        std::memory_order_relaxed);
  } catch (const std::exception&) {
    // No snapshot to be had: what is known has to do.
  }
}

void Checkpointer::loop() {
  const auto interval = std::chrono::duration<double>(options_.checkpoint_seconds);
  std::unique_lock lock(mutex_);
  for (;;) {
    const bool signalled = wake_.wait_for(lock, interval, [this] { return stopping_ || work_.has_value(); });
    if (work_) {
      const Point point = *std::exchange(work_, std::nullopt);
      lock.unlock();
      carry_out(point);
      lock.lock();
      busy_.store(false, std::memory_order_release);
      done_.notify_all();
      continue;
    }
    if (stopping_) return;
    if (!signalled) {
      wanted_.store(true, std::memory_order_relaxed);
      lock.unlock();
      events_.wake_writer();
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

void Checkpointer::last(const Point& point) {
  // What found no room is in the log.
  if (nothing_new(point) || layers_.get()->frozen != nullptr) return;
  events_ = {.wake_writer = [] {}, .failed = [](const Error&) {}, .mended = [] {}};
  freeze();
  carry_out(point);
}

}  // namespace reqld::storage
