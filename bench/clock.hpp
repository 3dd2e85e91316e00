// Time for the benchmarks that measure by themselves.
#pragma once

#include <time.h>

#include <chrono>

namespace reqld::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

inline double seconds_on(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

/// CPU time of the whole process.
inline double cpu_seconds() { return seconds_on(CLOCK_PROCESS_CPUTIME_ID); }
/// CPU time of this thread: what a loop costs, however busy the machine is.
inline double thread_cpu_seconds() { return seconds_on(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace reqld::bench
