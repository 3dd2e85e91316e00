// One token in use: its query, and where it stands between START and its last reply.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "reql/query.hpp"
#include "server/coroutine.hpp"
#include "server/event_loop.hpp"

namespace reqld::server {

class Reactor;
class Session;

/// Belongs to its session; the `wake` functions handed to queries keep the bare object alive beyond that, and
/// the reactor's thread with it.
/// Unless it says otherwise, a member is for the reactor's thread.
class Task final : public Job, public Message {
 public:
  enum class State : std::uint8_t {
    kRunning,   ///< on a coroutine
    kIdle,      ///< has answered a partial; waits for CONTINUE
    kWaiting,   ///< CONTINUE is there, the query has nothing to say yet: no coroutine
    kDeferred,  ///< could go on, but the connection's output is full
  };

  Task(Session& session, Reactor& reactor, std::uint64_t token, std::unique_ptr<reql::Query> query,
       std::uint64_t order)
      : session_(&session), reactor_(reactor), token_(token), order_(order), query_(std::move(query)) {}

  std::uint64_t token() const { return token_; }
  /// Counts the STARTs of the connection.
  std::uint64_t order() const { return order_; }
  reql::Query& query() { return *query_; }
  reql::Reply& reply() { return reply_; }

  /// Asks the query whether it could go on; when not, Session::task_woken is called later.
  bool ready();

  /// Has Session::task_woken called from the loop, soon.
  void wake();

  /// The session is done with it. The query is destroyed now, the task itself when no one can wake it any
  /// more.
  void release();

  State state = State::kRunning;
  bool listed = false;          ///< in the session's table
  std::uint32_t continues = 0;  ///< CONTINUEs that wait behind the one under way
  std::uint32_t stops = 0;      ///< STOPs that wait for the run under way to end

  // Job
  void run(reql::Suspender& suspender) override;
  void finished() override;

 private:
  class Reference;

  ~Task();
  void deliver() override;
  void unreference();

  Session* session_;  ///< null once released
  Reactor& reactor_;
  std::uint64_t token_;
  std::uint64_t order_;
  std::unique_ptr<reql::Query> query_;
  reql::Reply reply_;
  bool started_ = false;
  bool outlives_session_ = false;  ///< counted by the reactor
  std::atomic<bool> posted_{false};
  std::atomic<std::uint32_t> references_{1};
};

}  // namespace reqld::server
