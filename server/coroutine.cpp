#include "server/coroutine.hpp"

#include <cxxabi.h>

#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>
#include <cstring>
#include <utility>

#include "server/stack.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REQLD_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define REQLD_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define REQLD_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define REQLD_TSAN 1
#endif
#ifdef REQLD_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef REQLD_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace reqld::server {
namespace {

namespace context = boost::context;

#if defined(REQLD_ASAN) || defined(REQLD_TSAN)
constexpr std::size_t kStackScale = 4;  // instrumented frames are several times larger
#else
constexpr std::size_t kStackScale = 1;
#endif

/// The stack belongs to Context: Boost is not to free it.
struct BorrowedStack {
  context::stack_context allocate() { return {}; }
  void deallocate(context::stack_context&) {}
};

/// What the C++ runtime keeps per thread about exceptions being handled. It belongs to the execution, not to
/// the thread.
struct ExceptionState {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};
static_assert(sizeof(ExceptionState) == 16);

}  // namespace

struct Coroutine::Context {
  Stack stack;
  context::fiber self;    ///< while it is suspended
  context::fiber caller;  ///< while it runs
  ExceptionState exceptions;
  bool quit = false;
#ifdef REQLD_ASAN
  void* self_fake_stack = nullptr;
  void* caller_fake_stack = nullptr;
  const void* caller_bottom = nullptr;
  std::size_t caller_bytes = 0;
#endif
#ifdef REQLD_TSAN
  void* self_tsan = __tsan_create_fiber(0);
  void* caller_tsan = nullptr;
  ~Context() {
    __tsan_destroy_fiber(self_tsan);
  }
#endif
};

std::unique_ptr<Coroutine> Coroutine::create(EventLoop& home, WorkerPool& pool, CoroutineOwner& owner) {
  Stack stack = Stack::map(kStackBytes * kStackScale);
  if (!stack) return nullptr;
  std::unique_ptr<Coroutine> coroutine(new Coroutine(home, pool, owner));
  Coroutine& c = *coroutine;
  c.context_->stack = std::move(stack);
  const Stack& s = c.context_->stack;
#ifdef REQLD_ASAN
  // A thread that had its stack here may have left marks of its last frames.
  ASAN_UNPOISON_MEMORY_REGION(s.bottom(), s.usable_bytes());
#endif
  context::stack_context where;
  where.size = s.usable_bytes();
  where.sp = s.top();
  c.context_->self =
      context::fiber(std::allocator_arg, context::preallocated(where.sp, where.size, where), BorrowedStack(),
                     [&c](context::fiber&& caller) {
                       Context& own = *c.context_;
                       own.caller = std::move(caller);
#ifdef REQLD_ASAN
                       __sanitizer_finish_switch_fiber(nullptr, &own.caller_bottom, &own.caller_bytes);
#endif
                       while (!own.quit) {
                         c.job_->run(c);
                         c.leave(Exit::kFinished);
                       }
#ifdef REQLD_ASAN
                       __sanitizer_start_switch_fiber(nullptr, own.caller_bottom, own.caller_bytes);
#endif
#ifdef REQLD_TSAN
                       __tsan_switch_to_fiber(own.caller_tsan, 0);
#endif
                       return std::move(own.caller);
                     });
  return coroutine;
}

Coroutine::Coroutine(EventLoop& home, WorkerPool& pool, CoroutineOwner& owner)
    : home_(home), pool_(pool), owner_(owner), context_(std::make_unique<Context>()) {}

Coroutine::~Coroutine() {
  // One that never ran unwinds by itself; one that waits for its next job is told to return.
  context_->quit = true;
  if (context_->self) enter();
}

void Coroutine::begin(Job& job) {
  job_ = &job;
  on_pool_ = false;
  resume();
}

void Coroutine::begin_on_pool(Job& job) {
  job_ = &job;
  on_pool_ = true;
  enqueue();
}

void Coroutine::resume() {
  for (;;) {
    enter();
    switch (exit_) {
      case Exit::kFinished:
        if (on_pool_) {
          home_.post(*this);
        } else {
          finish();
        }
        return;
      case Exit::kParked: {
        // Whoever comes second of this thread and the one that calls wake() makes it go on.
        const Wait before = wait_.exchange(Wait::kParked, std::memory_order_acq_rel);
        if (before == Wait::kResumed) continue;
        return;
      }
      case Exit::kGathered:
        owner_.gathered(*this, *next_row_);
        return;
      case Exit::kToPool:
      case Exit::kYielded:
        enqueue();
        return;
    }
  }
}

void Coroutine::finish() {
  Job* const job = std::exchange(job_, nullptr);
  owner_.coroutine_free(*this);
  job->finished();
}

void Coroutine::deliver() {
  if (exit_ == Exit::kFinished) {
    finish();
  } else {
    resume();
  }
}

void Coroutine::enqueue() {
  if (on_pool_) {
    pool_.push(*this);
  } else {
    home_.post(*this);
  }
}

void Coroutine::wake() {
  if (wait_.exchange(Wait::kResumed, std::memory_order_acq_rel) == Wait::kParked) enqueue();
}

void Coroutine::await(const std::function<void(std::function<void()> resume)>& start) {
  wait_.store(Wait::kStarting, std::memory_order_relaxed);
  start([this] { wake(); });
  // Answered at once: no need to switch.
  if (wait_.load(std::memory_order_acquire) != Wait::kResumed) leave(Exit::kParked);
}

void Coroutine::move_to_pool() {
  if (on_pool_) return;
  on_pool_ = true;
  leave(Exit::kToPool);
}

void Coroutine::gather(const storage::RowPlace& row) {
  if (on_pool_ || !owner_.gathers()) return;
  next_row_ = &row;
  leave(Exit::kGathered);
}

const char* Coroutine::stack_floor() const {
  return static_cast<const char*>(context_->stack.bottom());
}

void Coroutine::yield() {
  if (on_pool_ && pool_.idle()) return;
  leave(Exit::kYielded);
}

namespace {

/// Somebody's share of a query's work.
class SharedWork final : public PoolTask {
 public:
  SharedWork(WorkerPool& pool, std::function<bool()> turn) : pool_(pool), turn_(std::move(turn)) {}

  void run_on_pool() override {
    do {
      if (turn_()) continue;
      delete this;
      return;
    } while (pool_.idle());
    pool_.push(*this);
  }

 private:
  WorkerPool& pool_;
  const std::function<bool()> turn_;
};

}  // namespace

void Coroutine::share(std::function<bool()> turn) { pool_.push(*new SharedWork(pool_, std::move(turn))); }

// Nothing thread-local may be cached across the switch on the coroutine's side; here, on the thread's side,
// it may.
void Coroutine::enter() {
  Context& own = *context_;
  ExceptionState thread_state;
  auto* const globals = abi::__cxa_get_globals();
  std::memcpy(&thread_state, static_cast<void*>(globals), sizeof thread_state);
  std::memcpy(static_cast<void*>(globals), &own.exceptions, sizeof thread_state);
#ifdef REQLD_ASAN
  __sanitizer_start_switch_fiber(&own.caller_fake_stack, own.stack.bottom(), own.stack.usable_bytes());
#endif
#ifdef REQLD_TSAN
  own.caller_tsan = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(own.self_tsan, 0);
#endif
  own.self = std::move(own.self).resume();
#ifdef REQLD_ASAN
  __sanitizer_finish_switch_fiber(own.caller_fake_stack, nullptr, nullptr);
#endif
  std::memcpy(&own.exceptions, static_cast<void*>(globals), sizeof thread_state);
  std::memcpy(static_cast<void*>(globals), &thread_state, sizeof thread_state);
}

void Coroutine::leave(Exit exit) {
  Context& own = *context_;
  exit_ = exit;
#ifdef REQLD_ASAN
  __sanitizer_start_switch_fiber(&own.self_fake_stack, own.caller_bottom, own.caller_bytes);
#endif
#ifdef REQLD_TSAN
  __tsan_switch_to_fiber(own.caller_tsan, 0);
#endif
  own.caller = std::move(own.caller).resume();
#ifdef REQLD_ASAN
  __sanitizer_finish_switch_fiber(own.self_fake_stack, &own.caller_bottom, &own.caller_bytes);
#endif
}

}  // namespace reqld::server
