#include "http_fetch/worker.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <system_error>

namespace reqld::http_fetch {
namespace {

constexpr int kMaxEvents = 128;
constexpr std::size_t kMaxSpareEasies = 128;

}  // namespace

Inbox::~Inbox() {
  ::close(wake_fd_);
}

void Inbox::wake_locked() {
  if (awake_) return;
  awake_ = true;
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(wake_fd_, &one, sizeof(one));
}

std::unique_ptr<Transfer> Inbox::put(std::unique_ptr<Transfer> transfer) {
  std::lock_guard lock(mutex_);
  if (closed_) return transfer;
  contents_.transfers.push_back(std::move(transfer));
  wake_locked();
  return nullptr;
}

void Inbox::cancel(std::uint64_t id) {
  std::lock_guard lock(mutex_);
  contents_.cancels.push_back(id);
  wake_locked();
}

void Inbox::stop() {
  std::lock_guard lock(mutex_);
  contents_.stop = true;
  wake_locked();
}

Inbox::Contents Inbox::take() {
  std::lock_guard lock(mutex_);
  awake_ = false;
  return std::exchange(contents_, {});
}

Inbox::Contents Inbox::take_last() {
  std::lock_guard lock(mutex_);
  closed_ = contents_.transfers.empty();
  return std::exchange(contents_, {});
}

Worker::Worker(const Options& options, SharedCounters& counters)
    : options_(options),
      counters_(counters),
      around_{options},
      admission_(std::max<std::size_t>(1, options.max_in_flight / static_cast<std::size_t>(options.threads)),
                 std::max<std::size_t>(
                     1, options.max_in_flight_per_host / static_cast<std::size_t>(options.threads))) {
  around_.max_buffered_bytes = options.max_buffered_bytes / static_cast<std::uint64_t>(options.threads);
}

std::unique_ptr<Worker> Worker::start(const Options& options, SharedCounters& counters) {
  std::unique_ptr<Worker> worker(new Worker(options, counters));
  if (!worker->open()) return nullptr;
  try {
    worker->thread_ = std::thread([w = worker.get()] { w->run(); });
  } catch (const std::system_error&) {
    return nullptr;
  }
  return worker;
}

bool Worker::open() {
  int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) return false;
  inbox_ = std::make_shared<Inbox>(wake_fd);
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0) return false;
  epoll_event event{.events = EPOLLIN, .data = {.fd = wake_fd}};
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd, &event) != 0) return false;
  multi_ = curl_multi_init();
  if (!multi_) return false;
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Worker::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Worker::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  return true;
}

Worker::~Worker() {
  if (thread_.joinable()) {
    stop();
    join();
  }
  for (CURL* easy : spare_easies_) curl_easy_cleanup(easy);
  if (multi_) curl_multi_cleanup(multi_);
  if (epoll_fd_ >= 0) ::close(epoll_fd_);
}

std::unique_ptr<Transfer> Worker::add(std::unique_ptr<Transfer> transfer) {
  load_.fetch_add(1, std::memory_order_relaxed);
  return inbox_->put(std::move(transfer));
}

void Worker::run() {
  // Signals are for the main thread; and OpenSSL may write to a closed connection, which must not raise
  // SIGPIPE.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), "http_fetch");
  while (!stopping_) {
    wait_and_dispatch();
    // What completes lets others start, which libcurl does in a timer that is due at once.
    do {
      run_due_timer();
      reap();
      start_ready();
      limit_connections();
    } while (timer_ && *timer_ <= Clock::now());
    expire_waiting();
    publish_counters();
  }
  cancel_all();
}

void Worker::wait_and_dispatch() {
  std::optional<Clock::time_point> until = timer_;
  if (auto waiting = admission_.earliest_deadline(); waiting && (!until || *waiting < *until))
    until = waiting;
  int timeout_ms = -1;
  if (until) {
    // Rounded up: waking early would only spin until it is due.
    auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now());
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
  }
  epoll_event events[kMaxEvents];
  int count = epoll_wait(epoll_fd_, events, kMaxEvents, timeout_ms);
  for (int i = 0; i < count; ++i) {
    int fd = events[i].data.fd;
    if (fd == inbox_->wake_fd()) {
      take_inbox();
      continue;
    }
    // An earlier event of this round may have made libcurl lose interest.
    if (registered(fd) == 0) continue;
    int mask = 0;
    if (events[i].events & (EPOLLIN | EPOLLHUP)) mask |= CURL_CSELECT_IN;
    if (events[i].events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
    if (events[i].events & EPOLLERR) mask |= CURL_CSELECT_ERR;
    int running = 0;
    curl_multi_socket_action(multi_, fd, mask, &running);
  }
}

void Worker::limit_connections() {
  // libcurl's limit counts the connections in use as well.
  std::size_t idle =
      std::max<std::size_t>(1, options_.max_idle_connections / static_cast<std::size_t>(options_.threads));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(idle + admission_.running()));
}

void Worker::run_due_timer() {
  if (!timer_ || *timer_ > Clock::now()) return;
  timer_.reset();
  int running = 0;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
}

void Worker::take_inbox() {
  std::uint64_t ignored;
  [[maybe_unused]] ssize_t got = ::read(inbox_->wake_fd(), &ignored, sizeof(ignored));
  Inbox::Contents contents = inbox_->take();
  for (std::unique_ptr<Transfer>& transfer : contents.transfers) {
    Transfer& added = *transfer;
    transfers_.emplace(added.id(), std::move(transfer));
    if (std::optional<Error> error = added.refuse()) {
      finish(added, std::move(*error));
    } else if (admission_.offer(added, authority(added.request().url))) {
      start(added);
    }
  }
  for (std::uint64_t id : contents.cancels) {
    auto found = transfers_.find(id);
    if (found != transfers_.end()) finish(*found->second, found->second->cancelled_error());
  }
  stopping_ = stopping_ || contents.stop;
}

void Worker::start(Transfer& transfer) {
  CURL* easy = take_easy();
  if (!easy) {
    finish(transfer, transfer.cancelled_error());
    return;
  }
  transfer.prepare(easy, around_);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &Worker::on_close_socket);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  if (!transfer.begin_attempt(Clock::now())) {
    finish(transfer, transfer.timeout_error());
    return;
  }
  curl_multi_add_handle(multi_, easy);
}

void Worker::start_ready() {
  while (Admission::Ticket* ticket = admission_.next()) start(static_cast<Transfer&>(*ticket));
}

void Worker::expire_waiting() {
  while (Admission::Ticket* ticket = admission_.expired(Clock::now())) {
    auto& transfer = static_cast<Transfer&>(*ticket);
    finish(transfer, transfer.timeout_error());
  }
}

void Worker::reap() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    CURLcode code = message->data.result;
    char* self = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
    auto& transfer = *reinterpret_cast<Transfer*>(self);
    Clock::time_point now = Clock::now();
    std::optional<Outcome> outcome = transfer.end_attempt(code, now);
    if (!outcome) {
      curl_multi_remove_handle(multi_, easy);
      if (transfer.begin_attempt(now)) {
        curl_multi_add_handle(multi_, easy);
        continue;
      }
      outcome = Outcome(transfer.timeout_error());
    }
    finish(transfer, std::move(*outcome));
  }
}

void Worker::finish(Transfer& transfer, Outcome outcome) {
  auto node = transfers_.extract(transfer.id());
  if (CURL* easy = transfer.easy()) {
    curl_multi_remove_handle(multi_, easy);
    give_back(easy);
  }
  admission_.remove(transfer);
  load_.fetch_sub(1, std::memory_order_relaxed);
  counters_.outstanding.fetch_sub(1, std::memory_order_relaxed);
  counters_.completed.fetch_add(1, std::memory_order_relaxed);
  transfer.complete(std::move(outcome));
}

void Worker::cancel_all() {
  // Callbacks may still submit: what they leave is taken and cancelled as well.
  while (true) {
    while (!transfers_.empty()) {
      Transfer& transfer = *transfers_.begin()->second;
      finish(transfer, transfer.cancelled_error());
    }
    Inbox::Contents late = inbox_->take_last();
    if (late.transfers.empty()) return;
    for (std::unique_ptr<Transfer>& transfer : late.transfers) {
      std::uint64_t id = transfer->id();
      transfers_.emplace(id, std::move(transfer));
    }
  }
}

CURL* Worker::take_easy() {
  if (spare_easies_.empty()) return curl_easy_init();
  CURL* easy = spare_easies_.back();
  spare_easies_.pop_back();
  return easy;
}

void Worker::give_back(CURL* easy) {
  if (spare_easies_.size() >= kMaxSpareEasies) {
    curl_easy_cleanup(easy);
    return;
  }
  // A reset forgets all options and credentials, but neither cookies nor TLS sessions; only the latter may be
  // shared.
  curl_easy_setopt(easy, CURLOPT_COOKIEFILE, nullptr);
  curl_easy_reset(easy);
  spare_easies_.push_back(easy);
}

void Worker::publish_counters() {
  if (around_.bytes_received == 0 && around_.connections_opened == 0) return;
  counters_.bytes_received.fetch_add(std::exchange(around_.bytes_received, 0), std::memory_order_relaxed);
  counters_.connections_opened.fetch_add(std::exchange(around_.connections_opened, 0),
                                         std::memory_order_relaxed);
}

std::uint32_t& Worker::registered(int fd) {
  auto index = static_cast<std::size_t>(fd);
  if (index >= registered_.size()) registered_.resize(std::max(index + 1, registered_.size() * 2));
  return registered_[index];
}

int Worker::on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void*) {
  auto& worker = *static_cast<Worker*>(self);
  std::uint32_t& events = worker.registered(fd);
  std::uint32_t wanted = 0;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) wanted |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) wanted |= EPOLLOUT;
  char* transfer = nullptr;
  if (wanted != 0 && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer) == CURLE_OK && transfer) {
    reinterpret_cast<Transfer*>(transfer)->on_socket_used(fd);
  }
  if (wanted == 0 && events == 0) return 0;
  epoll_event event{.events = wanted, .data = {.fd = fd}};
  int operation = wanted == 0 ? EPOLL_CTL_DEL : events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(worker.epoll_fd_, operation, fd, &event) != 0 && operation == EPOLL_CTL_MOD) {
    // libcurl's own descriptors (of its resolver) come and go without a word; this is another one of that
    // number.
    epoll_ctl(worker.epoll_fd_, EPOLL_CTL_ADD, fd, &event);
  }
  events = wanted;
  return 0;
}

int Worker::on_timer(CURLM*, long timeout_ms, void* self) {
  auto& worker = *static_cast<Worker*>(self);
  if (timeout_ms < 0) {
    worker.timer_.reset();
  } else {
    worker.timer_ = Clock::now() + std::chrono::milliseconds(timeout_ms);
  }
  return 0;
}

int Worker::on_close_socket(void* self, curl_socket_t fd) {
  auto& worker = *static_cast<Worker*>(self);
  auto user = worker.transfers_.find(worker.around_.kept.forget(fd));
  if (user != worker.transfers_.end()) user->second->on_kept_socket_closing(fd);
  worker.registered(fd) = 0;
  return ::close(fd);
}

}  // namespace reqld::http_fetch
