// What an evaluation needs to know about the query it belongs to.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "datum/datum.hpp"
#include "reql/engine.hpp"
#include "reql/query.hpp"
#include "reql/suspend.hpp"

namespace reqld::reql {

class Profile;
class Program;

/// How much one batch of a stream may hold.
struct BatchLimits {
  std::size_t max_rows = 1u << 20;
  std::size_t max_bytes = 1u << 20;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

/// Global optional arguments of `run`.
struct GlobalOptions {
  std::size_t array_limit = 100000;
  std::size_t min_batch_rows = 8;
  std::size_t max_batch_rows = 0;  ///< 0: not limited by rows
  std::size_t max_batch_bytes = 1u << 20;
  double max_batch_seconds = 0.5;
  double first_batch_scaledown = 4;
  bool profile = false;
  bool noreply = false;
};

/// Set once from any thread; whoever waits is told.
class Cancellation {
 public:
  enum class By : std::uint8_t {
    kNobody,
    kClient,     ///< STOP, or the connection is gone
    kJobsTable,  ///< somebody deleted the query's row in `jobs`
  };

  bool requested() const { return by() != By::kNobody; }
  By by() const { return by_.load(std::memory_order_relaxed); }
  /// Marks it, unless that has happened, and calls the present listener once.
  void request(By by);
  /// `listener` is called by `request` (at once when that has happened already) until cleared. One at a time. A cleared
  /// listener is not running any more when `clear_listener` returns.
  void set_listener(std::function<void()> listener);
  void clear_listener();

 private:
  std::atomic<By> by_{By::kNobody};
  std::mutex mutex_;
  std::function<void()> listener_;
};

/// One per running query (and one per job on the writer thread, without a suspender). Not thread-safe.
class Context {
 public:
  Context(Engine& engine, const ClientInfo& client) : engine_(&engine), client_(&client) {}
  /// For evaluating a deterministic function of `program` outside any query, on a thread of storage's, or
  /// below a query, where an index is read: no tables, no waiting.
  static Context detached(const Program& program);

  /// Throws an internal error in a detached context.
  Engine& engine() const;
  const ClientInfo& client() const { return *client_; }
  storage::Database& database() const { return engine().database(); }

  GlobalOptions options;
  Program const* program = nullptr;
  /// Null on the writer thread: nothing there may wait.
  Suspender* suspender = nullptr;
  Cancellation* cancellation = nullptr;
  /// Null unless the query is profiled.
  Profile* profile = nullptr;
  /// The lowest address the stack may reach; deeper recursion ends the query.
  const char* stack_limit = nullptr;
  /// r.now(): the same all through a query.
  Datum now;

  /// The query begins to run (again): from here its time on the thread counts.
  void begin_turn() { running_since_ = {}; }

  /// At loop boundaries of long work: ends the query when it was cancelled, lets others run. Cheap.
  void check_in();

  /// The suspender; throws an internal error where nothing may wait.
  Suspender& waiting();

  BatchLimits batch_limits(bool first) const;

 private:
  Context();

  void make_room();

  unsigned checks_ = 0;
  std::chrono::steady_clock::time_point running_since_{};  ///< unset: not looked at yet
  Engine* engine_;
  const ClientInfo* client_;
};

/// The lowest address that a recursion may reach on the calling thread: on the stack of the query that runs
/// there, else on the thread's own.
const char* current_stack_limit();
/// From here on the calling thread runs on a query's stack, which may be used down to `limit`; null: on its
/// own.
void set_query_stack_limit(const char* limit);

/// Throws the recorded RESOURCE_LIMIT error when an array of `size` is longer than `array_limit` allows.
void check_array_size(const Context& cx, std::size_t size);
/// The same for every array inside a value that came from outside (r.json, r.http).
void check_array_sizes(const Context& cx, const Datum& d);

}  // namespace reqld::reql
