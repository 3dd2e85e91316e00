// The thread that does what can wait, in small steps: deletes rows of dropped tables and indexes, reclaims
// blobs, builds indexes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "storage/engine.hpp"

namespace reqld::storage {

class DatabaseImpl;
class IndexBuild;

/// What there is to do stands in the database (kTaskSpace, kGraveyardSpace), so a crash forgets nothing.
class Background {
 public:
  explicit Background(DatabaseImpl& database);
  ~Background();
  void start();
  /// Ends the thread after its step. Thread-safe, as is wake().
  void stop();
  /// There may be new work.
  void wake();

 private:
  enum class Step { kNothing, kWaiting, kMore };

  void run();
  Step delete_some();
  Step reclaim_some();
  Step build_some();
  void find_builds();

  DatabaseImpl& database_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = true;
  bool stopping_ = false;
  std::thread thread_;
  std::map<std::uint32_t, std::unique_ptr<IndexBuild>> builds_;  // by space; this thread's
};

}  // namespace reqld::storage
