#include "server/session.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "server/coroutine.hpp"
#include "server/log.hpp"
#include "server/reactor.hpp"
#include "server/task.hpp"

// Life, input and output. What happens with a query is in session_queries.cpp.

namespace reqld::server {
namespace {

constexpr int kReadsPerTurn = 32;  // then other connections of the thread get theirs
constexpr std::size_t kBodyStepBytes =
    256 * 1024;  // a body's memory is filled in steps that stay in the CPU's cache
constexpr std::size_t kTrustedBodyBytes = 4 << 20;  // announced bytes that are reserved before they have come
constexpr std::size_t kPiecesPerWrite = 64;

ssize_t send_pieces(int fd, std::span<iovec> pieces) {
  constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
  // Most replies are in one piece, for which the kernel has a shorter way.
  if (pieces.size() == 1) return send(fd, pieces[0].iov_base, pieces[0].iov_len, kFlags);
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  return sendmsg(fd, &message, kFlags);
}

}  // namespace

struct Session::Greeting {
  Greeting(const protocol::HandshakeOptions& options, const protocol::CredentialsLookup& lookup)
      : machine(options, lookup) {}
  protocol::Handshake machine;
  std::string input;  ///< not taken yet
};

/// PBKDF2 for a legacy key, off the reactor.
class Session::KeyCheck final : public Job {
 public:
  KeyCheck(Session& session, const protocol::Handshake& machine)
      : session_(session), credentials_(machine.key_credentials()), key_(machine.key()) {
    session_.reactor_.expect_return();
  }

  void run(reql::Suspender& suspender) override {
    suspender.move_to_pool();
    correct_ = protocol::verify_password(credentials_, key_);
  }

  void finished() override {
    Session& session = session_;
    if (session.greeting_) {
      std::string answer;
      session.greeting_->machine.key_verified(correct_, answer);
      session.output().append(std::move(answer));
      session.greeting_advanced();
      session.settle_later();
    }
    delete this;
    session.reactor_.returned();
    session.let_go();
  }

 private:
  ~KeyCheck() = default;

  Session& session_;
  protocol::Credentials credentials_;
  std::string key_;
  bool correct_ = false;
};

Session::Session(Reactor& reactor, int fd, reql::ClientInfo client)
    : reactor_(reactor), socket_(reactor.loop(), fd), client_(std::move(client)) {
  reactor_.add(*this);
}

Session::~Session() = default;

void Session::open() {
  greeting_ = std::make_unique<Greeting>(reactor_.handshake_options(), reactor_.credentials_lookup());
  deadline_ = Clock::now() + reactor_.options().handshake_timeout;
  reactor_.watch(*this);
  hold();
  // The first bytes have often come with the connection.
  read_turn();
  let_go();
}

void Session::let_go() {
  if (--holds_ == 0) delete this;
}

void Session::drain() {
  if (phase_ == Phase::kClosed || phase_ == Phase::kEnding || phase_ == Phase::kLingering) return;
  phase_ = Phase::kDraining;
  greeting_.reset();
  for (Task* task : tasks_.all()) {
    if (task->state == Task::State::kRunning) continue;
    task->query().cancel();
    remove(*task);
  }
  settle_later();
}

void Session::abort() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  socket_.close();
  if (greeting_) reactor_.counters().handshakes_failed.add();
  greeting_.reset();
  for (Task* task : tasks_.all()) {
    task->query().cancel();
    // A running one is removed when it has ended.
    if (task->state != Task::State::kRunning) remove(*task);
  }
  waits_ = {};
  held_back_ = {};
  body_ = {};
  if (output_) {
    output_->clear();
    count_queued();
    reactor_.give_back(std::move(output_));
  }
  reactor_.remove(*this);
  let_go();
}

void Session::end_after_output() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kEnding;
  if (greeting_) reactor_.counters().handshakes_failed.add();
  greeting_.reset();
  for (Task* task : tasks_.all()) {
    task->query().cancel();
    if (task->state != Task::State::kRunning) remove(*task);
  }
  waits_ = {};
  held_back_ = {};
  body_ = {};
  body_pending_ = false;
  deadline_ = Clock::now() + reactor_.options().linger_timeout;
  reactor_.watch(*this);
}

void Session::on_readable(bool alive) {
  waiting_readable_ = false;
  if (!alive) abort();
  if (is_open()) read_turn();
  let_go();
}

void Session::on_writable(bool alive) {
  waiting_writable_ = false;
  if (!alive) abort();
  if (is_open()) take_turn();
  let_go();
}

void Session::settle_later() {
  if (in_turn_ || phase_ == Phase::kClosed || std::exchange(settling_, true)) return;
  hold();
  reactor_.settle_later(*this);
}

void Session::settle() {
  settling_ = false;
  if (is_open()) take_turn();
  let_go();
}

/// Others that are ready read too before this one sends.
void Session::read_turn() {
  in_turn_ = true;
  read_some();
  in_turn_ = false;
  settle_later();
}

void Session::take_turn() {
  in_turn_ = true;
  advance();
  in_turn_ = false;
}

/// The end of every turn: sends, goes on with what was held back as far as that makes room, and waits for
/// more.
void Session::advance() {
  for (;;) {
    send_output();
    if (!is_open()) return;
    if (phase_ == Phase::kServing && !deferred_.empty() && !output_full()) {
      run_deferred();
    } else if (phase_ == Phase::kServing && !held_back_.empty() && !paused()) {
      consume_held_back();
    } else {
      break;
    }
  }
  if (output_ == nullptr) {
    if (phase_ == Phase::kDraining && running_ == 0) return abort();
    if (phase_ == Phase::kEnding) {
      // Closing now, with bytes of the client unread, would make its kernel throw the last words away.
      shutdown(socket_.fd(), SHUT_WR);
      phase_ = Phase::kLingering;
    }
  }
  arm_reading();
}

bool Session::output_full() const {
  return output_ != nullptr && output_->queued_bytes() > reactor_.options().max_queued_output_bytes;
}

bool Session::paused() const {
  switch (phase_) {
    case Phase::kGreeting:
      return greeting_->machine.state() == protocol::Handshake::State::kVerifyingKey;
    case Phase::kServing:
      break;
    case Phase::kLingering:
      return false;
    case Phase::kDraining:
    case Phase::kEnding:
    case Phase::kClosed:
      return true;
  }
  const std::size_t most = sequential_ ? 1 : reactor_.options().max_running_per_connection;
  return running_ >= most || output_full();
}

void Session::arm_reading() {
  if (waiting_readable_ || !is_open()) return;
  if (paused()) {
    // Nobody reads, so nobody would see the client go: the tick looks after that.
    reactor_.watch(*this);
    return;
  }
  waiting_readable_ = true;
  hold();
  socket_.wait_readable(*this);
}

void Session::tick(Clock::time_point now) {
  if (phase_ == Phase::kGreeting || phase_ == Phase::kEnding || phase_ == Phase::kLingering) {
    if (now >= deadline_) {
      if (phase_ == Phase::kGreeting) log::info("{}: no handshake in time", client_.peer_host);
      abort();
    }
    return;
  }
  if (!paused()) return reactor_.unwatch(*this);
  pollfd poll_fd{.fd = socket_.fd(), .events = POLLRDHUP, .revents = 0};
  if (poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) abort();
}

// Input

void Session::read_some() {
  const std::span<char> scratch = reactor_.scratch();
  for (int turn = 0; turn < kReadsPerTurn && !paused(); ++turn) {
    std::array<iovec, 2> parts;
    std::size_t count = 0;
    std::size_t body_room = 0;
    if (body_pending_) {
      body_room = grow_body();
      parts[count++] = {body_.data() + body_.size() - body_room, body_room};
    }
    parts[count++] = {scratch.data(), scratch.size()};
    const ssize_t got = count == 1 ? recv(socket_.fd(), scratch.data(), scratch.size(), 0)
                                   : readv(socket_.fd(), parts.data(), static_cast<int>(count));
    if (got < 0 && errno == EINTR) continue;
    const auto bytes = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    if (body_pending_) body_.resize(body_.size() - body_room + std::min(bytes, body_room));
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return abort();
    reactor_.counters().bytes_received.add(bytes);
    if (phase_ == Phase::kLingering) continue;

    if (body_pending_ && body_.size() == body_length_bytes_) {
      body_pending_ = false;
      dispatch(body_token_, body_, &body_);
      if (!is_open()) return;
    }
    if (bytes > body_room) consume({scratch.data(), bytes - body_room});
    // A short read has emptied the socket; should more have come since, the next wait ends at once.
    if (!is_open() || bytes < body_room + scratch.size()) return;
  }
}

void Session::consume(std::string_view bytes) {
  if (phase_ == Phase::kGreeting) return greet(bytes);
  while (!bytes.empty() && phase_ == Phase::kServing) {
    if (paused()) {
      held_back_.append(bytes);
      return;
    }
    if (body_pending_) {
      const std::size_t take = std::min(bytes.size(), body_length_bytes_ - body_.size());
      body_.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      if (body_.size() < body_length_bytes_) return;
      body_pending_ = false;
      dispatch(body_token_, body_, &body_);
      continue;
    }
    if (header_bytes_ > 0) {
      const std::size_t take = std::min(bytes.size(), header_.size() - header_bytes_);
      std::memcpy(header_.data() + header_bytes_, bytes.data(), take);
      header_bytes_ = static_cast<std::uint8_t>(header_bytes_ + take);
      bytes.remove_prefix(take);
      if (header_bytes_ < header_.size()) return;
      header_bytes_ = 0;
      const auto frame = protocol::read_frame({header_.data(), header_.size()});
      if (frame.status == protocol::FrameStatus::kTooLarge)
        return refuse_size(frame.token, frame.length_bytes);
      begin_body(frame.token, frame.length_bytes);
      continue;
    }
    const auto frame = protocol::read_frame(bytes);
    if (frame.status == protocol::FrameStatus::kComplete) {
      bytes.remove_prefix(protocol::kFrameHeaderBytes + frame.length_bytes);
      reactor_.set_more_queries(!bytes.empty());
      dispatch(frame.token, frame.body, nullptr);
    } else if (frame.status == protocol::FrameStatus::kTooLarge) {
      return refuse_size(frame.token, frame.length_bytes);
    } else if (bytes.size() < protocol::kFrameHeaderBytes) {
      std::memcpy(header_.data(), bytes.data(), bytes.size());
      header_bytes_ = static_cast<std::uint8_t>(bytes.size());
      return;
    } else {
      bytes.remove_prefix(protocol::kFrameHeaderBytes);
      begin_body(frame.token, frame.length_bytes);
    }
  }
}

void Session::consume_held_back() {
  const std::string bytes = std::exchange(held_back_, {});
  consume(bytes);
}

void Session::begin_body(std::uint64_t token, std::uint32_t length_bytes) {
  body_token_ = token;
  body_length_bytes_ = length_bytes;
  body_.clear();
  if (length_bytes == 0) return dispatch(token, {}, nullptr);
  body_.reserve(std::min<std::size_t>(length_bytes, kTrustedBodyBytes) + reql::kQueryPaddingBytes);
  body_pending_ = true;
}

/// Makes room at the end of the body for what comes next; returns how much.
std::size_t Session::grow_body() {
  const std::size_t room = std::min(kBodyStepBytes, body_length_bytes_ - body_.size());
  if (body_.size() + room > body_.capacity()) {
    body_.reserve(std::min<std::size_t>(body_length_bytes_ + reql::kQueryPaddingBytes, body_.capacity() * 4));
  }
  body_.resize(body_.size() + room);
  return room;
}

void Session::refuse_size(std::uint64_t token, std::uint32_t length_bytes) {
  client_error(token, "Query size (" + std::to_string(length_bytes) + ") greater than maximum (" +
                          std::to_string(protocol::kMaxQueryBytes) + ").");
  end_after_output();
}

void Session::greet(std::string_view bytes) {
  Greeting& greeting = *greeting_;
  greeting.input.append(bytes);
  std::string answer;
  const std::size_t taken = greeting.machine.feed(greeting.input, answer);
  greeting.input.erase(0, taken);
  output().append(std::move(answer));
  greeting_advanced();
}

void Session::greeting_advanced() {
  using State = protocol::Handshake::State;
  switch (greeting_->machine.state()) {
    case State::kWaiting:
      break;
    case State::kVerifyingKey: {
      Coroutine* const coroutine = reactor_.take_coroutine();
      if (coroutine == nullptr) return abort();
      hold();
      coroutine->begin(*new KeyCheck(*this, greeting_->machine));  // deletes itself
      break;
    }
    case State::kReady: {
      client_.user = greeting_->machine.user();
      sequential_ = greeting_->machine.sequential();
      const std::string rest = std::move(greeting_->input);
      greeting_.reset();
      phase_ = Phase::kServing;
      consume(rest);
      break;
    }
    case State::kClosed:
      end_after_output();
      break;
  }
}

// Output

protocol::OutputQueue& Session::output() {
  if (!output_) output_ = reactor_.take_output();
  return *output_;
}

void Session::count_queued() {
  auto& counter = reactor_.counters().queued_output_bytes;
  const std::size_t now = output_ ? output_->queued_bytes() : 0;
  counter.add(now - counted_output_bytes_);  // wraps around and back when it is less
  counted_output_bytes_ = now;
}

void Session::send_output() {
  if (!output_) return;
  if (waiting_writable_) return count_queued();
  while (!output_->empty()) {
    std::array<iovec, kPiecesPerWrite> pieces;
    const std::size_t count = output_->gather(pieces);
    const ssize_t sent = send_pieces(socket_.fd(), {pieces.data(), count});
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      waiting_writable_ = true;
      hold();
      socket_.wait_writable(*this);
      count_queued();
      return;
    }
    if (sent < 0) return abort();
    output_->consume(static_cast<std::size_t>(sent));
    reactor_.counters().bytes_sent.add(static_cast<std::uint64_t>(sent));
  }
  if (counted_output_bytes_ != 0) count_queued();
  reactor_.give_back(std::move(output_));
}

}  // namespace reqld::server
