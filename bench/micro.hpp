// Micro-benchmarks beside their limits, with Google Benchmark: MODULE/WHAT/DATA, then
// limit/LIBRARY_WHAT/DATA.
#pragma once

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace reqld::bench {

using benchmark::DoNotOptimize;

/// What one call handles, for the rates that are printed; 0: no such rate.
struct Work {
  std::size_t bytes = 0;
  std::size_t items = 0;
};

/// Registers `call` under `name`; what it refers to must live until `run` has returned.
template <typename Call>
void add(const std::string& name, Work work, Call call) {
  benchmark::RegisterBenchmark(name.c_str(), [work, call = std::move(call)](benchmark::State& state) mutable {
    for (auto _ : state) call();
    if (work.bytes != 0) state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(work.bytes));
    if (work.items != 0) state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(work.items));
  });
}

/// Runs those that the command line asks for; answers what main returns.
inline int run(int argc, char** argv) {
  // As the server does (keep_freed_memory): otherwise every large value costs its pages anew, most of what
  // parsing one would be shown to take.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace reqld::bench
