#include "http_fetch/admission.hpp"

namespace reqld::http_fetch {

bool Admission::offer(Ticket& ticket, const std::string& host_name) {
  auto [entry, fresh] = hosts_.try_emplace(host_name);
  Host& host = entry->second;
  if (fresh) host.name = &entry->first;
  ticket.host_ = &host;
  bool may_start = running_ < max_running_ && host.running < max_running_per_host_ && host.waiting.empty() &&
                   ready_.empty();
  if (may_start) {
    ticket.state_ = Ticket::State::kRunning;
    ++host.running;
    ++running_;
    return true;
  }
  ticket.state_ = Ticket::State::kWaiting;
  ticket.place_ = host.waiting.insert(host.waiting.end(), &ticket);
  deadlines_.emplace(ticket.deadline, &ticket);
  refresh(host);
  return false;
}

void Admission::remove(Ticket& ticket) {
  if (ticket.state_ == Ticket::State::kOut) return;
  Host& host = *ticket.host_;
  if (ticket.state_ == Ticket::State::kRunning) {
    --host.running;
    --running_;
  } else {
    host.waiting.erase(ticket.place_);
    deadlines_.erase({ticket.deadline, &ticket});
  }
  ticket.state_ = Ticket::State::kOut;
  ticket.host_ = nullptr;
  refresh(host);
}

Admission::Ticket* Admission::next() {
  if (running_ >= max_running_ || ready_.empty()) return nullptr;
  Host& host = *ready_.front();
  Ticket* ticket = host.waiting.front();
  host.waiting.pop_front();
  deadlines_.erase({ticket->deadline, ticket});
  ticket->state_ = Ticket::State::kRunning;
  ++host.running;
  ++running_;
  // Behind the other hosts, if it has more.
  ready_.erase(host.ready_place);
  host.is_ready = false;
  refresh(host);
  return ticket;
}

std::optional<Clock::time_point> Admission::earliest_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

Admission::Ticket* Admission::expired(Clock::time_point now) const {
  if (deadlines_.empty() || deadlines_.begin()->first > now) return nullptr;
  return deadlines_.begin()->second;
}

void Admission::refresh(Host& host) {
  bool ready = !host.waiting.empty() && host.running < max_running_per_host_;
  if (ready && !host.is_ready) {
    host.ready_place = ready_.insert(ready_.end(), &host);
  } else if (!ready && host.is_ready) {
    ready_.erase(host.ready_place);
  }
  host.is_ready = ready;
  if (host.running == 0 && host.waiting.empty()) hosts_.erase(hosts_.find(*host.name));
}

}  // namespace reqld::http_fetch
