// The thread that does what can wait, in small steps: deletes rows of dropped tables and indexes, reclaims
// blobs, builds indexes, trims change logs.
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
  Step drop_log_step(std::uint32_t space, const std::string& bound);
  Step reclaim_some();
  Step build_some();
  Step trim_some();
  void find_builds();

  DatabaseImpl& database_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = true;
  bool stopping_ = false;
  bool logs_kept_ = false;                              // this thread's, as is the next
  std::chrono::steady_clock::time_point next_trim_{};
  std::thread thread_;
  std::map<std::uint32_t, std::unique_ptr<IndexBuild>> builds_;  // by space; this thread's
};

}  // namespace reqld::storage
