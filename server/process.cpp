#include "server/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace reqld::server {
namespace {

std::string failure(const std::string& what) {
  return what + ": " + std::strerror(errno) + ".";
}

sigset_t held_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

std::size_t raise_file_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

void keep_freed_memory() {
  constexpr int kLargestHeapBlockBytes = 32 << 20;  // the most that the library allows
  constexpr int kKeptBytesPerArena = 16 << 20;
  constexpr int kArenas = 8;  // a bound on what all of them keep together
  mallopt(M_MMAP_THRESHOLD, kLargestHeapBlockBytes);
  mallopt(M_TRIM_THRESHOLD, kKeptBytesPerArena);
  mallopt(M_ARENA_MAX, kArenas);
}

std::string change_user(const std::string& user, const std::string& group) {
  const passwd* entry = nullptr;
  gid_t gid = getgid();
  if (!user.empty()) {
    errno = 0;
    entry = getpwnam(user.c_str());
    if (entry == nullptr) return "There is no user '" + user + "' (--runuser).";
    gid = entry->pw_gid;
  }
  if (!group.empty()) {
    const ::group* const group_entry = getgrnam(group.c_str());
    if (group_entry == nullptr) return "There is no group '" + group + "' (--rungroup).";
    gid = group_entry->gr_gid;
  }
  // The other groups of whoever started it go too; without root there is nothing to give up, unless it is
  // somebody else.
  if (geteuid() == 0 && entry != nullptr && initgroups(entry->pw_name, gid) != 0)
    return failure("Cannot set the groups of '" + user + "'");
  if (gid != getgid() && setgid(gid) != 0)
    return failure("Cannot run with group '" + (group.empty() ? user : group) + "'");
  if (entry != nullptr && entry->pw_uid != getuid() && setuid(entry->pw_uid) != 0)
    return failure("Cannot run as user '" + user + "'");
  return {};
}

std::string write_file(const std::string& file_name, const std::string& text) {
  const std::string temporary = file_name + ".new";
  std::FILE* const file = std::fopen(temporary.c_str(), "we");
  if (file == nullptr) return failure("Cannot write '" + file_name + "'");
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = std::fclose(file) == 0;
  if (!written || !closed || std::rename(temporary.c_str(), file_name.c_str()) != 0) {
    const std::string error = failure("Cannot write '" + file_name + "'");
    std::remove(temporary.c_str());
    return error;
  }
  return {};
}

std::string go_to_background(std::function<void()>& ready) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return failure("Cannot go to the background");
  const pid_t child = fork();
  if (child < 0) return failure("Cannot go to the background");
  if (child > 0) {
    close(ends[1]);
    char byte = 0;
    ssize_t got;
    while ((got = read(ends[0], &byte, 1)) < 0 && errno == EINTR) {
    }
    _exit(got == 1 ? 0 : 1);
  }
  close(ends[0]);
  setsid();
  ready = [end = ends[1]] {
    // From now on nobody looks at the terminal.
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; ++fd) dup2(null, fd);
    close(null);
    [[maybe_unused]] const ssize_t written = write(end, "r", 1);
    close(end);
  };
  return {};
}

void hold_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = held_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

int wait_for_signal() {
  const sigset_t signals = held_signals();
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

void let_signals_kill() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

}  // namespace reqld::server
