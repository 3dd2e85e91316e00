// Which request may start: bounds how many run, in all and per host, and is fair between hosts.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace reqld::http_fetch {

using Clock = std::chrono::steady_clock;

/// Not thread-safe: each worker thread has its own. Tickets must stay where they are and outlive their stay
/// in here.
class Admission {
 private:
  struct Host;

 public:
  /// One request's place; the owner sets `deadline` before offer().
  class Ticket {
   public:
    Clock::time_point deadline;

   private:
    friend class Admission;
    enum class State { kOut, kWaiting, kRunning };
    State state_ = State::kOut;
    Host* host_ = nullptr;
    std::list<Ticket*>::iterator place_;
  };

  Admission(std::size_t max_running, std::size_t max_running_per_host)
      : max_running_(max_running), max_running_per_host_(max_running_per_host) {}

  /// True: start it now. False: it waits, first come first served within its host, hosts in turn.
  bool offer(Ticket& ticket, const std::string& host);
  /// It ends, running or waiting (no effect when it is neither).
  void remove(Ticket& ticket);
  /// The next waiting one that may start now, counted as running; null when there is none.
  Ticket* next();
  /// The earliest deadline among those that wait.
  std::optional<Clock::time_point> earliest_deadline() const;
  /// One that waits beyond its deadline, or null. Still in: remove() it.
  Ticket* expired(Clock::time_point now) const;
  std::size_t waiting() const { return deadlines_.size(); }
  std::size_t running() const { return running_; }

 private:
  struct Host {
    std::size_t running = 0;
    std::list<Ticket*> waiting;
    bool is_ready = false;  ///< in ready_
    std::list<Host*>::iterator ready_place;
    const std::string* name = nullptr;
  };

  void refresh(Host& host);

  const std::size_t max_running_;
  const std::size_t max_running_per_host_;
  std::size_t running_ = 0;
  std::unordered_map<std::string, Host> hosts_;
  std::list<Host*> ready_;  ///< hosts with a waiting request and room for it
  std::set<std::pair<Clock::time_point, Ticket*>> deadlines_;
};

}  // namespace reqld::http_fetch
