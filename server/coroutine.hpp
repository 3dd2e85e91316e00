// The stackful coroutine that runs one query at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

#include "reql/suspend.hpp"
#include "server/event_loop.hpp"
#include "server/worker_pool.hpp"

namespace reqld::server {

/// What a coroutine runs.
class Job {
 public:
  /// On the coroutine, maybe on changing threads. Must not throw.
  virtual void run(reql::Suspender& suspender) = 0;
  /// On the home loop's thread, after run() has returned and the coroutine is free again.
  virtual void finished() = 0;

 protected:
  ~Job() = default;
};

class Coroutine;

/// Who made a coroutine and gets it back.
class CoroutineOwner {
 public:
  /// On the home loop's thread, each time a job has ended, just before Job::finished. The owner may begin the
  /// next job on it later, or destroy it right here.
  virtual void coroutine_free(Coroutine& coroutine) = 0;

  /// Whether a job that is about to read a row should wait for others that are too. On the coroutine, on the home loop's
  /// thread.
  virtual bool gathers() const { return false; }
  /// It does, until the owner resumes it: within this turn of the loop. Only where gathers() said so; on the home loop's
  /// thread.
  virtual void gathered(Coroutine& /*coroutine*/, const storage::RowPlace& /*row*/) {}

 protected:
  ~CoroutineOwner() = default;
};

/// A stack with an execution on it. Reused: it runs one Job after the other. Belongs to a loop (its home),
/// where jobs begin and end; in between it may be on the worker pool.
class Coroutine final : public reql::Suspender, public Message, public PoolTask {
 public:
  static constexpr std::size_t kStackBytes = 1024 * 1024;

  /// Null when there is no memory for a stack. All three must outlive it.
  static std::unique_ptr<Coroutine> create(EventLoop& home, WorkerPool& pool, CoroutineOwner& owner);
  ~Coroutine();

  /// Runs `job` on the calling thread (the home loop's) until it ends or suspends. When it ends right away,
  /// finished() has been called on return.
  void begin(Job& job);

  /// Likewise, but has a worker run it: this returns at once.
  void begin_on_pool(Job& job);

  /// Goes on after a suspension. On the home loop or on a worker thread, as it was told.
  void resume();

  // reql::Suspender, called on the coroutine.
  void await(const std::function<void(std::function<void()> resume)>& start) override;
  void move_to_pool() override;
  void gather(const storage::RowPlace& row) override;
  const char* stack_floor() const override;
  void yield() override;
  bool can_share() const override { return on_pool_ && pool_.has_free_thread(); }
  void share(std::function<bool()> turn) override;

  // PoolTask
  void run_on_pool() override { resume(); }

 private:
  enum class Exit : unsigned char { kFinished, kParked, kGathered, kToPool, kYielded };
  enum class Wait : unsigned char { kStarting, kParked, kResumed };
  struct Context;

  Coroutine(EventLoop& home, WorkerPool& pool, CoroutineOwner& owner);

  void deliver() override;
  void enqueue();
  void finish();
  void wake();
  void enter();
  void leave(Exit exit);

  EventLoop& home_;
  WorkerPool& pool_;
  CoroutineOwner& owner_;
  std::unique_ptr<Context> context_;
  Job* job_ = nullptr;
  const storage::RowPlace* next_row_ = nullptr;  ///< while it waits in gather()
  std::atomic<Wait> wait_{Wait::kStarting};
  Exit exit_ = Exit::kFinished;
  bool on_pool_ = false;
};

}  // namespace reqld::server
