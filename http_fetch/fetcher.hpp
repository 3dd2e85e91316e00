// The r.http worker pool: carries out HTTP requests without holding the caller's thread.
//
// Only http and https, also after a redirect. No proxy or credentials from the environment or from .netrc.
// Each request starts without cookies. Connections are kept and shared between requests. A request on a kept
// connection that the server had closed meanwhile is sent again on a new one, unless TCP says that the server
// got it; POST and PATCH always take a new connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "http_fetch/address_policy.hpp"
#include "http_fetch/request.hpp"
#include "http_fetch/result.hpp"

namespace reqld::http_fetch {

struct Options {
  /// One carries about 10,000 small fetches a second; TLS-heavy loads gain from more. At least 1.
  int threads = 1;
  /// Requests on the wire at a time, for all threads together; the rest waits its turn.
  std::size_t max_in_flight = 1024;
  /// Of these, to one host and port: so that a server that does not answer leaves room for the others.
  std::size_t max_in_flight_per_host = 512;
  /// Waiting requests; one more is refused with kQueueFull.
  std::size_t max_queued = 8192;
  std::uint64_t max_body_bytes = 64u << 20;
  /// Of bodies being received, all requests together.
  std::uint64_t max_buffered_bytes = 1u << 30;
  std::size_t max_idle_connections = 256;
  AddressPolicy address_policy;
  std::string user_agent = "RethinkDB/2.4.4 (compatible; reqld)";
  /// PEM file of trusted certificates; "" for the system's.
  std::string ca_file;
  /// `[protocol://]host[:port]`, "" for none. The address policy then sees the proxy's address, not the
  /// target's.
  std::string proxy;
};

/// Ok: a 2xx answer. Otherwise an Error whose message is complete (see result.hpp).
using Outcome = Result<Response>;
/// Runs on a pool thread (or within submit() when the request is refused): keep it short, hand the result on.
/// It may call submit() and cancel(), and must not throw nor destroy the Fetcher.
using Callback = std::function<void(Outcome)>;

class Inbox;

/// Names one submitted request. A copyable value; dropping it changes nothing; it may outlive the Fetcher.
class FetchHandle {
 public:
  FetchHandle() = default;
  /// Any thread, any number of times, returns at once. If the callback has not been called yet, it soon is,
  /// with kCancelled (or with the result, when that came first). The connection is closed.
  void cancel() const;

 private:
  friend class Fetcher;
  FetchHandle(std::weak_ptr<Inbox> inbox, std::uint64_t id) : inbox_(std::move(inbox)), id_(id) {}

  std::weak_ptr<Inbox> inbox_;
  std::uint64_t id_ = 0;
};

/// Figures since the start, for the system tables and metrics.
struct Counters {
  std::uint64_t submitted = 0;
  std::uint64_t refused = 0;
  std::uint64_t completed = 0;  ///< callbacks called, for whatever reason
  std::uint64_t connections_opened = 0;
  std::uint64_t bytes_received = 0;
};

/// Thread-safe.
class Fetcher {
 public:
  /// Starts the threads. kInvalid: options out of range; kTransport: the system refuses a thread or
  /// descriptor.
  static Result<std::unique_ptr<Fetcher>> create(Options options);

  /// Ends every request with kCancelled (their callbacks run before this returns), then joins the threads.
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  /// Calls `callback` exactly once.
  FetchHandle submit(Request request, Callback callback);

  Counters counters() const;

 private:
  class Impl;
  explicit Fetcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace reqld::http_fetch
