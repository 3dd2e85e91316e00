#include "server/reactor.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "protocol/response.hpp"
#include "server/session.hpp"
#include "server/worker_pool.hpp"

namespace reqld::server {
namespace {
constexpr std::chrono::milliseconds kTick{250};
constexpr unsigned kJobsPerLook = 16;        ///< for whether they had to wait for the disk
constexpr std::size_t kIdleCoroutines = 64;  ///< kept for the next queries
constexpr std::size_t kIdleOutputs = 64;
}  // namespace

Reactor::Reactor(unsigned index, const ServerOptions& options, QueryHost& host, WorkerPool& pool)
    : options_(options),
      host_(host),
      pool_(pool),
      index_(index),
      handshake_options_{.server_version = options.server_version},
      credentials_lookup_([this](const std::string& user) { return host_.credentials(user); }),
      scratch_(new char[kScratchBytes]),
      max_coroutines_(std::max<std::size_t>(1, options.max_running / std::max(1u, options.reactors))) {
  loop_.set_after_turn([this] { end_turn(); });
}

Reactor::~Reactor() {
  join();
}

std::string Reactor::server_info() const {
  std::string info = "{\"id\":";
  protocol::append_json_string(info, host_.server_id());
  info += ",\"name\":";
  protocol::append_json_string(info, host_.server_name());
  info += ",\"proxy\":false}";
  return info;
}

void Reactor::start() {
  thread_ = std::thread([this] { loop_.run(); });
  pthread_setname_np(thread_.native_handle(), ("reactor-" + std::to_string(index_)).c_str());
}

void Reactor::join() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

void Reactor::drain() {
  loop_.call([this] {
    stopping_ = true;
    for (Session* session : std::vector(sessions_)) session->drain();
  });
}

void Reactor::abort() {
  loop_.call([this] {
    stopping_ = true;
    for (Session* session : std::vector(sessions_)) session->abort();
  });
}

void Reactor::adopt(int fd, reql::ClientInfo client) {
  session_count_.fetch_add(1, std::memory_order_relaxed);
  loop_.call([this, fd, client = std::move(client)]() mutable {
    if (stopping_) {
      ::close(fd);
      session_count_.fetch_sub(1, std::memory_order_release);
      return;
    }
    auto* const session = new Session(*this, fd, std::move(client));  // deletes itself
    session->open();
  });
}

void Reactor::add(Session& session) {
  session.index = sessions_.size();
  sessions_.push_back(&session);
  counters_.connections_opened.add();
  counters_.connections_open.add();
}

void Reactor::remove(Session& session) {
  sessions_.back()->index = session.index;
  std::swap(sessions_[session.index], sessions_.back());
  sessions_.pop_back();
  counters_.connections_open.sub();
  unwatch(session);
  session_count_.fetch_sub(1, std::memory_order_release);
}

std::unique_ptr<protocol::OutputQueue> Reactor::take_output() {
  if (idle_outputs_.empty()) return std::make_unique<protocol::OutputQueue>();
  auto output = std::move(idle_outputs_.back());
  idle_outputs_.pop_back();
  return output;
}

void Reactor::give_back(std::unique_ptr<protocol::OutputQueue> output) {
  output->clear();
  if (idle_outputs_.size() < kIdleOutputs) idle_outputs_.push_back(std::move(output));
}

Coroutine* Reactor::take_coroutine() {
  if (!idle_coroutines_.empty()) {
    Coroutine* const coroutine = idle_coroutines_.back().release();
    idle_coroutines_.pop_back();
    return coroutine;
  }
  if (coroutines_ >= max_coroutines_) return nullptr;
  auto coroutine = Coroutine::create(loop_, pool_, *this);
  if (!coroutine) return nullptr;
  ++coroutines_;
  return coroutine.release();
}

void Reactor::begin(Coroutine& coroutine, Job& job) {
  DiskWaits& waits = pool_.disk_waits();
  if (waits.often()) return coroutine.begin_on_pool(job);
  coroutine.begin(job);
  if (++jobs_begun_ % kJobsPerLook == 0) waits.done(kJobsPerLook);
}

void Reactor::coroutine_free(Coroutine& coroutine) {
  std::unique_ptr<Coroutine> owned(&coroutine);
  if (idle_coroutines_.size() < kIdleCoroutines) {
    idle_coroutines_.push_back(std::move(owned));
  } else {
    --coroutines_;
  }
}

void Reactor::settle_later(Session& session) {
  settling_.push_back(&session);
}

void Reactor::end_turn() {
  for (;;) {
    if (!gathered_.empty()) {
      read_gathered();
    } else if (!settling_.empty()) {
      settle_sessions();
    } else {
      return;
    }
  }
}

void Reactor::gathered(Coroutine& coroutine, const storage::RowPlace& row) {
  gathered_.push_back(&coroutine);
  gathered_rows_.push_back(row);
  // Those of a round come here with their next rows: they make the next round, not a deeper one.
  if (gathered_.size() == storage::kPrefetchKeys && resuming_.empty()) read_gathered();
}

void Reactor::read_gathered() {
  do {
    if (gathered_.size() > 1) host_.prefetch(gathered_rows_);
    gathered_rows_.clear();
    std::swap(gathered_, resuming_);
    for (Coroutine* coroutine : resuming_) coroutine->resume();
    resuming_.clear();
  } while (gathered_.size() == storage::kPrefetchKeys);
}

void Reactor::settle_sessions() {
  std::swap(settling_, settling_now_);
  for (Session* session : settling_now_) session->settle();
  settling_now_.clear();
}

void Reactor::watch(Session& session) {
  if (std::exchange(session.watched, true)) return;
  session.watch_index = watched_.size();
  watched_.push_back(&session);
  if (std::exchange(ticking_, true)) return;
  loop_.call_after(kTick, [this] { tick(); });
}

void Reactor::unwatch(Session& session) {
  if (!std::exchange(session.watched, false)) return;
  watched_.back()->watch_index = session.watch_index;
  std::swap(watched_[session.watch_index], watched_.back());
  watched_.pop_back();
}

void Reactor::tick() {
  const auto now = Session::Clock::now();
  // Backwards: what takes the place of a removed one has had its turn.
  for (std::size_t i = watched_.size(); i-- > 0;) watched_[i]->tick(now);
  if (watched_.empty()) {
    ticking_ = false;
  } else {
    loop_.call_after(kTick, [this] { tick(); });
  }
}

}  // namespace reqld::server
