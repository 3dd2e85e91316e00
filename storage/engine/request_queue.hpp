// What has been submitted and not been taken by the writer yet.
#pragma once

#include <semaphore.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <vector>

#include "storage/engine.hpp"

namespace reqld::storage {

/// Many threads add, one takes. Requests of one thread come out in their order. Adding takes no lock, and wakes the taker only
/// where it sleeps.
class RequestQueue {
 public:
  RequestQueue();
  ~RequestQueue();
  RequestQueue(const RequestQueue&) = delete;
  RequestQueue& operator=(const RequestQueue&) = delete;

  /// Any thread. The request may have been finished when this returns.
  void add(EngineRequest& request);

  /// The taker's: replaces `requests` by what there is, the oldest first. False: nothing.
  bool take(std::vector<EngineRequest*>& requests);
  /// The taker's: sleeps until there is a request, wake() is called, or `timeout` is over, if there is one. A wake() since the
  /// last sleep counts. False: the time is over.
  bool sleep(std::optional<std::chrono::nanoseconds> timeout);
  /// Any thread.
  void wake();

 private:
  struct Asleep final : EngineRequest {
    Asleep() : EngineRequest(Durability::kSoft) {}
    Result<void> run(WriteTxn&) override { return {}; }
    void finished(Result<Sequence>) override {}
  };

  /// Each knows the one before. `asleep_`: there is none, and whoever adds one has to wake the taker.
  std::atomic<EngineRequest*> newest_{nullptr};
  Asleep asleep_;  ///< only a mark
  std::atomic<bool> woken_{false};
  sem_t wake_;  ///< may be posted more often than the taker needs it
};

}  // namespace reqld::storage
