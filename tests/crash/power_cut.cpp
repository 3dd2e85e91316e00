#include "tests/crash/power_cut.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "storage/engine.hpp"
#include "tests/crash/disk_model.hpp"
#include "tests/crash/history.hpp"
#include "tests/crash/recorder.hpp"
#include "tests/crash/tables.hpp"
#include "tests/crash/workload.hpp"

namespace reqld::crash {
namespace {

using storage::Engine;
using storage::EngineOptions;
using storage::Sequence;

EngineOptions small_engine(const std::string& directory, Broken broken, std::uint64_t seed) {
  EngineOptions options;
  options.directory = directory;
  options.checkpoint_bytes = (seed % 3 == 0 ? 4u << 20 : 1u << 20);
  options.checkpoint_seconds = 0.05;
  options.moved_keys = 1 + seed % 5 * 4;
  options.soft_sync_seconds = 0.02;
  options.batch_bytes = 64u << 10;
  options.map_bytes = 1u << 20;
  options.testing.keep_found_meta = broken == Broken::kSavedMeta;
  options.testing.skip_log_sync = broken == Broken::kLogSync;
  options.testing.skip_data_sync = broken == Broken::kDataSync;
  options.testing.unpin_early = broken == Broken::kPin;
  return options;
}

/// A recorded run: what was on disk before it, what it did, what it committed.
struct Trace {
  Disk before;
  Names names;
  std::vector<Op> ops;
  std::unique_ptr<History> history;
  Sequence recovered = 0;  ///< from `before`: it was all there
};

class Simulator {
 public:
  explicit Simulator(const PowerCutOptions& options) : options_(options), random_(options.seed) {}

  PowerCutReport run() {
    constexpr int kStatesPerTrace = 250;
    for (int trace = 0; report_.states < options_.states; ++trace) {
      const int wanted = std::min(kStatesPerTrace, options_.states - report_.states);
      auto recorded = record(options_.seed * 7919 + static_cast<std::uint64_t>(trace));
      if (!recorded) break;
      explore(*recorded, wanted, 0);
      if (options_.verbose)
        std::fprintf(stderr, "%d states, %d failures\n", report_.states, report_.failures);
    }
    return report_;
  }

 private:
  std::optional<Trace> record(std::uint64_t seed) {
    const std::string directory = options_.directory + "/run";
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory);
    Trace trace;
    trace.history = std::make_unique<History>();
    recorder::start(directory, {}, 1.0);
    bool good = true;
    // Opened and closed more than once: making the database, closing it and starting clean are part of the
    // run.
    for (int session = 0; session < 3 && good; ++session) {
      auto engine = Engine::open(small_engine(directory, options_.broken, seed));
      if (!engine) {
        fail("the run itself: " + engine.error().message);
        good = false;
        break;
      }
      WorkloadOptions work;
      work.seed = seed * 3 + static_cast<std::uint64_t>(session);
      work.jobs = 150;
      work.big_values = seed % 2 == 0 ? 0.01 : 0.001;
      work.keys = seed % 3 == 0 ? 2000 : 200;
      if (options_.tables) {
        work.jobs = 60;
        good = run_table_workload(std::move(*engine), work, *trace.history, recorder::ack);
      } else {
        good = run_workload(**engine, work, *trace.history, recorder::ack);
      }
    }
    trace.ops = recorder::stop();
    trace.history->seal();
    if (!good) {
      fail("the workload failed");
      return std::nullopt;
    }
    return trace;
  }

  /// The operations while a checkpoint was being made: where mistakes in its order show.
  static std::vector<std::size_t> during_checkpoints(const Trace& trace) {
    Names names = trace.names;
    std::vector<std::size_t> out;
    bool within = false;
    for (std::size_t i = 0; i < trace.ops.size(); ++i) {
      const Op& op = trace.ops[i];
      if (op.kind == OpKind::kCreate) names[op.name] = op.file;
      if (op.kind == OpKind::kRename) names[op.new_name] = op.file;
      const auto is = [&](const char* name) { return names.contains(name) && names[name] == op.file; };
      if (op.kind == OpKind::kSyncBegin && is("data.mdb")) within = true;
      if (within) out.push_back(i);
      if (op.kind == OpKind::kSyncEnd && is("checkpoint")) within = false;
    }
    return out;
  }

  /// Cuts the power at `wanted` random points of a trace.
  void explore(const Trace& trace, int wanted, int depth) {
    const std::vector<std::size_t> checkpoints = during_checkpoints(trace);
    std::vector<std::size_t> points;
    for (int i = 0; i < wanted; ++i) {
      const bool anywhere = i % 2 == 0 || checkpoints.empty();
      const std::size_t n = anywhere ? trace.ops.size() : checkpoints.size() - 1;
      const std::size_t at = std::uniform_int_distribution<std::size_t>(0, n)(random_);
      points.push_back(anywhere ? at : checkpoints[at]);
    }
    std::sort(points.begin(), points.end());
    DiskModel model(trace.before);
    Sequence hard = trace.recovered;
    Sequence any = 0;
    std::size_t next = 0;
    for (const std::size_t point : points) {
      for (; next < point; ++next) {
        const Op& op = trace.ops[next];
        model.apply(op);
        if (op.kind != OpKind::kAck) continue;
        any = std::max(any, op.sequence);
        if (op.hard) hard = std::max(hard, op.sequence);
      }
      const auto loss = static_cast<Loss>(
          std::uniform_int_distribution<int>(0, static_cast<int>(Loss::kCount) - 1)(random_));
      const Disk disk = model.crash(loss, random_);
      ++report_.states;
      if (depth > 0) ++report_.second_states;
      const std::string where = "cut at operation " + std::to_string(point) + " of " +
                                std::to_string(trace.ops.size()) + ", lost: " + name_of(loss) +
                                (depth > 0 ? ", in the recovery from another cut" : "");
      const bool second = depth == 0 && std::uniform_int_distribution<int>(0, 14)(random_) == 0;
      if (options_.broken != Broken::kNothing) {
        check_apart(disk, *trace.history, hard, where);
        continue;
      }
      check(disk, *trace.history, loss == Loss::kNothing ? std::max(hard, any) : hard, where, second, depth);
    }
  }

  /// A check that may well end in a crash: in a process of its own.
  void check_apart(const Disk& disk, const History& history, Sequence must_have, const std::string& where) {
    const pid_t child = ::fork();
    if (child == 0) {
      const int quiet = ::open("/dev/null", O_WRONLY);
      ::dup2(quiet, STDERR_FILENO);
      report_ = {};
      check(disk, history, must_have, where, false, 0);
      ::_exit(report_.failures > 0 ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) fail(where + (WIFSIGNALED(status) ? ": crashed" : ": wrong"));
  }

  /// Reopens what is left and compares; goes on working with it, and cuts the power again when `second`.
  void check(const Disk& disk, const History& history, Sequence must_have, const std::string& where,
             bool second, int depth) {
    const std::string directory = options_.directory + "/state" + std::to_string(depth);
    store(disk, directory);
    Trace after;
    if (second) {
      after.before = disk;
      after.names = DiskModel(disk).names();
      recorder::start(directory, after.names, 0.3);
    }
    std::optional<std::string> problem;
    {
      auto engine = Engine::open(small_engine(directory, options_.broken, options_.seed));
      if (!engine) {
        problem = "does not open: " + engine.error().message;
      } else {
        problem = verify(**engine, history, must_have);
        if (!problem) {
          after.recovered = (*engine)->last_sequence();
          after.history = history.until(after.recovered);
          problem = go_on(std::move(*engine), *after.history, directory);
        }
      }
    }
    if (second) after.ops = recorder::stop();
    if (problem) {
      fail(where + ": " + *problem);
      if (options_.broken == Broken::kNothing && report_.failures <= 3) {
        const std::string kept = options_.directory + "/failed" + std::to_string(report_.failures);
        store(disk, kept);
        std::fprintf(stderr, "FAILED %s: %s\n  the state is in %s\n", where.c_str(), problem->c_str(),
                     kept.c_str());
      }
      return;
    }
    if (second) explore(after, 6, depth + 1);
  }

  std::optional<std::string> verify(Engine& engine, const History& history, Sequence must_have) {
    auto snapshot = engine.snapshot();
    if (snapshot->sequence() != engine.last_sequence()) return "the snapshot is not of the last commit";
    if (snapshot->sequence() < must_have) {
      return "commit " + std::to_string(must_have) + " was acknowledged, " +
             std::to_string(snapshot->sequence()) + " is the last one there";
    }
    try {
      auto problem = history.check(*snapshot);
      if (!problem && options_.tables) problem = check_tables(engine);
      return problem;
    } catch (const std::exception& e) {
      return std::string("reading failed: ") + e.what();
    }
  }

  /// A recovered database is one to work with: a few more writes, a clean end, another look.
  std::optional<std::string> go_on(std::unique_ptr<Engine> engine, History& history,
                                   const std::string& directory) {
    WorkloadOptions work;
    work.seed = random_();
    work.threads = 2;
    work.jobs = 15;
    work.big_values = 0;
    Sequence last = 0;
    if (options_.tables) {
      if (auto problem = settle_tables(std::move(engine), history, recorder::ack, last)) {
        return "after the recovery: " + *problem;
      }
      history.seal();
    } else {
      if (!run_workload(*engine, work, history, recorder::ack)) return "writes fail after the recovery";
      history.seal();
      last = engine->last_sequence();
      engine.reset();
    }
    auto again = Engine::open(small_engine(directory, options_.broken, options_.seed));
    if (!again) return "does not open a second time: " + again.error().message;
    if (auto problem = verify(**again, history, last)) return "the second time: " + *problem;
    return std::nullopt;
  }

  void fail(const std::string& text) {
    if (report_.failures++ == 0) report_.first_failure = text;
  }

  const PowerCutOptions options_;
  std::mt19937_64 random_;
  PowerCutReport report_;
};

}  // namespace

PowerCutReport power_cut(const PowerCutOptions& options) {
  return Simulator(options).run();
}

}  // namespace reqld::crash
