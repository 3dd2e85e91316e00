#include "storage/engine/recovery.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <vector>

#include "storage/engine/lmdb_write.hpp"

namespace reqld::storage {
namespace {

/// Of the log, applied in one transaction: what is written more than once costs once, and each page too.
constexpr std::uint64_t kReplayBatchBytes = 128u << 20;

std::uint64_t segment_bytes(const EngineOptions& options) {
  const std::uint64_t wanted = options.checkpoint_bytes / 2;
  return std::clamp<std::uint64_t>(wanted, 256u << 10, 16u << 20) / 4096 * 4096;
}

Log::Options log_options(const EngineOptions& options, std::uint64_t database) {
  Log::Options out;
  out.directory = options.directory;
  out.database = database;
  out.segment_bytes = segment_bytes(options);
  out.retention_seconds = options.log_retention_seconds;
  out.retention_bytes = options.log_retention_bytes;
  return out;
}

LmdbEnv::Options env_options(const EngineOptions& options) {
  return {options.directory, options.read_only, options.map_bytes};
}

/// The files of an empty database, durable, the checkpoint file last: with it the database exists.
Result<void> create_database(const EngineOptions& options) {
  const std::string& dir = options.directory;
  if (file_exists(dir + "/data.mdb")) {
    auto data = File::open(dir + "/data.mdb", O_RDONLY);
    if (!data) return data.error();
    auto size = data->size();
    if (!size) return size.error();
    // An interrupted creation leaves no more than the two meta pages.
    if (*size > 2 * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))) {
      return Error{ErrorKind::kCorrupt, CheckpointFile::path(dir) + " is missing"};
    }
  }
  auto segments = Log::list(dir);
  if (!segments) return segments.error();
  for (const auto& segment : *segments) {
    if (auto removed = remove_file(dir + "/" + segment_name(segment.number)); !removed) return removed;
  }
  for (const char* name : {"/data.mdb", "/lock.mdb", "/checkpoint.new"}) {
    if (auto removed = remove_file(dir + name); !removed) return removed;
  }
  Checkpoint first;
  if (::getrandom(&first.database, sizeof first.database, 0) != sizeof first.database) {
    first.database = std::random_device{}();
  }
  first.position = {1, kSegmentHeaderBytes};
  {
    auto env = LmdbEnv::open(env_options(options));
    if (!env) return env.error();
    auto meta = (*env)->meta_of(0);
    if (!meta) return meta.error();
    first.meta = *meta;
    if (auto synced = (*env)->sync_data(); !synced) return synced;
  }
  if (auto synced = sync_directory(dir); !synced) return synced;
  return CheckpointFile::create(dir, first);
}

/// Replays the records behind the checkpoint.
class Replay {
 public:
  Replay(const EngineOptions& options, Recovered& state) : directory_(options.directory), state_(state) {}

  Result<void> run(const std::vector<Log::OldSegment>& segments) {
    expected_ = state_.checkpoint.sequence + 1;
    const LogPosition from = end_ = state_.checkpoint.position;
    auto segment = std::find_if(segments.begin(), segments.end(),
                                [&](const Log::OldSegment& s) { return s.number >= from.segment; });
    // The first checkpoint is older than the segment it names; each later one has seen it on disk.
    const bool missing = segment == segments.end() || segment->number != from.segment;
    if (missing && state_.checkpoint.counter > 0) {
      return Error{ErrorKind::kCorrupt, path(from.segment) + " is missing: the checkpoint needs it"};
    }
    for (std::uint64_t offset = from.offset; segment != segments.end();
         ++segment, offset = kSegmentHeaderBytes) {
      if (auto done = segment_from(segment->number, offset); !done) return done;
    }
    if (auto applied = apply(); !applied) return applied;
    state_.sequence = expected_ - 1;
    return check_nothing_missing(segments);
  }

  /// Whether nothing in this segment belongs to the log's past.
  bool unused(std::uint64_t number) const {
    return number > end_.segment || (number == end_.segment && end_.offset == kSegmentHeaderBytes);
  }

 private:
  std::string path(std::uint64_t number) const { return directory_ + "/" + segment_name(number); }

  /// Applies the records of one segment as long as they follow on; a segment that does not is passed over.
  Result<void> segment_from(std::uint64_t number, std::uint64_t offset) {
    auto loaded = load(number);
    if (!loaded) return loaded.error();
    const auto header = decode_segment_header(bytes_);
    if (!header || header->number != number || header->database != state_.checkpoint.database) {
      if (offset == kSegmentHeaderBytes) return {};
      return Error{ErrorKind::kCorrupt, path(number) + " has no intact header"};
    }
    const std::uint64_t begin = offset;
    for (;;) {
      const auto record = read_record(bytes_, offset, header->nonce);
      if (!record || record->header.sequence != expected_) break;
      batch_.push_back({record->payload, number});
      batch_bytes_ += record->payload.size();
      offset += record_bytes(record->header.payload_bytes);
      ++expected_;
      ++state_.replayed_records;
      state_.replayed_bytes += record->payload.size();
    }
    if (offset == begin) return {};
    end_ = {number, offset};
    segments_.push_back(std::move(bytes_));  // whose heap memory stays where it is
    bytes_ = {};
    // What was read may only be in the kernel's memory after a kill; later commits build on it.
    if (auto synced = file_.sync_data(); !synced) return synced;
    return batch_bytes_ < kReplayBatchBytes ? Result<void>{} : apply();
  }

  Result<void> load(std::uint64_t number) {
    auto file = File::open(path(number), O_RDWR);
    if (!file) return file.error();
    file_ = std::move(*file);
    auto size = file_.size();
    if (!size) return size.error();
    bytes_.resize(*size);
    auto n = file_.read_at(0, bytes_.data(), bytes_.size());
    if (!n) return n.error();
    bytes_.resize(*n);
    return {};
  }

  /// Applies what has been gathered: the newest write of each key, in the order of the keys.
  Result<void> apply() {
    if (batch_.empty()) return {};
    std::vector<LogEntry> entries;
    for (const auto& [payload, number] : batch_) {
      std::string_view rest = payload;
      while (!rest.empty()) {
        if (!parse_entry(rest, entries.emplace_back())) {
          return Error{ErrorKind::kCorrupt, path(number) + " holds a record that cannot be read"};
        }
      }
    }
    std::stable_sort(entries.begin(), entries.end(),
                     [](const LogEntry& a, const LogEntry& b) { return a.key < b.key; });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i + 1 == entries.size() || entries[i + 1].key != entries[i].key) entries[kept++] = entries[i];
    }
    entries.resize(kept);
    LmdbEnv& env = *state_.env;
    for (;;) {
      LmdbWrite write;
      int rc = write.begin(env);
      if (rc != 0) return lmdb_error("begin", rc, directory_);
      for (auto entry = entries.begin(); rc == 0 && entry != entries.end(); ++entry) rc = write.apply(*entry);
      if (rc == 0) rc = write.commit();
      write.abort();
      if (rc == 0) break;
      if (rc != MDB_MAP_FULL) return lmdb_error("replay", rc, directory_);
      if (auto grown = env.grow(); !grown) return grown;
    }
    batch_.clear();
    batch_bytes_ = 0;
    segments_.clear();
    return {};
  }

  /// A record that cannot be read is the end of the log, unless a later one proves that it had been on disk.
  Result<void> check_nothing_missing(const std::vector<Log::OldSegment>& segments) {
    for (const auto& segment : segments) {
      if (segment.number < end_.segment) continue;
      if (auto loaded = load(segment.number); !loaded) return loaded.error();
      const auto header = decode_segment_header(bytes_);
      if (!header || header->number != segment.number || header->database != state_.checkpoint.database)
        continue;
      const std::uint64_t from = segment.number == end_.segment ? end_.offset : kSegmentHeaderBytes;
      if (record_proves_durable(bytes_, from, header->nonce, expected_)) {
        return Error{ErrorKind::kCorrupt, "the log is damaged: commit " + std::to_string(expected_) +
                                              " was on disk, but cannot be read in " + path(end_.segment) +
                                              " at byte " + std::to_string(end_.offset)};
      }
    }
    return {};
  }

  const std::string directory_;
  Recovered& state_;
  Sequence expected_ = 0;
  LogPosition end_;
  File file_;
  std::string bytes_;
  struct Payload {
    std::string_view bytes;
    std::uint64_t segment;
  };
  std::vector<Payload> batch_;  ///< not applied yet; views into segments_
  std::uint64_t batch_bytes_ = 0;
  std::vector<std::string> segments_;
};

}  // namespace

Result<DirectoryLock> DirectoryLock::acquire(const std::string& directory, bool shared) {
  const std::string path = directory + "/lock";
  auto file = File::open(path, shared ? O_RDONLY : O_RDWR | O_CREAT);
  if (!file) {
    if (shared && !file_exists(path)) return DirectoryLock{};  // nobody has ever opened it for writing
    return file.error();
  }
  if (::flock(file->fd(), (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return io_error("flock", path, errno);
    char owner[32] = {};
    auto n = file->read_at(0, owner, sizeof owner - 1);
    std::string pid(owner, n.ok() ? *n : 0);
    pid.erase(std::find(pid.begin(), pid.end(), '\n'), pid.end());
    return Error{ErrorKind::kInUse,
                 directory + " is in use by another process" + (pid.empty() ? "" : " (pid " + pid + ")")};
  }
  if (!shared) {
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file->fd(), 0) != 0) return io_error("ftruncate", path, errno);
    if (auto wrote = file->write_at(0, pid.data(), pid.size()); !wrote) return wrote.error();
  }
  DirectoryLock lock;
  lock.file_ = std::move(*file);
  return lock;
}

Result<bool> closed_cleanly(const std::string& directory) {
  if (!file_exists(CheckpointFile::path(directory))) {
    return Error{ErrorKind::kNotFound, directory + " holds no database"};
  }
  auto checkpoint = CheckpointFile::read(directory);
  if (!checkpoint) return checkpoint.error();
  auto newest = newest_meta(directory);
  if (!newest) return newest.error();
  return *newest == checkpoint->meta;
}

Result<Recovered> recover(const EngineOptions& options) {
  const std::string& dir = options.directory;
  if (!file_exists(CheckpointFile::path(dir))) {
    if (!options.create || options.read_only) {
      return Error{ErrorKind::kNotFound, dir + " holds no database"};
    }
    if (auto created = create_database(options); !created) return created.error();
  }
  Recovered state;
  auto checkpoint = CheckpointFile::read(dir);
  if (!checkpoint) return checkpoint.error();
  state.checkpoint = *checkpoint;
  auto segments = Log::list(dir);
  if (!segments) return segments.error();

  if (options.read_only) {
    // Nothing may be written, so only what a clean end has left can be read.
    auto clean = closed_cleanly(dir);
    if (!clean) return clean.error();
    if (!*clean) {
      return Error{ErrorKind::kCorrupt,
                   dir + " was not closed cleanly: start the server on it once to recover it"};
    }
  } else if (!options.testing.keep_found_meta) {
    if (auto restored = restore_meta(dir, checkpoint->meta); !restored) return restored.error();
  }
  auto env = LmdbEnv::open(env_options(options));
  if (!env) return env.error();
  state.env = std::move(*env);
  state.sequence = checkpoint->sequence;
  if (options.read_only) return state;

  // From here on commits are made; the checkpoint's pages must survive them until there is a newer one.
  state.pin = state.env->pin();
  if (state.pin == nullptr) return Error{ErrorKind::kIo, "no reader slot for the checkpoint"};
  Replay replay(options, state);
  if (auto replayed = replay.run(*segments); !replayed) {
    state.env->unpin(state.pin);
    return replayed.error();
  }
  const bool last_is_unused = !segments->empty() && replay.unused(segments->back().number);
  auto log = Log::create(log_options(options, checkpoint->database), *segments, last_is_unused);
  if (!log) {
    state.env->unpin(state.pin);
    return log.error();
  }
  state.log = std::move(*log);
  return state;
}

}  // namespace reqld::storage
