// How a running query waits without holding a thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace reqld::storage {
struct RowPlace;
}

namespace reqld::reql {

/// The execution context of one running query, as the evaluator sees it: direct-style code that can park.
/// The server implements it with a stackful coroutine, tests with a blocked thread.
/// All members are called on the thread that currently runs the query.
class Suspender {
 public:
  virtual ~Suspender() = default;

  /// Calls `start(resume)`, then parks the query until `resume()` is called; `resume` may be called from any
  /// thread, also from within `start`, exactly once. The query may continue on another thread than before:
  /// nothing thread-local may be carried across, and no exception may be in flight (never call it in a catch block).
  virtual void await(const std::function<void(std::function<void()> resume)>& start) = 0;

  /// Moves the query from its connection's reactor to the worker pool. Does nothing when it is there already.
  virtual void move_to_pool() = 0;

  /// The lowest address of the stack the query runs on: how deep an evaluation may recurse. Constant through the query's life.
  virtual const char* stack_floor() const = 0;

  /// The query will read `row` next. Where more queries of its thread are about to read one, it parks until all of them are
  /// there, so that their places in memory are waited for together. `row` must stay as it is until this returns.
  virtual void gather(const storage::RowPlace& /*row*/) {}

  /// Lets other work of the same thread run: for long evaluations, at batch boundaries.
  virtual void yield() = 0;

  /// Whether a thread has nothing to do that could take a share of the query's work. Any thread.
  virtual bool can_share() const { return false; }

  /// Has `turn` called on threads of the worker pool until it answers false, once at a time; others may have their turn in
  /// between. The query must not end before. Only after can_share(); any thread.
  virtual void share(std::function<bool()> turn) { while (turn()) {} }
};

/// Awaits one value that `start` hands to its callback.
template <typename T, typename Start>
T await_value(Suspender& suspender, Start&& start) {
  std::optional<T> value;
  suspender.await([&](std::function<void()> resume) {
    start([&value, resume = std::move(resume)](T v) {
      value.emplace(std::move(v));
      resume();
    });
  });
  return std::move(*value);
}

}  // namespace reqld::reql
