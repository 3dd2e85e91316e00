// A non-blocking file descriptor whose readiness a loop watches. It does no reading or writing itself, so an
// idle connection needs no buffer.
#pragma once

#include <memory>

#include "server/event_loop.hpp"

namespace reqld::server {

class FdObserver {
 public:
  /// `alive` is false when the wait ended because of close().
  virtual void on_readable(bool alive) = 0;
  virtual void on_writable(bool alive) = 0;

 protected:
  ~FdObserver() = default;
};

/// Owns the descriptor. All members on the loop's thread.
class WatchedFd {
 public:
  WatchedFd(EventLoop& loop, int fd);
  ~WatchedFd();

  int fd() const { return fd_; }

  /// One call of on_readable later, from the loop, never from within. At most one wait at a time; `observer`
  /// must live until the call.
  void wait_readable(FdObserver& observer);
  void wait_writable(FdObserver& observer);

  /// Waits under way end with `alive` false, later.
  void close();
  bool is_open() const { return fd_ >= 0; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int fd_;
};

}  // namespace reqld::server
