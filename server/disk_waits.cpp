#include "server/disk_waits.hpp"

#include <sys/resource.h>

namespace reqld::server {

void DiskWaits::done(unsigned jobs) {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  thread_local long before = usage.ru_majflt;
  waits_.fetch_add(static_cast<unsigned>(usage.ru_majflt - before), std::memory_order_relaxed);
  before = usage.ru_majflt;
  if (jobs_.fetch_add(jobs, std::memory_order_relaxed) + jobs < kWindowJobs) return;
  // Two threads that get here at once make one window short, no more.
  const unsigned all = jobs_.exchange(0, std::memory_order_relaxed);
  const unsigned waits = waits_.exchange(0, std::memory_order_relaxed);
  if (all >= kWindowJobs) often_.store(waits * kOftenOneIn >= all, std::memory_order_relaxed);
}

}  // namespace reqld::server
