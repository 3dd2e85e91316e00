// Crash tests of the storage engine: see usage().
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/crash/faulty.hpp"
#include "tests/crash/kill.hpp"
#include "tests/crash/model.hpp"
#include "tests/crash/power_cut.hpp"

namespace {

using namespace reqld::crash;

int usage() {
  std::fprintf(
      stderr,
      "usage: storage_crash short|long\n"
      "       storage_crash power-cut|tables [--states N] [--seed N] [--break meta|log|data|pin] [--directory "
      "DIR]\n"
      "       storage_crash kill [--rounds N] [--seed N] [--directory DIR]\n"
      "       storage_crash faults|model [--rounds N] [--seed N] [--directory DIR]\n"
      "short is what ./dev test runs, long what ./dev crash runs: all of these. With --break, a part of the\n"
      "mechanism is off, and the run succeeds when the simulator notices. `tables` cuts the power on a "
      "database\n"
      "with indexes, binaries, builds and drops, `power-cut` on bare keys of every size.\n");
  return 2;
}

struct Arguments {
  int states = 60;
  int rounds = 3;
  std::uint64_t seed = 1;
  Broken broken = Broken::kNothing;
  std::string directory;
};

const char* name_of(Broken broken) {
  switch (broken) {
    case Broken::kSavedMeta:
      return "the data file's own meta page trusted (plain MDB_NOSYNC)";
    case Broken::kLogSync:
      return "the log's sync left out";
    case Broken::kDataSync:
      return "a checkpoint whose data file is not synced";
    case Broken::kPin:
      return "the pin let go too early";
    case Broken::kNothing:
      break;
  }
  return "nothing broken";
}

// For the last line, which ./dev reads.
int passed = 0;
int failed = 0;

int run_power_cut(const Arguments& arguments, const std::string& directory, bool tables) {
  PowerCutOptions options;
  options.tables = tables;
  options.seed = arguments.seed;
  options.states = arguments.states;
  options.broken = arguments.broken;
  options.directory = directory;
  options.verbose = arguments.states > 300;
  const PowerCutReport report = power_cut(options);
  std::printf("%s: %d states (%d in a recovery), %d failures%s%s\n", tables ? "tables" : "power-cut",
              report.states, report.second_states, report.failures, report.failures > 0 ? "; first: " : "",
              report.first_failure.c_str());
  std::fflush(stdout);
  if (options.broken == Broken::kNothing) {
    passed += report.states - report.failures;
    failed += report.failures;
    return report.failures > 0 ? 1 : 0;
  }
  (report.failures > 0 ? passed : failed) += 1;
  return report.failures > 0 ? 0 : 1;
}

int run_kill(const Arguments& arguments, const std::string& program, const std::string& directory) {
  const KillReport report = kill_rounds(program, directory + "/kill", arguments.rounds, arguments.seed);
  std::printf("kill: %d rounds, %llu acknowledged writes checked, slowest open %.0f ms%s%s\n", report.rounds,
              static_cast<unsigned long long>(report.acknowledged), report.slowest_open_ms,
              report.failure ? "; FAILED: " : ", 0 failures", report.failure ? report.failure->c_str() : "");
  std::fflush(stdout);
  passed += report.rounds;
  failed += report.failure ? 1 : 0;
  return report.failure ? 1 : 0;
}

using Round = std::optional<std::string> (*)(std::uint64_t, const std::string&);

int run_rounds(const char* name, Round round, const Arguments& arguments, const std::string& directory) {
  int failures = 0;
  for (int i = 0; i < arguments.rounds; ++i) {
    const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(i);
    if (auto problem = round(seed, directory + "/" + name)) {
      ++failures;
      std::printf("%s: seed %llu FAILED: %s\n", name, static_cast<unsigned long long>(seed),
                  problem->c_str());
    }
  }
  std::printf("%s: %d rounds, %d failures\n", name, arguments.rounds, failures);
  std::fflush(stdout);
  passed += arguments.rounds - failures;
  failed += failures;
  return failures > 0 ? 1 : 0;
}

int run_faults(const Arguments& arguments, const std::string& directory) {
  return run_rounds("full-disk", full_disk, arguments, directory) |
         run_rounds("failing-call", failing_call, arguments, directory);
}

/// Everything, the parts that must fail included.
int run_all(bool thorough, const Arguments& arguments, const std::string& program,
            const std::string& directory) {
  int status = 0;
  Arguments a = arguments;
  a.states = thorough ? 2000 : 60;
  status |= run_power_cut(a, directory, false);
  a.states = thorough ? 1000 : 50;
  status |= run_power_cut(a, directory, true);
  for (const Broken broken : {Broken::kSavedMeta, Broken::kLogSync, Broken::kDataSync, Broken::kPin}) {
    a.broken = broken;
    a.states = broken == Broken::kPin ? 150 : 40;
    const int noticed = run_power_cut(a, directory, false);
    std::printf("  with %s: %s\n", name_of(broken), noticed == 0 ? "noticed, as it must be" : "NOT NOTICED");
    status |= noticed;
  }
  a.rounds = thorough ? 50 : 3;
  status |= run_kill(a, program, directory);
  a.rounds = thorough ? 200 : 12;
  status |= run_faults(a, directory);
  a.rounds = thorough ? 4000 : 60;
  status |= run_rounds("model", run_model, a, directory);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return usage();
  const std::string command = argv[1];
  if (command == "child" && argc == 5)
    return kill_child(argv[2], std::strtoull(argv[3], nullptr, 10), std::atoi(argv[4]));
  Arguments arguments;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--states") {
      arguments.states = std::atoi(value.c_str());
    } else if (name == "--rounds") {
      arguments.rounds = std::atoi(value.c_str());
    } else if (name == "--seed") {
      arguments.seed = std::strtoull(value.c_str(), nullptr, 10);
    } else if (name == "--directory") {
      arguments.directory = value;
    } else if (name == "--break") {
      arguments.broken = value == "meta"  ? Broken::kSavedMeta
                         : value == "log"  ? Broken::kLogSync
                         : value == "data" ? Broken::kDataSync
                                           : Broken::kPin;
    } else {
      return usage();
    }
  }
  const std::string base = arguments.directory.empty()
                               ? (std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp")
                               : arguments.directory;
  std::string pattern = base + "/reqld-crash-XXXXXX";
  const std::string directory = ::mkdtemp(pattern.data());
  int status = 2;
  if (command == "power-cut") status = run_power_cut(arguments, directory, false);
  if (command == "tables") status = run_power_cut(arguments, directory, true);
  if (command == "kill") status = run_kill(arguments, "/proc/self/exe", directory);
  if (command == "faults") status = run_faults(arguments, directory);
  if (command == "model") status = run_rounds("model", run_model, arguments, directory);
  if (command == "short" || command == "long") {
    status = run_all(command == "long", arguments, "/proc/self/exe", directory);
  }
  if (status == 2) return usage();
  std::printf("%d passed, %d failed, 0 skipped\n", passed, failed);
  if (status == 0) std::filesystem::remove_all(directory);
  return status;
}
