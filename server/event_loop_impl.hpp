// The Asio side of EventLoop; only event_loop.cpp and watched_fd.cpp include it.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "server/event_loop.hpp"

namespace reqld::server {

struct EventLoop::Impl {
  // One thread runs it; others only post, which stays safe with this hint.
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
};

}  // namespace reqld::server
