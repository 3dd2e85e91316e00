// The power-cut simulator.
#pragma once

#include <cstdint>
#include <string>

namespace reqld::crash {

/// What is switched off, to see that the simulator notices.
enum class Broken : std::uint8_t { kNothing, kSavedMeta, kLogSync, kDataSync, kPin };

struct PowerCutOptions {
  std::uint64_t seed = 1;
  int states = 60;
  Broken broken = Broken::kNothing;
  bool tables = false;    ///< a Database with tables, indexes and binaries, instead of bare keys
  std::string directory;  ///< for the databases; a memory file system makes it fast
  bool verbose = false;
};

struct PowerCutReport {
  int states = 0;
  int second_states = 0;  ///< of those, power cuts during or soon after the recovery from another one
  int failures = 0;
  std::string first_failure;
};

PowerCutReport power_cut(const PowerCutOptions& options);

}  // namespace reqld::crash
