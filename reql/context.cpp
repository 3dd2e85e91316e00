#include "reql/context.hpp"

#include <pthread.h>

#include <algorithm>

#include "reql/error.hpp"
#include "reql/stack.hpp"

namespace reqld::reql {

void Cancellation::request(By by) {
  std::function<void()> listener;
  const std::lock_guard lock(mutex_);
  if (!requested()) by_.store(by);
  listener = std::move(listener_);
  listener_ = nullptr;
  if (listener) listener();
}

void Cancellation::set_listener(std::function<void()> listener) {
  const std::lock_guard lock(mutex_);
  if (requested()) {
    listener();
  } else {
    listener_ = std::move(listener);
  }
}

void Cancellation::clear_listener() {
  const std::lock_guard lock(mutex_);
  listener_ = nullptr;
}

namespace {
const ClientInfo kNobody;
}

Context::Context() : engine_(nullptr), client_(&kNobody) {}

Context Context::detached(const Program& program) {
  Context cx;
  cx.program = &program;
  cx.stack_limit = current_stack_limit();
  return cx;
}

Engine& Context::engine() const {
  if (!engine_) throw_internal("A function outside of a query uses the database.");
  return *engine_;
}

namespace {

thread_local const char* query_stack_limit = nullptr;

const char* thread_stack_limit() {
  thread_local const char* limit = [] {
    constexpr std::size_t kReserve = 128 * 1024;
    pthread_attr_t attributes;
    void* lowest = nullptr;
    std::size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return static_cast<const char*>(nullptr);
    pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    return static_cast<const char*>(lowest) + kReserve;
  }();
  return limit;
}

}  // namespace

const char* current_stack_limit() {
  return query_stack_limit ? query_stack_limit : thread_stack_limit();
}

void set_query_stack_limit(const char* limit) {
  query_stack_limit = limit;
}

void Context::check_in() {
  if (cancellation && cancellation->requested()) {
    const bool by_client = cancellation->by() == Cancellation::By::kClient;
    throw EvalError(ErrorCode::kInternal, by_client ? "Query terminated by a STOP or a closed connection."
                                                    : "Query terminated by the `rethinkdb.jobs` table.");
  }
  // Looking at the clock costs more than most of what happens between two calls.
  if (suspender && (++checks_ & 7) == 0) make_room();
}

// A query that runs for long leaves the thread that serves its connection, and then takes turns with others.
void Context::make_room() {
  constexpr std::chrono::milliseconds kTurn{5};
  const auto now_is = std::chrono::steady_clock::now();
  if (running_since_ == std::chrono::steady_clock::time_point{}) {
    running_since_ = now_is;
  } else if (now_is - running_since_ > kTurn) {
    suspender->move_to_pool();
    suspender->yield();
    running_since_ = std::chrono::steady_clock::now();
  }
}

Suspender& Context::waiting() {
  if (!suspender) throw_internal("Nothing may wait here.");
  return *suspender;
}

BatchLimits Context::batch_limits(bool first) const {
  const double scale = first ? std::max(1.0, options.first_batch_scaledown) : 1.0;
  BatchLimits limits;
  if (options.max_batch_rows > 0) {
    limits.max_rows = std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(options.max_batch_rows) / scale));
  }
  limits.max_bytes = std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(options.max_batch_bytes) / scale));
  if (options.max_batch_seconds > 0) {
    limits.deadline = std::chrono::steady_clock::now() +
                      std::chrono::microseconds(static_cast<std::int64_t>(options.max_batch_seconds * 1e6));
  }
  return limits;
}

void check_array_sizes(const Context& cx, const Datum& d) {
  // Every element takes a byte of the encoding: few values need a walk.
  if (d.encoded_size() <= cx.options.array_limit) return;
  check_stack(cx);
  if (d.is(Type::kArray)) {
    check_array_size(cx, d.array_size());
    for (std::size_t i = 0; i < d.array_size(); ++i) check_array_sizes(cx, d.at(i));
  } else if (d.is(Type::kObject)) {
    for (std::size_t i = 0; i < d.object_size(); ++i) check_array_sizes(cx, d.value_at(i));
  }
}

}  // namespace reqld::reql
