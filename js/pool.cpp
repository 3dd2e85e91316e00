#include "js/pool.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "js/wire.hpp"

namespace reqld::js {

namespace {

using Clock = std::chrono::steady_clock;

// What a worker that watches its own time may take beyond it, before it is given up.
constexpr std::chrono::milliseconds kGrace{1000};
constexpr std::uint32_t kMaxReplyBytes = 256u << 20;

struct Request {
  Pool::Ticket ticket;
  std::string source;
  std::string arguments;
  bool is_call;
  std::chrono::milliseconds timeout;
  Pool::Callback callback;
};

// One worker process and our end of its socket. Used by one thread.
class Worker {
 public:
  explicit Worker(const Options& options) : options_(options) {}
  ~Worker() { stop(); }

  Result run(const Request& request) {
    if (fd_ < 0 && !start())
      return {Result::Kind::kError, "The JavaScript worker `" + options_.worker_path + "` does not start."};
    // From here on an interrupt finds the process; an earlier one has left word.
    if (interrupted_) {
      stop();
      return {Result::Kind::kError, "The JavaScript was interrupted."};
    }
    const Clock::time_point deadline = Clock::now() + request.timeout + kGrace;
    RequestHeader header{};
    header.timeout_ms = static_cast<std::uint32_t>(request.timeout.count());
    header.source_bytes = static_cast<std::uint32_t>(request.source.size());
    header.argument_bytes = static_cast<std::uint32_t>(request.arguments.size());
    header.is_call = request.is_call;
    ReplyHeader reply{};
    std::string text;
    const bool done = send(&header, sizeof header, deadline) &&
                      send(request.source.data(), request.source.size(), deadline) &&
                      send(request.arguments.data(), request.arguments.size(), deadline) &&
                      receive(&reply, sizeof reply, deadline) && reply.text_bytes <= kMaxReplyBytes &&
                      (text.resize(reply.text_bytes), receive(text.data(), text.size(), deadline));
    if (done) return {static_cast<Result::Kind>(reply.kind), std::move(text)};
    const bool late = Clock::now() >= deadline;
    stop();
    if (late) return {Result::Kind::kTimeout, {}};
    return {Result::Kind::kError,
            "The JavaScript worker ended unexpectedly (it may have run out of memory)."};
  }

  // From another thread: makes the run under way, or about to begin, return soon.
  void interrupt() {
    const std::lock_guard lock(process_mutex_);
    interrupted_ = true;
    if (pid_ > 0) kill(pid_, SIGKILL);
  }

  // Before a run, when no other thread knows of it yet.
  void allow() { interrupted_ = false; }

 private:
  bool start() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
    const std::string heap = std::to_string(options_.heap_bytes);
    const char* argv[] = {options_.worker_path.c_str(), heap.c_str(), nullptr};
    const char* environment[] = {nullptr};
    pid_t pid = 0;
    const int error = posix_spawn(&pid, options_.worker_path.c_str(), &actions, nullptr,
                                  const_cast<char**>(argv), const_cast<char**>(environment));
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
      close(ends[0]);
      return false;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fd_ = ends[0];
    const std::lock_guard lock(process_mutex_);
    pid_ = pid;
    return true;
  }

  void stop() {
    if (fd_ < 0) return;
    close(fd_);
    fd_ = -1;
    // Within the lock: nobody may kill what has taken over the number of a process that is gone.
    const std::lock_guard lock(process_mutex_);
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  bool wait_for(short events, Clock::time_point deadline) const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd p{fd_, events, 0};
    return left > 0 && poll(&p, 1, static_cast<int>(left)) > 0;
  }

  bool send(const void* data, std::size_t size, Clock::time_point deadline) const {
    const char* at = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t n = ::send(fd_, at, size, MSG_NOSIGNAL);
      if (n > 0) {
        at += n;
        size -= static_cast<std::size_t>(n);
      } else if (!(n < 0 && (errno == EAGAIN || errno == EINTR) && wait_for(POLLOUT, deadline))) {
        return false;
      }
    }
    return true;
  }

  bool receive(void* data, std::size_t size, Clock::time_point deadline) const {
    char* at = static_cast<char*>(data);
    while (size > 0) {
      const ssize_t n = ::recv(fd_, at, size, 0);
      if (n > 0) {
        at += n;
        size -= static_cast<std::size_t>(n);
      } else if (!(n < 0 && (errno == EAGAIN || errno == EINTR) && wait_for(POLLIN, deadline))) {
        return false;
      }
    }
    return true;
  }

  const Options& options_;
  int fd_ = -1;
  std::mutex process_mutex_;  // guards pid_
  pid_t pid_ = 0;
  std::atomic<bool> interrupted_{false};
};

}  // namespace

// A thread per worker: it blocks on its process, not on the server.
class Pool::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) {}

  ~Impl() {
    std::deque<Request> left;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      left.swap(queue_);
      for (const auto& slot : slots_) slot->worker.interrupt();
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    for (Request& request : left) request.callback({Result::Kind::kError, "The server is shutting down."});
  }

  Pool::Ticket submit(Request request) {
    {
      const std::lock_guard lock(mutex_);
      request.ticket = ++last_ticket_;
      if (!stopping_ && queue_.size() < options_.max_queued) {
        queue_.push_back(std::move(request));
        if (idle_ < queue_.size() && threads_.size() < options_.workers) add_thread();
        wake_.notify_one();
        return last_ticket_;
      }
    }
    request.callback({Result::Kind::kError, "Too much JavaScript is waiting to be run."});
    return request.ticket;
  }

  void cancel(Pool::Ticket ticket) {
    Pool::Callback callback;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& slot : slots_) {
        if (slot->running == ticket) return slot->worker.interrupt();
      }
      const auto waiting = std::find_if(queue_.begin(), queue_.end(),
                                        [&](const Request& request) { return request.ticket == ticket; });
      if (waiting == queue_.end()) return;
      callback = std::move(waiting->callback);
      queue_.erase(waiting);
    }
    callback({Result::Kind::kError, "The JavaScript was cancelled."});
  }

 private:
  struct Slot {
    explicit Slot(const Options& options) : worker(options) {}
    Worker worker;
    Pool::Ticket running = 0;  // 0: none
  };

  // With mutex_ held.
  void add_thread() {
    slots_.push_back(std::make_unique<Slot>(options_));
    threads_.emplace_back([this, slot = slots_.back().get()] { serve(*slot); });
  }

  void serve(Slot& slot) {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      --idle_;
      if (stopping_) return;
      Request request = std::move(queue_.front());
      queue_.pop_front();
      slot.running = request.ticket;
      slot.worker.allow();
      lock.unlock();
      Result result = slot.worker.run(request);
      // First no more of it here, so that a late cancel() does not hit the next one.
      lock.lock();
      slot.running = 0;
      lock.unlock();
      request.callback(std::move(result));
      lock.lock();
    }
  }

  const Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Request> queue_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  Pool::Ticket last_ticket_ = 0;
  bool stopping_ = false;
};

Pool::Pool(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Pool::~Pool() = default;

Pool::Ticket Pool::evaluate(std::string source, std::chrono::milliseconds timeout, Callback callback) {
  return impl_->submit({0, std::move(source), {}, false, timeout, std::move(callback)});
}

Pool::Ticket Pool::call(std::string source, std::string arguments, std::chrono::milliseconds timeout,
                        Callback callback) {
  return impl_->submit({0, std::move(source), std::move(arguments), true, timeout, std::move(callback)});
}

void Pool::cancel(Ticket ticket) {
  impl_->cancel(ticket);
}

}  // namespace reqld::js
