#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <future>

#include "storage/database.hpp"
#include "storage/engine/file.hpp"
#include "storage/engine/log_format.hpp"
#include "storage/engine/recovery.hpp"
#include "storage/engine/replacement.hpp"
#include "storage/engine/write_set.hpp"
#include "storage/tables/keyspace.hpp"
#include "storage/tools/backup.hpp"
#include "storage/tools/bulk_load.hpp"

namespace reqld::storage {

namespace {

/// Log segments of a directory, in order, each read whole when its turn comes.
class LogReplay {
 public:
  LogReplay(BulkLoad& load, const RestoreOptions& options, const BackupHeader& backup)
      : load_(load), options_(options), backup_(backup), newest_(backup.sequence) {}

  Result<void> run() {
    Result<std::vector<std::string>> names = list_directory(options_.log_directory);
    if (!names) return names.error();
    std::vector<std::pair<std::uint64_t, std::string>> segments;
    for (const std::string& name : *names)
      if (const auto number = segment_number(name))
        segments.emplace_back(*number, options_.log_directory + "/" + name);
    std::sort(segments.begin(), segments.end());
    for (const auto& [number, path] : segments) {
      if (Result<void> read = replay(path); !read) return read;
      if (done_) break;
    }
    if (!ours_)
      return Error{ErrorKind::kNotFound,
                   options_.log_directory + " holds no log of the database that the backup is of."};
    if (gap_) return *gap_;
    if (options_.until_sequence && newest_ < *options_.until_sequence)
      return Error{ErrorKind::kNotFound, "The logs in " + options_.log_directory + " end with commit " +
                                             std::to_string(newest_) + ", before commit " +
                                             std::to_string(*options_.until_sequence) + "."};
    return {};
  }
  Sequence newest() const { return newest_; }
  std::uint64_t commits() const { return commits_; }

 private:
  Result<void> replay(const std::string& path) {
    Result<File> file = File::open(path, O_RDONLY);
    if (!file) return file.error();
    const Result<std::uint64_t> size = file->size();
    if (!size) return size.error();
    std::string bytes(*size, '\0');
    const Result<std::size_t> got = file->read_at(0, bytes.data(), bytes.size());
    if (!got) return got.error();
    bytes.resize(*got);
    const auto header = bytes.size() < kSegmentHeaderBytes ? std::nullopt : decode_segment_header(bytes);
    // A segment made ahead of its use, or one of another database.
    if (!header || (backup_.history != 0 && header->database != backup_.history)) return {};
    ours_ = true;
    std::uint64_t offset = kSegmentHeaderBytes;
    while (const auto record = read_record(bytes, offset, header->nonce)) {
      offset += record_bytes(record->header.payload_bytes);
      const Sequence sequence = record->header.sequence;
      if (sequence <= newest_) continue;
      if (sequence != newest_ + 1) {
        // What a power cut has cut off is passed over, as a recovery does: a later segment then goes on from
        // here.
        gap_ = Error{ErrorKind::kNotFound, "The logs in " + options_.log_directory + " lack commit " +
                                               std::to_string(newest_ + 1) + "; they go on with commit " +
                                               std::to_string(sequence) + " in " + path + "."};
        return {};
      }
      gap_.reset();
      if ((options_.until_sequence && sequence > *options_.until_sequence) ||
          (options_.until_time_us && record->header.time_us > *options_.until_time_us)) {
        done_ = true;
        return {};
      }
      std::string_view rest = record->payload;
      LogEntry entry;
      while (!rest.empty()) {
        if (!parse_entry(rest, entry))
          return Error{ErrorKind::kCorrupt,
                       "Commit " + std::to_string(sequence) + " in " + path + " is damaged."};
        if (Result<void> added = entry.gone ? load_.remove(entry.key) : load_.add(entry.key, entry.value);
            !added)
          return added;
      }
      newest_ = sequence;
      ++commits_;
    }
    return {};
  }

  BulkLoad& load_;
  const RestoreOptions& options_;
  const BackupHeader& backup_;
  Sequence newest_;
  std::uint64_t commits_ = 0;
  bool done_ = false;
  bool ours_ = false;
  std::optional<Error> gap_;
};

Result<void> check_empty(const std::string& directory) {
  if (!file_exists(directory)) return {};
  const Result<std::vector<std::string>> names = list_directory(directory);
  if (!names) return names.error();
  for (const std::string& name : *names)
    // The others are what an unfinished restore leaves.
    if (name != "lost+found" && name != "lock" && name != kReplacementName)
      return Error{ErrorKind::kExists,
                   directory + " is not empty: a backup is restored into a new or empty directory."};
  return {};
}

Result<RestoreReport> load_into(const std::string& directory, BackupReader& reader,
                                const BackupHeader& header, const RestoreOptions& options) {
  Result<std::unique_ptr<Engine>> engine = Engine::open({.directory = directory});
  if (!engine) return engine.error();
  BulkLoad load(**engine);
  const auto add = [&](std::string_view key, std::string_view value) { return load.add(key, value); };
  const auto show = [&](std::uint64_t bytes) {
    if (options.progress) options.progress(bytes, header.size_hint);
  };
  if (Result<void> read = reader.read_all(add, show); !read) return read.error();
  RestoreReport report{
      .backup = header, .totals = reader.totals(), .log_commits = 0, .newest = header.sequence};
  if (!options.log_directory.empty()) {
    LogReplay log(load, options, header);
    if (Result<void> replayed = log.run(); !replayed) return replayed.error();
    report.log_commits = log.commits();
    report.newest = log.newest();
  }
  if (Result<void> finished = load.finish(); !finished) return finished.error();
  if (options.progress) options.progress(reader.totals().bytes, reader.totals().bytes);
  return report;
}

}  // namespace

Result<RestoreReport> restore(const ByteSource& source, const std::string& directory,
                              const RestoreOptions& options) {
  BackupReader reader(source);
  Result<BackupHeader> header = reader.begin();
  if (!header) return header.error();
  if (options.until_time_us && *options.until_time_us < header->time_us)
    return Error{ErrorKind::kInvalid, "The backup is newer than the time to restore to."};
  if (options.until_sequence && *options.until_sequence < header->sequence)
    return Error{ErrorKind::kInvalid, "The backup has commit " + std::to_string(header->sequence) +
                                          " already, which is newer than the one to restore to."};
  if (Result<void> made = make_directories(directory); !made) return made.error();
  RestoreReport report;
  {
    const Result<DirectoryLock> lock = DirectoryLock::acquire(directory, false);
    if (!lock) return lock.error();
    if (Result<void> empty = check_empty(directory); !empty) return empty.error();
    if (Result<void> removed = discard_replacement(directory); !removed) return removed.error();
    // Nobody takes a part for the whole: until all is there, the directory cannot be opened.
    Result<RestoreReport> loaded = load_into(directory + "/" + kReplacementName, reader, *header, options);
    if (!loaded) return loaded.error();
    report = *loaded;
    if (Result<void> completed = complete_replacement(directory); !completed) return completed.error();
  }
  const Result<std::unique_ptr<Engine>> engine = Engine::open({.directory = directory, .create = false});
  if (!engine) return engine.error();
  return report;
}

Result<RestoreReport> restore_from_path(const std::string& path, const std::string& directory,
                                        const RestoreOptions& options) {
  if (path == "-") return restore(descriptor_source(STDIN_FILENO, "the input"), directory, options);
  Result<File> in = File::open(path, O_RDONLY);
  if (!in) return in.error();
  return restore(descriptor_source(in->fd(), path), directory, options);
}

Result<RestoreReport> verify_backup(const ByteSource& source) {
  BackupReader reader(source);
  Result<BackupHeader> header = reader.begin();
  if (!header) return header.error();
  std::string last;
  const auto check_order = [&](std::string_view key, std::string_view) -> Result<void> {
    if (reader.totals().keys > 1 && key <= last)
      return Error{ErrorKind::kCorrupt, "The keys of the backup are not in order."};
    last.assign(key);
    return {};
  };
  if (Result<void> read = reader.read_all(check_order, {}); !read) return read.error();
  return RestoreReport{
      .backup = *header, .totals = reader.totals(), .log_commits = 0, .newest = header->sequence};
}

Result<RestoreReport> verify_backup_file(const std::string& path) {
  Result<File> in = File::open(path, O_RDONLY);
  if (!in) return in.error();
  return verify_backup(descriptor_source(in->fd(), path));
}

}  // namespace reqld::storage
