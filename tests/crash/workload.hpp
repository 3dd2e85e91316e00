// Random jobs on an engine, of every size, whose outcome goes into a History.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "storage/engine.hpp"
#include "tests/crash/history.hpp"

namespace reqld::crash {

struct WorkloadOptions {
  std::uint64_t seed = 1;
  int threads = 3;
  int jobs = 400;       ///< per thread
  int keys = 400;       ///< that are overwritten again and again
  int outstanding = 8;  ///< per thread
  double big_values = 0.01;
  std::size_t largest_value = 3u << 20;
  double hard = 0.4;
};

/// Called after each acknowledgement, on an engine thread.
using OnAck = std::function<void(storage::Sequence, bool hard)>;

/// Runs until every job is answered. False when one got an unexpected Error, said on stderr.
bool run_workload(storage::Engine& engine, const WorkloadOptions& options, History& history,
                  const OnAck& on_ack);

}  // namespace reqld::crash
