#include "server/task.hpp"

#include <exception>
#include <utility>

#include "protocol/response.hpp"
#include "server/log.hpp"
#include "server/reactor.hpp"
#include "server/session.hpp"

namespace reqld::server {
namespace {

reql::Reply internal_error(std::string_view what) {
  log::error("a query ended with an unexpected exception: {}", what);
  reql::Reply reply;
  reply.type = reql::ReplyType::kRuntimeError;
  reply.error = reql::ErrorCode::kInternal;
  protocol::append_json_string(reply.rows, "Internal error: " + std::string(what));
  return reply;
}

}  // namespace

/// Keeps the task, not the query, for a `wake` that a query still holds.
class Task::Reference {
 public:
  explicit Reference(Task& task) : task_(&task) { task.references_.fetch_add(1, std::memory_order_relaxed); }
  Reference(const Reference& other) : Reference(*other.task_) {}
  Reference(Reference&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  Reference& operator=(const Reference&) = delete;
  ~Reference() {
    if (task_ != nullptr) task_->unreference();
  }
  void operator()() const { task_->wake(); }

 private:
  Task* task_;
};

Task::~Task() {
  // The last that is done to the reactor: from here on the server may be gone.
  if (outlives_session_) reactor_.returned();
}

bool Task::ready() {
  return query_->ready(Reference(*this));
}

void Task::wake() {
  if (posted_.exchange(true, std::memory_order_acq_rel)) return;
  references_.fetch_add(1, std::memory_order_relaxed);
  reactor_.loop().post(*this);
}

void Task::deliver() {
  posted_.store(false, std::memory_order_release);
  if (session_ != nullptr) session_->task_woken(*this);
  unreference();
}

void Task::release() {
  session_ = nullptr;
  query_.reset();
  reply_ = {};
  // Whoever has a `wake` left may still call it; there are none that could become more when this is the last.
  if (references_.load(std::memory_order_acquire) != 1) {
    outlives_session_ = true;
    reactor_.expect_return();
  }
  unreference();
}

void Task::unreference() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void Task::run(reql::Suspender& suspender) {
  // Queries do not throw. If one does, it must end alone, not with the server.
  try {
    reply_ = started_ ? query_->next(suspender) : query_->start(suspender);
  } catch (const std::exception& error) {
    reply_ = internal_error(error.what());
  } catch (...) {
    reply_ = internal_error("not a std::exception");
  }
  started_ = true;
}

void Task::finished() {
  session_->task_finished(*this);
}

}  // namespace reqld::server
