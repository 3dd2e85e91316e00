// One client connection: bytes in, queries out to the language, replies back.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/frame.hpp"
#include "protocol/handshake.hpp"
#include "protocol/output_queue.hpp"
#include "protocol/response.hpp"
#include "reql/query.hpp"
#include "server/token_table.hpp"
#include "server/watched_fd.hpp"

namespace reqld::server {

class Reactor;
class Task;

/// Lives on one reactor's thread; destroys itself when it is closed and nothing refers to it any more (waits
/// of the loop, running queries). An idle one holds no buffers.
class Session final : public FdObserver {
 public:
  using Clock = std::chrono::steady_clock;

  /// Takes over `fd`, a connected non-blocking socket.
  Session(Reactor& reactor, int fd, reql::ClientInfo client);

  /// Starts the conversation.
  void open();

  /// The server is stopping: takes no more queries, ends feeds, lets running queries finish, then closes.
  void drain();

  /// Closes at once and cancels everything.
  void abort();

  // Called by the reactor.
  /// Sends what is queued and goes on with what was held back; asked for by Reactor::settle_later.
  void settle();
  /// Every now and then as long as it is watched. May close this session, no other.
  void tick(Clock::time_point now);

  // Called by tasks.
  void task_finished(Task& task);
  void task_woken(Task& task);

  // FdObserver
  void on_readable(bool alive) override;
  void on_writable(bool alive) override;

  // Kept for the reactor's lists.
  std::size_t index = 0;
  std::size_t watch_index = 0;
  bool watched = false;

 private:
  enum class Phase : std::uint8_t {
    kGreeting,  ///< handshake
    kServing,
    kDraining,   ///< the server stops
    kEnding,     ///< the last words are being sent
    kLingering,  ///< sent; until the client has closed too
    kClosed,
  };
  struct Greeting;
  class KeyCheck;

  ~Session();

  // Input
  void read_some();
  void consume(std::string_view bytes);
  void consume_held_back();
  void greet(std::string_view bytes);
  void greeting_advanced();
  void begin_body(std::uint64_t token, std::uint32_t length_bytes);
  std::size_t grow_body();
  void refuse_size(std::uint64_t token, std::uint32_t length_bytes);
  bool paused() const;
  bool output_full() const;

  // Queries
  void dispatch(std::uint64_t token, std::string_view body, std::string* owned_body);
  void start_query(std::uint64_t token, std::string body);
  void continue_query(std::uint64_t token);
  void stop_query(std::uint64_t token);
  void noreply_wait(std::uint64_t token);
  void server_info(std::uint64_t token);
  void begin(Task& task);
  void proceed(Task& task);
  void remove(Task& task);
  bool in_use(std::uint64_t token) const;
  void answer_waits();
  void run_deferred();

  // Output
  protocol::OutputQueue& output();
  void reply(std::uint64_t token, protocol::Response&& response);
  void client_error(std::uint64_t token, std::string_view message);
  void end_of_sequence(std::uint64_t token);
  void send_output();
  void count_queued();

  // Life
  void settle_later();
  void read_turn();
  void take_turn();
  void advance();
  void arm_reading();
  void end_after_output();
  bool is_open() const { return phase_ != Phase::kClosed; }
  void hold() { ++holds_; }
  void let_go();

  Reactor& reactor_;
  WatchedFd socket_;
  Phase phase_ = Phase::kGreeting;
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
  bool settling_ = false;          ///< asked for
  bool in_turn_ = false;           ///< which ends with advance(), or has that done at the end of the loop's
  bool sequential_ = false;        ///< V0_3: one query at a time
  bool body_pending_ = false;      ///< `body_` is being filled
  std::uint8_t header_bytes_ = 0;  ///< of a header cut short, in `header_`
  std::uint32_t holds_ = 1;
  std::uint32_t running_ = 0;
  std::uint32_t body_length_bytes_ = 0;
  std::array<char, protocol::kFrameHeaderBytes> header_{};
  std::uint64_t body_token_ = 0;
  std::string body_;
  std::string held_back_;  ///< read, but not to be looked at while paused
  std::unique_ptr<Greeting> greeting_;
  std::unique_ptr<protocol::OutputQueue> output_;
  std::size_t counted_output_bytes_ = 0;
  TokenTable tasks_;
  std::uint64_t next_order_ = 0;
  struct NoreplyWait {
    std::uint64_t token;
    std::uint64_t before;  ///< answered when no earlier query runs
  };
  std::vector<NoreplyWait> waits_;
  std::vector<Task*> deferred_;
  Task* starting_ = nullptr;      ///< whose first step is running within start_query
  Clock::time_point deadline_{};  ///< of the greeting or the lingering
  reql::ClientInfo client_;
};

}  // namespace reqld::server
