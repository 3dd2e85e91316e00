// A non-blocking file descriptor whose readiness a loop watches. It does no reading or writing itself, so an
// idle connection needs no buffer.
#pragma once

#include <cstdint>

#include "server/event_loop.hpp"

namespace reqld::server {

class FdObserver {
 public:
  /// `alive` is false when the wait ended without success: because of close(), or because the system has no
  /// room to watch one more descriptor.
  virtual void on_readable(bool alive) = 0;
  virtual void on_writable(bool alive) = 0;

 protected:
  ~FdObserver() = default;
};

/// Owns the descriptor. All members on the loop's thread.
class WatchedFd final : private Message {
 public:
  WatchedFd(EventLoop& loop, int fd);
  ~WatchedFd();

  int fd() const { return fd_; }

  /// One call of on_readable later, from the loop, never from within; a broken connection counts as readable
  /// and writable. At most one wait of each kind at a time; this and `observer` must live until the call.
  void wait_readable(FdObserver& observer);
  void wait_writable(FdObserver& observer);

  /// Waits under way end with `alive` false, later.
  void close();
  bool is_open() const { return fd_ >= 0; }

 private:
  friend class EventLoop;

  void ready(std::uint32_t events);
  bool watch(std::uint32_t events);
  void end_waits_later();
  void deliver() override;

  EventLoop& loop_;
  FdObserver* reader_ = nullptr;  ///< who waits
  FdObserver* writer_ = nullptr;
  std::uint32_t watched_events_ = 0;  ///< what the loop has been told to watch for
  int fd_;
  bool ending_waits_ = false;
};

}  // namespace reqld::server
