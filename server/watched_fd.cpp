#include "server/watched_fd.hpp"

#include <unistd.h>

#include <utility>

namespace reqld::server {

// A descriptor stays watched when a wait has ended, since the next one mostly follows: a query costs no call to
// the system for it. It is watched for less once something was seen that nobody waits for.

WatchedFd::WatchedFd(EventLoop& loop, int fd) : loop_(loop), fd_(fd) {}

WatchedFd::~WatchedFd() {
  close();
}

void WatchedFd::wait_readable(FdObserver& observer) {
  reader_ = &observer;
  if (!watch(watched_events_ | EPOLLIN)) end_waits_later();
}

void WatchedFd::wait_writable(FdObserver& observer) {
  writer_ = &observer;
  if (!watch(watched_events_ | EPOLLOUT)) end_waits_later();
}

bool WatchedFd::watch(std::uint32_t events) {
  if (fd_ < 0) return false;
  if (events == watched_events_) return true;
  if (!loop_.watch(*this, fd_, watched_events_, events)) return false;
  watched_events_ = events;
  return true;
}

void WatchedFd::ready(std::uint32_t events) {
  const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;  // seen whether watched for or not
  const bool readable = reader_ != nullptr && (broken || (events & EPOLLIN) != 0);
  const bool writable = writer_ != nullptr && (broken || (events & EPOLLOUT) != 0);
  const std::uint32_t waited_for = (reader_ != nullptr ? EPOLLIN : 0u) | (writer_ != nullptr ? EPOLLOUT : 0u);
  if (waited_for == 0 || (events & watched_events_ & ~waited_for) != 0) watch(waited_for);
  if (readable) std::exchange(reader_, nullptr)->on_readable(true);
  // Not before this is sure to be there still, which it is as long as somebody waits.
  if (writable && fd_ >= 0) std::exchange(writer_, nullptr)->on_writable(true);
}

void WatchedFd::close() {
  if (fd_ < 0) return;
  if (watched_events_ != 0) loop_.forget(*this);
  ::close(std::exchange(fd_, -1));
  watched_events_ = 0;
  if (reader_ != nullptr || writer_ != nullptr) end_waits_later();
}

void WatchedFd::end_waits_later() {
  if (!std::exchange(ending_waits_, true)) loop_.post(*this);
}

void WatchedFd::deliver() {
  ending_waits_ = false;
  FdObserver* const writer = std::exchange(writer_, nullptr);
  if (reader_ != nullptr) std::exchange(reader_, nullptr)->on_readable(false);
  if (writer != nullptr) writer->on_writable(false);
}

}  // namespace reqld::server
