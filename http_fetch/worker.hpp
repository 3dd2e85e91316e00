// One pool thread: an epoll loop around a curl_multi. Internal to http_fetch.
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "http_fetch/admission.hpp"
#include "http_fetch/fetcher.hpp"
#include "http_fetch/transfer.hpp"

namespace reqld::http_fetch {

/// What other threads leave for a worker. Thread-safe.
class Inbox {
 public:
  struct Contents {
    std::vector<std::unique_ptr<Transfer>> transfers;
    std::vector<std::uint64_t> cancels;  ///< each after its transfer
    bool stop = false;
  };

  explicit Inbox(int wake_fd) : wake_fd_(wake_fd) {}
  ~Inbox();
  /// Gives the transfer back when the worker has ended.
  std::unique_ptr<Transfer> put(std::unique_ptr<Transfer> transfer);
  void cancel(std::uint64_t id);
  void stop();
  Contents take();
  /// As take(); when it was empty nothing is accepted any more.
  Contents take_last();
  int wake_fd() const { return wake_fd_; }

 private:
  void wake_locked();

  const int wake_fd_;
  std::mutex mutex_;
  Contents contents_;
  bool closed_ = false;
  bool awake_ = false;  ///< the worker has been told since its last take()
};

/// Shared by all threads of a Fetcher.
struct SharedCounters {
  std::atomic<std::size_t> outstanding{0};
  std::atomic<std::uint64_t> submitted{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> completed{0};
  std::atomic<std::uint64_t> connections_opened{0};
  std::atomic<std::uint64_t> bytes_received{0};
};

class Worker {
 public:
  /// Null when the system refuses a descriptor or a thread. `options` and `counters` must outlive it.
  static std::unique_ptr<Worker> start(const Options& options, SharedCounters& counters);
  ~Worker();
  /// Lets the thread end all requests with kCancelled and then itself. Any thread.
  void stop() { inbox_->stop(); }
  /// Waits for that.
  void join() { thread_.join(); }

  const std::shared_ptr<Inbox>& inbox() const { return inbox_; }
  /// Requests given to it and not complete.
  std::size_t load() const { return load_.load(std::memory_order_relaxed); }
  /// Gives the transfer back when the worker has ended. Any thread.
  std::unique_ptr<Transfer> add(std::unique_ptr<Transfer> transfer);

 private:
  Worker(const Options& options, SharedCounters& counters);
  bool open();

  void run();
  void take_inbox();
  void wait_and_dispatch();
  void run_due_timer();
  void start_ready();
  void limit_connections();
  void reap();
  void expire_waiting();
  void start(Transfer& transfer);
  void finish(Transfer& transfer, Outcome outcome);
  void cancel_all();
  CURL* take_easy();
  void give_back(CURL* easy);
  void publish_counters();

  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* socket_data);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  static int on_close_socket(void* self, curl_socket_t fd);

  /// The events that epoll watches for libcurl on a descriptor; 0: none.
  std::uint32_t& registered(int fd);

  const Options& options_;
  SharedCounters& counters_;
  std::atomic<std::size_t> load_{0};
  std::shared_ptr<Inbox> inbox_;
  std::thread thread_;

  // The rest belongs to the thread.
  CURLM* multi_ = nullptr;
  int epoll_fd_ = -1;
  bool stopping_ = false;
  Surroundings around_;
  Admission admission_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Transfer>> transfers_;
  std::optional<Clock::time_point> timer_;
  std::vector<std::uint32_t> registered_;
  std::vector<CURL*> spare_easies_;
};

}  // namespace reqld::http_fetch
