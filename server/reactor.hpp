// A thread, its event loop, and what the connections on it share.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "protocol/handshake.hpp"
#include "protocol/output_queue.hpp"
#include "reql/query.hpp"
#include "server/coroutine.hpp"
#include "server/counters.hpp"
#include "server/event_loop.hpp"
#include "server/query_host.hpp"
#include "server/server_options.hpp"
#include "storage/database.hpp"

namespace reqld::server {

class Session;
class WorkerPool;

/// What is not marked otherwise is for its own thread.
class Reactor final : public CoroutineOwner {
 public:
  /// All references must outlive it.
  Reactor(unsigned index, const ServerOptions& options, QueryHost& host, WorkerPool& pool);
  ~Reactor();

  /// Starts the thread. Any thread.
  void start();
  /// Any thread. Sessions take no more queries and close when those under way have ended.
  void drain();
  /// Any thread. Closes every session and cancels its queries.
  void abort();
  /// Any thread. Ends the thread, which must have no sessions left, and nothing that is to come back.
  void join();

  /// Any thread. Serves a connected non-blocking socket.
  void adopt(int fd, reql::ClientInfo client);

  /// Any thread: sockets given to adopt() and not closed yet.
  std::size_t sessions() const { return session_count_.load(std::memory_order_acquire); }

  /// Any thread. What has left its session, yet will come back to this reactor once more (a `wake` of an
  /// ended query that somebody still holds, a key under verification), is counted, so that the thread
  /// outlives it.
  void expect_return() { outstanding_.fetch_add(1, std::memory_order_relaxed); }
  void returned() { outstanding_.fetch_sub(1, std::memory_order_release); }
  std::size_t outstanding() const { return outstanding_.load(std::memory_order_acquire); }

  EventLoop& loop() { return loop_; }
  const ServerOptions& options() const { return options_; }
  QueryHost& host() { return host_; }
  ReactorCounters& counters() { return counters_; }  ///< read by any thread
  const ReactorCounters& counters() const { return counters_; }
  const protocol::HandshakeOptions& handshake_options() const { return handshake_options_; }
  const protocol::CredentialsLookup& credentials_lookup() const { return credentials_lookup_; }
  std::string server_info() const;  ///< JSON of SERVER_INFO

  /// Where any session may read into: free again when it returns to the loop.
  std::span<char> scratch() { return {scratch_.get(), kScratchBytes}; }

  std::unique_ptr<protocol::OutputQueue> take_output();
  void give_back(std::unique_ptr<protocol::OutputQueue> output);

  /// A coroutine for one job; null when too many run already. It comes back by itself.
  Coroutine* take_coroutine();
  /// Begins a job that may read rows: here, or on the worker pool while such jobs often wait for the disk.
  void begin(Coroutine& coroutine, Job& job);

  /// Whether the session that is calling has more queries at hand than the one that it begins next.
  void set_more_queries(bool more) { more_queries_ = more; }

  /// Has Session::settle called at the end of this turn of the loop.
  void settle_later(Session& session);
  /// Has Session::tick called every now and then, until unwatch().
  void watch(Session& session);
  void unwatch(Session& session);

  void add(Session& session);
  void remove(Session& session);

  // CoroutineOwner
  void coroutine_free(Coroutine& coroutine) override;
  bool gathers() const override { return more_queries_ || !gathered_.empty() || loop_.more_ready(); }
  void gathered(Coroutine& coroutine, const storage::RowPlace& row) override;

 private:
  static constexpr std::size_t kScratchBytes = 128 * 1024;

  void end_turn();
  void read_gathered();
  void settle_sessions();
  void tick();

  const ServerOptions& options_;
  QueryHost& host_;
  WorkerPool& pool_;
  unsigned index_;
  EventLoop loop_;
  ReactorCounters counters_;
  protocol::HandshakeOptions handshake_options_;
  protocol::CredentialsLookup credentials_lookup_;
  std::unique_ptr<char[]> scratch_;
  std::vector<std::unique_ptr<protocol::OutputQueue>> idle_outputs_;
  std::vector<std::unique_ptr<Coroutine>> idle_coroutines_;
  std::size_t coroutines_ = 0;  ///< idle or not
  std::size_t max_coroutines_;
  unsigned jobs_begun_ = 0;
  bool more_queries_ = false;
  std::vector<Coroutine*> gathered_;
  std::vector<storage::RowPlace> gathered_rows_;  ///< what each of them will read
  std::vector<Coroutine*> resuming_;
  std::vector<Session*> sessions_;
  std::vector<Session*> settling_;
  std::vector<Session*> settling_now_;
  std::vector<Session*> watched_;
  bool ticking_ = false;
  bool stopping_ = false;
  std::atomic<std::size_t> session_count_{0};
  std::atomic<std::size_t> outstanding_{0};
  std::thread thread_;
};

}  // namespace reqld::server
