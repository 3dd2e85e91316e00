// The part of Session that deals with tokens: START, CONTINUE, STOP, NOREPLY_WAIT, SERVER_INFO.
#include <algorithm>
#include <limits>
#include <utility>

#include "protocol/envelope.hpp"
#include "server/coroutine.hpp"
#include "server/reactor.hpp"
#include "server/session.hpp"
#include "server/task.hpp"

namespace reqld::server {
namespace {

protocol::Response to_response(reql::Reply&& reply) {
  protocol::Response response;
  response.type = static_cast<std::uint8_t>(reply.type);
  response.error = static_cast<std::uint32_t>(reply.error);
  response.rows = std::move(reply.rows);
  response.notes = std::move(reply.notes);
  response.backtrace = std::move(reply.backtrace);
  response.profile = std::move(reply.profile);
  return response;
}

/// A copy that the parser can pad in place.
std::string with_room(std::string_view body) {
  std::string copy;
  copy.reserve(body.size() + reql::kQueryPaddingBytes);
  copy.append(body);
  return copy;
}

std::string token_text(std::uint64_t token) {
  return std::to_string(protocol::printable_token(token));
}

}  // namespace

/// `owned_body` is the string that `body` is the whole of, when there is one to take over.
void Session::dispatch(std::uint64_t token, std::string_view body, std::string* owned_body) {
  using protocol::QueryType;
  const protocol::Envelope envelope = protocol::read_envelope(body);
  switch (envelope.type) {
    case QueryType::kStart:
      start_query(token, owned_body != nullptr ? std::move(*owned_body) : with_room(body));
      break;
    case QueryType::kContinue:
      continue_query(token);
      break;
    case QueryType::kStop:
      stop_query(token);
      break;
    case QueryType::kNoreplyWait:
      noreply_wait(token);
      break;
    case QueryType::kServerInfo:
      server_info(token);
      break;
    case QueryType::kInvalid:
      client_error(token, envelope.client_error);
      break;
  }
  // Only one body is under way at a time: its memory is not kept for the next.
  if (owned_body != nullptr) *owned_body = {};
}

void Session::start_query(std::uint64_t token, std::string body) {
  reactor_.counters().queries.add();
  if (in_use(token)) return client_error(token, "ERROR: duplicate token " + token_text(token));
  if (tasks_.size() >= reactor_.options().max_open_per_connection) {
    return reply(token, protocol::error_response(
                            protocol::kRuntimeError, protocol::kResourceLimitError,
                            "Too many open cursors on this connection (the limit is " +
                                std::to_string(reactor_.options().max_open_per_connection) + ")."));
  }
  auto query = reactor_.host().make_query(client_, std::move(body));
  auto* const task = new Task(*this, reactor_, token, std::move(query), next_order_++);
  starting_ = task;
  begin(*task);
  // Most end right here, and are never in the table.
  if (std::exchange(starting_, nullptr) == task) {
    tasks_.insert(*task);
    task->listed = true;
    reactor_.counters().open_cursors.add();
  }
}

/// Runs the task's next step on a coroutine; ends in task_finished(), maybe before it returns.
void Session::begin(Task& task) {
  task.state = Task::State::kRunning;
  ++running_;
  reactor_.counters().running.add();
  hold();
  Coroutine* const coroutine = reactor_.take_coroutine();
  if (coroutine == nullptr) {
    task.reply() = {};
    task.reply().type = reql::ReplyType::kRuntimeError;
    task.reply().error = reql::ErrorCode::kResourceLimit;
    protocol::append_json_string(task.reply().rows,
                                 "The server runs too many queries already; try again later.");
    return task_finished(task);
  }
  reactor_.begin(*coroutine, task);
}

void Session::task_finished(Task& task) {
  --running_;
  reactor_.counters().running.sub();
  if (starting_ == &task) starting_ = nullptr;
  const bool answers = !task.query().noreply();
  const bool partial = task.reply().type == reql::ReplyType::kPartial;
  if (phase_ != Phase::kServing && phase_ != Phase::kDraining) {
    remove(task);
  } else if (task.stops > 0) {
    const std::uint64_t token = task.token();
    const std::uint32_t requests = (answers ? 1 : 0) + task.continues + task.stops;
    remove(task);
    for (std::uint32_t i = 0; i < requests; ++i) end_of_sequence(token);
  } else if (!answers || !partial) {
    const std::uint64_t token = task.token();
    const std::uint32_t continues = task.continues;
    if (answers) reply(token, to_response(std::move(task.reply())));
    // Nobody can fetch the rest of a stream that nobody has heard of.
    if (partial) task.query().cancel();
    remove(task);
    for (std::uint32_t i = 0; i < continues; ++i)
      client_error(token, "Token " + token_text(token) + " not in stream cache.");
  } else if (task.reply().idle && phase_ == Phase::kServing) {
    task.state = Task::State::kWaiting;
    task.wake();
  } else {
    if (!task.listed) {
      tasks_.insert(task);
      task.listed = true;
      reactor_.counters().open_cursors.add();
    }
    reply(task.token(), to_response(std::move(task.reply())));
    task.state = Task::State::kIdle;
    if (phase_ == Phase::kDraining) {
      task.query().cancel();
      remove(task);
    } else if (task.continues > 0) {
      --task.continues;
      task.state = Task::State::kWaiting;
      task.wake();
    }
  }
  if (!waits_.empty()) answer_waits();
  settle_later();
  let_go();
}

void Session::continue_query(std::uint64_t token) {
  reactor_.counters().continues.add();
  Task* const task = tasks_.find(token);
  if (task == nullptr) return client_error(token, "Token " + token_text(token) + " not in stream cache.");
  if (task->state == Task::State::kIdle) return proceed(*task);
  ++task->continues;
}

/// A CONTINUE is there: runs it, or waits until there is something to say.
void Session::proceed(Task& task) {
  if (output_full()) {
    task.state = Task::State::kDeferred;
    deferred_.push_back(&task);
    return;
  }
  task.state = Task::State::kWaiting;
  if (task.ready()) begin(task);
}

void Session::task_woken(Task& task) {
  if (task.state == Task::State::kWaiting && phase_ == Phase::kServing) proceed(task);
}

void Session::run_deferred() {
  for (Task* task : std::exchange(deferred_, {})) {
    // May be deferred again, when the ones before it have filled the output.
    if (task != nullptr) proceed(*task);
  }
}

void Session::stop_query(std::uint64_t token) {
  Task* const task = tasks_.find(token);
  if (task == nullptr) return client_error(token, "Token " + token_text(token) + " not in stream cache.");
  task->query().cancel();
  if (task->state == Task::State::kRunning) {
    ++task->stops;
    return;
  }
  // The CONTINUE under way and those behind it are answered first, then the STOP.
  const std::uint32_t requests = (task->state == Task::State::kIdle ? 0 : 1) + task->continues + 1;
  remove(*task);
  for (std::uint32_t i = 0; i < requests; ++i) end_of_sequence(token);
}

void Session::noreply_wait(std::uint64_t token) {
  if (in_use(token)) return client_error(token, "ERROR: duplicate token " + token_text(token));
  waits_.push_back({token, next_order_});
  answer_waits();
}

/// A waiting feed is no query that runs: it may go on for ever.
void Session::answer_waits() {
  std::uint64_t oldest_running = std::numeric_limits<std::uint64_t>::max();
  tasks_.for_each([&](const Task& task) {
    if (task.state == Task::State::kRunning) oldest_running = std::min(oldest_running, task.order());
  });
  std::erase_if(waits_, [&](const NoreplyWait& wait) {
    if (wait.before > oldest_running) return false;
    protocol::Response response;
    response.type = protocol::kWaitComplete;
    reply(wait.token, std::move(response));
    return true;
  });
}

void Session::server_info(std::uint64_t token) {
  if (in_use(token)) return client_error(token, "ERROR: duplicate token " + token_text(token));
  protocol::Response response;
  response.type = protocol::kServerInfo;
  response.rows = reactor_.server_info();
  reply(token, std::move(response));
}

void Session::remove(Task& task) {
  if (task.listed) {
    tasks_.erase(task.token());
    reactor_.counters().open_cursors.sub();
    if (task.state == Task::State::kDeferred)
      std::replace(deferred_.begin(), deferred_.end(), &task, static_cast<Task*>(nullptr));
  }
  task.release();
}

bool Session::in_use(std::uint64_t token) const {
  return tasks_.find(token) != nullptr ||
         std::any_of(waits_.begin(), waits_.end(),
                     [&](const NoreplyWait& wait) { return wait.token == token; });
}

void Session::reply(std::uint64_t token, protocol::Response&& response) {
  if (response.type == protocol::kClientError) {
    reactor_.counters().client_errors.add();
  } else if (response.type > protocol::kClientError) {
    reactor_.counters().failed_queries.add();
  }
  protocol::append_response(output(), token, std::move(response));
}

void Session::client_error(std::uint64_t token, std::string_view message) {
  reply(token, protocol::error_response(protocol::kClientError, 0, message));
}

void Session::end_of_sequence(std::uint64_t token) {
  protocol::Response response;
  response.type = protocol::kSuccessSequence;
  reply(token, std::move(response));
}

}  // namespace reqld::server
