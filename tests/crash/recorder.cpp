#include "tests/crash/recorder.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <random>

namespace reqld::crash {
namespace {

// Leaked: the functions below are called before main and after it.
struct State {
  std::mutex mutex;
  std::string directory;
  std::vector<Op> ops;
  Names names;
  int next_file = 0;
  std::uint64_t next_sync = 0;
  double mean_sync_ms = 0;
  std::mt19937_64 random{1};

  std::mutex fault_mutex;
  std::string fault_directory;
  faults::Judge judge;
};
State& state() {
  static State* s = new State;
  return *s;
}
std::atomic<bool> recording{false};
std::atomic<bool> faulty{false};

std::string path_of(int fd) {
  char link[64];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  char path[1024];
  const ssize_t n = ::readlink(link, path, sizeof path);
  return n > 0 ? std::string(path, static_cast<std::size_t>(n)) : std::string();
}

/// The name of a file directly in `directory`; empty when it is not there or of no interest.
std::string name_in(const std::string& path, const std::string& directory) {
  if (path.size() <= directory.size() + 1 || path.compare(0, directory.size(), directory) != 0 ||
      path[directory.size()] != '/') {
    return {};
  }
  std::string name = path.substr(directory.size() + 1);
  if (name == "lock" || name == "lock.mdb" || name.ends_with(" (deleted)")) return {};
  return name;
}

int judge(faults::Call call, int fd, std::uint64_t offset, std::uint64_t size, std::uint64_t* allowed) {
  State& s = state();
  std::lock_guard lock(s.fault_mutex);
  if (!s.judge) return 0;
  faults::Seen seen{call, name_in(path_of(fd), s.fault_directory), offset, size, 0};
  if (seen.name.empty()) return 0;
  struct stat st {};
  if (::fstat(fd, &st) == 0) seen.file_size = static_cast<std::uint64_t>(st.st_size);
  return s.judge(seen, allowed);
}

ssize_t do_write(int fd, const iovec* pieces, int count, off_t offset) {
  std::uint64_t size = 0;
  for (int i = 0; i < count; ++i) size += pieces[i].iov_len;
  std::uint64_t allowed = size;
  if (faulty.load(std::memory_order_relaxed)) {
    const int error = judge(faults::Call::kWrite, fd, static_cast<std::uint64_t>(offset), size, &allowed);
    if (error != 0) {
      errno = error;
      return -1;
    }
  }
  const auto transfer = [&]() -> ssize_t {
    if (allowed == size) {
      return ::syscall(SYS_pwritev, fd, pieces, static_cast<unsigned long>(count),
                       static_cast<unsigned long>(offset), 0UL);
    }
    std::string flat;
    for (int i = 0; i < count; ++i)
      flat.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    return ::syscall(SYS_pwrite64, fd, flat.data(), allowed, offset);
  };
  if (!recording.load(std::memory_order_acquire)) return transfer();
  State& s = state();
  std::lock_guard lock(s.mutex);
  const ssize_t n = transfer();
  const std::string name = name_in(path_of(fd), s.directory);
  if (n <= 0 || name.empty() || !recording.load()) return n;
  Op op;
  op.kind = OpKind::kWrite;
  op.file = s.names.at(name);
  op.offset = static_cast<std::uint64_t>(offset);
  for (int i = 0; i < count; ++i)
    op.bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  op.bytes.resize(static_cast<std::size_t>(n));
  s.ops.push_back(std::move(op));
  return n;
}

template <typename F>
int do_sync(int fd, F transfer) {
  if (faulty.load(std::memory_order_relaxed)) {
    std::uint64_t ignored = 0;
    const int error = judge(faults::Call::kSync, fd, 0, 0, &ignored);
    if (error != 0) {
      errno = error;
      return -1;
    }
  }
  if (!recording.load(std::memory_order_acquire)) return transfer();
  State& s = state();
  Op op;
  double sleep_ms = 0;
  {
    std::lock_guard lock(s.mutex);
    const std::string path = path_of(fd);
    const std::string name = name_in(path, s.directory);
    if (path == s.directory) {
      op.kind = OpKind::kDirectorySyncBegin;
    } else if (!name.empty()) {
      op.kind = OpKind::kSyncBegin;
      op.file = s.names.at(name);
    } else {
      return transfer();
    }
    op.sync = ++s.next_sync;
    s.ops.push_back(op);
    sleep_ms = std::exponential_distribution<>(1 / s.mean_sync_ms)(s.random);
  }
  // Give the other threads time to do things while a sync is under way.
  ::usleep(static_cast<useconds_t>(sleep_ms * 1000));
  const int rc = transfer();
  std::lock_guard lock(s.mutex);
  if (rc == 0 && recording.load()) {
    op.kind = op.kind == OpKind::kSyncBegin ? OpKind::kSyncEnd : OpKind::kDirectorySyncEnd;
    s.ops.push_back(op);
  }
  return rc;
}

int do_open(const char* path, int flags, mode_t mode) {
  if (!recording.load(std::memory_order_acquire)) {
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  }
  State& s = state();
  std::lock_guard lock(s.mutex);
  const int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  const std::string name =
      fd >= 0 && (flags & O_CREAT) != 0 ? name_in(path_of(fd), s.directory) : std::string();
  if (name.empty()) return fd;
  Op op;
  op.name = name;
  const auto found = s.names.find(name);
  if (found == s.names.end()) {
    op.kind = OpKind::kCreate;
    op.file = s.names[name] = s.next_file++;
  } else if ((flags & O_TRUNC) != 0) {
    op.kind = OpKind::kTruncate;
    op.file = found->second;
  } else {
    return fd;
  }
  s.ops.push_back(std::move(op));
  return fd;
}

}  // namespace

namespace recorder {

void start(const std::string& directory, const Names& names, double mean_sync_ms) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  char real[4096];
  s.directory = ::realpath(directory.c_str(), real) != nullptr ? real : directory;
  s.ops.clear();
  s.names = names;
  s.next_file = 0;
  for (const auto& [name, file] : names) s.next_file = std::max(s.next_file, file + 1);
  s.mean_sync_ms = mean_sync_ms;
  recording.store(true);
}

std::vector<Op> stop() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  recording.store(false);
  return std::move(s.ops);
}

void ack(std::uint64_t sequence, bool hard) {
  if (!recording.load()) return;
  State& s = state();
  std::lock_guard lock(s.mutex);
  Op op;
  op.kind = OpKind::kAck;
  op.sequence = sequence;
  op.hard = hard;
  s.ops.push_back(std::move(op));
}

}  // namespace recorder

namespace faults {

void set(const std::string& directory, Judge judge) {
  State& s = state();
  std::lock_guard lock(s.fault_mutex);
  char real[4096];
  s.fault_directory = ::realpath(directory.c_str(), real) != nullptr ? real : directory;
  s.judge = std::move(judge);
  faulty.store(true);
}

void clear() {
  State& s = state();
  std::lock_guard lock(s.fault_mutex);
  s.judge = nullptr;
  faulty.store(false);
}

}  // namespace faults
}  // namespace reqld::crash

using namespace reqld::crash;  // NOLINT: the functions below must have C names

extern "C" {

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  const iovec piece{const_cast<void*>(data), size};
  return do_write(fd, &piece, 1, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
  return pwrite(fd, data, size, offset);
}
ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  return do_write(fd, pieces, count, offset);
}
ssize_t pwritev64(int fd, const iovec* pieces, int count, off_t offset) {
  return do_write(fd, pieces, count, offset);
}

// LMDB seeks and then writes; one thread uses that descriptor so.
ssize_t writev(int fd, const iovec* pieces, int count) {
  if (!recording.load(std::memory_order_acquire) && !faulty.load(std::memory_order_relaxed)) {
    return ::syscall(SYS_writev, fd, pieces, count);
  }
  const off_t offset = ::lseek(fd, 0, SEEK_CUR);
  if (offset < 0) return ::syscall(SYS_writev, fd, pieces, count);
  const ssize_t n = do_write(fd, pieces, count, offset);
  if (n > 0) ::lseek(fd, offset + n, SEEK_SET);
  return n;
}

int fdatasync(int fd) {
  return do_sync(fd, [fd] { return static_cast<int>(::syscall(SYS_fdatasync, fd)); });
}
int fsync(int fd) {
  return do_sync(fd, [fd] { return static_cast<int>(::syscall(SYS_fsync, fd)); });
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  if (faulty.load(std::memory_order_relaxed)) {
    std::uint64_t allowed = 0;
    const int error = judge(faults::Call::kExtend, fd, static_cast<std::uint64_t>(offset),
                            static_cast<std::uint64_t>(size), &allowed);
    if (error != 0) {
      errno = error;
      return -1;
    }
  }
  return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, size));
}
int fallocate64(int fd, int mode, off_t offset, off_t size) {
  return fallocate(fd, mode, offset, size);
}

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = static_cast<mode_t>(va_arg(arguments, int));
    va_end(arguments);
  }
  return do_open(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = static_cast<mode_t>(va_arg(arguments, int));
    va_end(arguments);
  }
  return do_open(path, flags, mode);
}

int rename(const char* from, const char* to) noexcept {
  if (!recording.load(std::memory_order_acquire)) {
    return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
  }
  State& s = state();
  std::lock_guard lock(s.mutex);
  const int rc = static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
  char real[4096];
  if (rc != 0 || ::realpath(to, real) == nullptr) return rc;
  Op op;
  op.kind = OpKind::kRename;
  op.new_name = name_in(real, s.directory);
  if (op.new_name.empty()) return rc;
  op.name = std::string(from).substr(std::string(from).rfind('/') + 1);
  op.file = s.names.at(op.name);
  s.names.erase(op.name);
  s.names[op.new_name] = op.file;
  s.ops.push_back(std::move(op));
  return rc;
}

int unlink(const char* path) noexcept {
  if (!recording.load(std::memory_order_acquire)) {
    return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  }
  State& s = state();
  std::lock_guard lock(s.mutex);
  char real[4096];
  std::string name;
  if (::realpath(path, real) != nullptr) name = name_in(real, s.directory);
  const int rc = static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  if (rc != 0 || name.empty()) return rc;
  Op op;
  op.kind = OpKind::kUnlink;
  op.name = name;
  s.names.erase(name);
  s.ops.push_back(std::move(op));
  return rc;
}

// The engine neither maps for writing nor truncates what it records; if it ever does, the simulator must
// learn it.
int msync(void*, size_t, int) {
  std::fprintf(stderr, "msync is not modelled\n");
  std::abort();
}

}  // extern "C"
