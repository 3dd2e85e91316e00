#include "server/server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <string>
#include <thread>
#include <utility>

#include "server/log.hpp"
#include "server/reactor.hpp"
#include "server/worker_pool.hpp"

namespace reqld::server {
namespace {
constexpr std::chrono::milliseconds kLastWords{500};
}

Server::Server(ServerOptions options, QueryHost& host)
    : options_(std::move(options)),
      host_(host),
      pool_(std::make_unique<WorkerPool>(std::max(1u, options_.workers))) {
  options_.reactors = std::max(1u, options_.reactors);
  for (unsigned i = 0; i < options_.reactors; ++i) {
    reactors_.push_back(std::make_unique<Reactor>(i, options_, host_, *pool_));
    reactors_.back()->start();
  }
  host_.attach(*this);
}

Server::~Server() {
  listeners_.clear();
  for (auto& reactor : reactors_) reactor->join();
}

void Server::listen(std::vector<ListeningSocket> sockets, std::shared_ptr<const TlsContext> tls) {
  // The first reactor accepts and deals out: the kernel's own dealing (SO_REUSEPORT) is by hash, and leaves a
  // few long-lived connections on one core.
  EventLoop& loop = reactors_.front()->loop();
  Listener::Accepted accepted = [this](int fd, reql::ClientInfo client) { accept(fd, std::move(client)); };
  if (tls) {
    tls_ = std::make_unique<TlsGateway>(options_.reactors);
    accepted = [this, &loop, tls](int fd, reql::ClientInfo client) {
      tls_->adopt(fd, tls, [this, &loop, client = std::move(client)](int clear) {
        loop.call([this, clear, client] { accept(clear, client); });
      });
    };
  }
  for (auto& socket : sockets) {
    listeners_.push_back(std::make_unique<Listener>(loop, std::move(socket), accepted));
    loop.call([listener = listeners_.back().get()] { listener->start(); });
  }
}

void Server::accept(int fd, reql::ClientInfo client) {
  if (sessions() >= options_.max_connections) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    const std::string text = "ERROR: Too many connections: the server is configured for at most " +
                             std::to_string(options_.max_connections) + ".\n";
    // With the terminating zero. Fits any socket buffer; whoever cannot get it is gone.
    [[maybe_unused]] const ssize_t sent =
        send(fd, text.c_str(), text.size() + 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    close(fd);
    log::warn("refused a connection from {}: {} are open", client.peer_host, options_.max_connections);
    return;
  }
  // The one with the fewest; round robin among equals.
  std::size_t best = next_reactor_++ % reactors_.size();
  for (std::size_t i = 0; i < reactors_.size(); ++i) {
    const std::size_t candidate = (best + i) % reactors_.size();
    if (reactors_[candidate]->sessions() < reactors_[best]->sessions()) best = candidate;
  }
  reactors_[best]->adopt(fd, std::move(client));
}

std::size_t Server::sessions() const {
  std::size_t count = 0;
  for (const auto& reactor : reactors_) count += reactor->sessions();
  return count;
}

bool Server::wait_for_sessions(std::chrono::steady_clock::time_point until) const {
  while (sessions() > 0) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

bool Server::stop(std::chrono::milliseconds grace, std::chrono::milliseconds limit) {
  if (std::exchange(stopped_, true)) return true;
  const auto start = std::chrono::steady_clock::now();
  std::promise<void> closed;
  reactors_.front()->loop().call([&] {
    for (auto& listener : listeners_) listener->stop();
    closed.set_value();
  });
  closed.get_future().wait();
  for (auto& reactor : reactors_) reactor->drain();
  if (!wait_for_sessions(start + grace)) {
    for (auto& reactor : reactors_) reactor->abort();
    wait_for_sessions(start + limit);
  }
  // A closed connection is gone from the list while its queries may still run, or somebody be about to wake
  // them.
  const auto running = [this] {
    std::uint64_t count = 0;
    for (const auto& reactor : reactors_) count += reactor->counters().running.get() + reactor->outstanding();
    return count;
  };
  while (running() > 0 && std::chrono::steady_clock::now() < start + limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (running() > 0) {
    log::error("{} queries did not end when cancelled", running());
    return false;
  }
  // What was said last still has to go through; a client that does not take it is not waited for long.
  if (tls_) {
    const auto patience = std::max(start + grace, std::chrono::steady_clock::now() + kLastWords);
    tls_->wait_until_sent(std::min(start + limit, patience));
  }
  tls_.reset();
  for (auto& reactor : reactors_) reactor->join();
  pool_.reset();
  return true;
}

ServerCounters Server::counters() const {
  ServerCounters sum;
  for (const auto& reactor : reactors_) {
    const ReactorCounters& c = reactor->counters();
    sum.connections_opened += c.connections_opened.get();
    sum.connections_open += c.connections_open.get();
    sum.handshakes_failed += c.handshakes_failed.get();
    sum.queries += c.queries.get();
    sum.continues += c.continues.get();
    sum.running += c.running.get();
    sum.open_cursors += c.open_cursors.get();
    sum.client_errors += c.client_errors.get();
    sum.failed_queries += c.failed_queries.get();
    sum.bytes_received += c.bytes_received.get();
    sum.bytes_sent += c.bytes_sent.get();
    sum.queued_output_bytes += c.queued_output_bytes.get();
  }
  sum.connections_refused = refused_.load(std::memory_order_relaxed);
  sum.waiting_for_worker = pool_ ? pool_->waiting() : 0;
  return sum;
}

}  // namespace reqld::server
