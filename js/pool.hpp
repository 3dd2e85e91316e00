// Runs JavaScript in worker processes that can reach neither files nor the network.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace reqld::js {

struct Options {
  std::string worker_path;              ///< the executable reqld-js
  unsigned workers = 2;                 ///< processes at a time; started when they are first needed
  std::size_t heap_bytes = 256u << 20;  ///< of one worker
  std::size_t max_queued = 4096;
};

/// What came out of a piece of JavaScript.
struct Result {
  enum class Kind : std::uint8_t { kValue, kFunction, kError, kTimeout };
  Kind kind = Kind::kError;
  std::string text;  ///< kValue: JSON, times as ReQL writes them; kError: the message for the client
};

/// Thread-safe. Every callback is called exactly once, on a thread of the pool or within cancel().
class Pool {
 public:
  using Callback = std::function<void(Result)>;
  /// Names a request.
  using Ticket = std::uint64_t;

  explicit Pool(Options options);
  /// Ends what runs (with kError) and the workers.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Evaluates `source`.
  Ticket evaluate(std::string source, std::chrono::milliseconds timeout, Callback callback);

  /// Evaluates `source`, which is a function, and calls it with the elements of the JSON array `arguments`.
  Ticket call(std::string source, std::string arguments, std::chrono::milliseconds timeout,
              Callback callback);

  /// The request ends soon, with kError; its process is killed when it runs already. Nothing when it has
  /// ended.
  void cancel(Ticket ticket);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reqld::js
