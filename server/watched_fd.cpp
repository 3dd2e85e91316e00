#include "server/watched_fd.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "server/event_loop_impl.hpp"

namespace reqld::server {

namespace asio = boost::asio;

struct WatchedFd::Impl {
  Impl(asio::io_context& io, int fd) : descriptor(io, fd) {}
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> descriptor;
};

WatchedFd::WatchedFd(EventLoop& loop, int fd) : impl_(std::make_unique<Impl>(loop.impl().io, fd)), fd_(fd) {}

WatchedFd::~WatchedFd() {
  close();
}

void WatchedFd::wait_readable(FdObserver& observer) {
  impl_->descriptor.async_wait(
      asio::posix::descriptor_base::wait_read,
      [&observer](const boost::system::error_code& error) { observer.on_readable(!error); });
}

void WatchedFd::wait_writable(FdObserver& observer) {
  impl_->descriptor.async_wait(
      asio::posix::descriptor_base::wait_write,
      [&observer](const boost::system::error_code& error) { observer.on_writable(!error); });
}

void WatchedFd::close() {
  if (fd_ < 0) return;
  boost::system::error_code ignored;
  impl_->descriptor.close(ignored);
  fd_ = -1;
}

}  // namespace reqld::server
