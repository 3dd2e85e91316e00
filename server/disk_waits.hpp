// Whether reading rows means waiting for the disk: their pages are mapped, and one that is not in memory
// halts the thread that touches it.
#pragma once

#include <atomic>

namespace reqld::server {

/// Counts jobs and the waits among them, over all threads. Thread-safe.
class DiskWaits {
 public:
  /// The calling thread has done so many jobs since its last call. A system call, so not for each job where
  /// jobs are short.
  void done(unsigned jobs);

  /// Whether the jobs of late often had to wait.
  bool often() const { return often_.load(std::memory_order_relaxed); }

 private:
  // One wait takes as long as some dozens of point reads.
  static constexpr unsigned kWindowJobs = 64;
  static constexpr unsigned kOftenOneIn = 16;

  std::atomic<unsigned> jobs_{0};
  std::atomic<unsigned> waits_{0};
  std::atomic<bool> often_{false};
};

}  // namespace reqld::server
