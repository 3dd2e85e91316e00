#include "storage/tools/backup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>

#include "storage/engine/checkpoint_file.hpp"
#include "storage/engine/file.hpp"
#include "storage/engine/recovery.hpp"
#include "storage/engine/replacement.hpp"

namespace reqld::storage {

namespace {

std::uint64_t now_us() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string dated_name() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char name[64];
  std::strftime(name, sizeof name, "reqld-%Y%m%d-%H%M%S.backup", &utc);
  return name;
}

}  // namespace

ByteSink descriptor_sink(int fd, std::string name) {
  return [fd, name = std::move(name)](std::string_view bytes) -> Result<void> {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return io_error("write", name, errno);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  };
}

ByteSource descriptor_source(int fd, std::string name) {
  return [fd, name = std::move(name)](char* out, std::size_t size) -> Result<std::size_t> {
    for (;;) {
      const ssize_t n = ::read(fd, out, size);
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) return io_error("read", name, errno);
    }
  };
}

Result<BackupTotals> write_backup(Engine& engine, const ByteSink& sink, const BackupOptions& options) {
  BackupHeader header;
  if (!options.data_directory.empty())
    if (const Result<Checkpoint> checkpoint = CheckpointFile::read(options.data_directory); checkpoint)
      header.history = checkpoint->database;
  const std::unique_ptr<Snapshot> snapshot = engine.snapshot();
  header.sequence = snapshot->sequence();
  header.time_us = now_us();
  header.size_hint = engine.stats().used_bytes;
  BackupWriter writer(sink);
  if (Result<void> begun = writer.begin(header); !begun) return begun.error();
  std::uint64_t shown = 0;
  for (auto c = snapshot->cursor({}, Direction::kForward); c->valid(); c->next()) {
    if (Result<void> added = writer.add(c->key(), c->value()); !added) return added.error();
    if (options.progress && writer.totals().bytes >= shown + kBytesPerProgress) {
      shown = writer.totals().bytes;
      options.progress(shown, header.size_hint);
    }
  }
  if (Result<void> ended = writer.end(); !ended) return ended.error();
  if (options.progress) options.progress(writer.totals().bytes, writer.totals().bytes);
  return writer.totals();
}

Result<BackupTotals> backup_to_descriptor(Engine& engine, int fd, const BackupOptions& options) {
  return write_backup(engine, descriptor_sink(fd, "the output"), options);
}

Result<BackupTotals> backup_to_path(const std::string& path,
                                    const std::function<Result<BackupTotals>(const ByteSink&)>& write,
                                    std::string* written) {
  if (path == "-") return write(descriptor_sink(STDOUT_FILENO, "the output"));
  const std::string target = is_directory(path) ? path + "/" + dated_name() : path;
  if (written != nullptr) *written = target;
  struct stat info {};
  if (::stat(target.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    // A named pipe or a device: written as it is.
    Result<File> out = File::open(target, O_WRONLY);
    if (!out) return out.error();
    return write(descriptor_sink(out->fd(), target));
  }
  const std::string partial = target + ".partial";
  Result<File> out = File::open(partial, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!out) return out.error();
  Result<BackupTotals> totals = write(descriptor_sink(out->fd(), partial));
  Result<void> kept = totals ? out->sync_data() : Result<void>(totals.error());
  out->close();
  if (kept) kept = rename_file(partial, target);
  if (kept) kept = sync_directory(parent_of(target));
  if (!kept) {
    (void)remove_file(partial);
    return kept.error();
  }
  return totals;
}

Result<BackupTotals> backup_to_path(Engine& engine, const std::string& path, const BackupOptions& options) {
  return backup_to_path(path, [&](const ByteSink& sink) { return write_backup(engine, sink, options); });
}

Result<BackupTotals> relay_backup(const ByteSource& source, const ByteSink& sink,
                                  const ToolProgress& progress) {
  BackupReader reader([&](char* out, std::size_t size) -> Result<std::size_t> {
    Result<std::size_t> got = source(out, size);
    if (!got) return got;
    if (Result<void> handed = sink({out, *got}); !handed) return handed.error();
    return got;
  });
  const Result<BackupHeader> header = reader.begin();
  if (!header) return header.error();
  const auto pass = [](std::string_view, std::string_view) { return Result<void>(); };
  const auto show = [&](std::uint64_t bytes) {
    if (progress) progress(bytes, header->size_hint);
  };
  if (Result<void> read = reader.read_all(pass, show); !read) return read.error();
  if (progress) progress(reader.totals().bytes, reader.totals().bytes);
  return reader.totals();
}

Result<std::unique_ptr<Engine>> open_offline(const std::string& directory) {
  const auto open = [&](bool read_only) {
    return Engine::open({.directory = directory, .create = false, .read_only = read_only});
  };
  {
    // Only who has the directory for himself may look: a server at work has never closed it cleanly.
    const Result<DirectoryLock> lock = DirectoryLock::acquire(directory, true);
    if (!lock) return lock.error();
    const Result<bool> clean = closed_cleanly(directory);
    if (!clean && clean.error().kind == ErrorKind::kNotFound &&
        file_exists(directory + "/" + kReplacementName)) {
      // Compacted or restored, and not in place yet.
    } else if (!clean) {
      return clean.error();
    } else if (*clean && !file_exists(directory + "/" + kReplacementName)) {
      return open(true);
    }
  }
  if (Result<std::unique_ptr<Engine>> recovered = open(false); !recovered) return recovered.error();
  return open(true);
}

Result<BackupTotals> backup_directory(const std::string& directory, const std::string& path,
                                      BackupOptions options, std::string* written) {
  const Result<std::unique_ptr<Engine>> engine = open_offline(directory);
  if (!engine) return engine.error();
  options.data_directory = directory;
  return backup_to_path(
      path, [&](const ByteSink& sink) { return write_backup(**engine, sink, options); }, written);
}

}  // namespace reqld::storage
