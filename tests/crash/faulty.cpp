#include "tests/crash/faulty.hpp"

#include <cerrno>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "storage/engine.hpp"
#include "tests/crash/recorder.hpp"

namespace reqld::crash {
namespace {

using storage::Durability;
using storage::Engine;
using storage::EngineOptions;
using storage::ErrorKind;
using storage::Result;
using storage::Sequence;
using storage::WriteTxn;

EngineOptions engine_options(const std::string& directory) {
  EngineOptions options;
  options.directory = directory;
  options.checkpoint_bytes = 1u << 20;
  options.checkpoint_seconds = 0.05;
  options.soft_sync_seconds = 0.02;
  options.map_bytes = 1u << 30;
  return options;
}

/// Jobs that write keys of their own, a few at a time; what became of each.
class Jobs {
 public:
  explicit Jobs(std::uint64_t seed) : random_(seed) {}

  /// Submits `n` and waits for them.
  void run(Engine& engine, int n) {
    std::vector<std::pair<int, std::future<Result<Sequence>>>> waiting;
    failed_last_ = 0;
    for (int i = 0; i < n; ++i) {
      const int job = next_++;
      sizes_.push_back(1 + random_() % (random_() % 8 == 0 ? 100000 : 3000));
      auto promise = std::make_shared<std::promise<Result<Sequence>>>();
      waiting.emplace_back(job, promise->get_future());
      engine.submit(
          [job, this](WriteTxn& txn) -> Result<void> {
            txn.put(key(job, 'a'), value(job));
            txn.put(key(job, 'b'), value(job));
            txn.put("shared" + std::to_string(job % 100), value(job));
            return {};
          },
          random_() % 2 == 0 ? Durability::kHard : Durability::kSoft,
          [promise](Result<Sequence> r) { promise->set_value(std::move(r)); });
      if (waiting.size() == 8) settle(waiting);
    }
    settle(waiting);
  }

  /// Compares with what is there. `failed` jobs that were refused for want of room must not be; others may
  /// be, whole.
  std::optional<std::string> check(Engine& engine) const {
    auto snapshot = engine.snapshot();
    for (int job = 0; job < next_; ++job) {
      const auto a = snapshot->get(key(job, 'a'));
      const auto b = snapshot->get(key(job, 'b'));
      const std::string name = "job " + std::to_string(job);
      if (a.has_value() != b.has_value()) return name + " is there in part";
      if (a && (*a != value(job) || *b != value(job))) return name + " has the wrong value";
      const auto error = errors_.find(job);
      if (error == errors_.end() && !a) return name + " was acknowledged and is lost";
      if (error != errors_.end() && error->second == ErrorKind::kDiskFull && a)
        return name + " was refused and is there";
      if (error != errors_.end() && error->second == ErrorKind::kReadOnly && a)
        return name + " was refused and is there";
    }
    return std::nullopt;
  }

  const std::map<int, ErrorKind>& errors() const { return errors_; }
  bool last_failed() const { return errors_.contains(next_ - 1); }
  /// How many of the last run() failed.
  int failed_last() const { return failed_last_; }

 private:
  static std::string key(int job, char part) { return "job" + std::to_string(job) + part; }
  std::string value(int job) const {
    return std::string(sizes_[static_cast<std::size_t>(job)], static_cast<char>('a' + job % 26));
  }
  void settle(std::vector<std::pair<int, std::future<Result<Sequence>>>>& waiting) {
    for (auto& [job, future] : waiting) {
      const auto result = future.get();
      if (result) continue;
      errors_[job] = result.error().kind;
      ++failed_last_;
    }
    waiting.clear();
  }

  std::mt19937_64 random_;
  int next_ = 0;
  std::vector<std::size_t> sizes_;
  std::map<int, ErrorKind> errors_;
  int failed_last_ = 0;
};

std::optional<std::string> reopen_and_check(const std::string& directory, const Jobs& jobs,
                                            const char* when) {
  auto engine = Engine::open(engine_options(directory));
  if (!engine) return std::string(when) + ": " + engine.error().message;
  if (auto problem = jobs.check(**engine)) return std::string(when) + ": " + *problem;
  return std::nullopt;
}

}  // namespace

std::optional<std::string> full_disk(std::uint64_t seed, const std::string& directory) {
  faults::clear();
  std::filesystem::remove_all(directory);
  std::mt19937_64 random(seed);
  Jobs jobs(seed);
  auto engine = Engine::open(engine_options(directory));
  if (!engine) return engine.error().message;
  for (int round = 0; round < 3; ++round) {
    jobs.run(**engine, 50);
    if (jobs.failed_last() > 0) return "writes fail with room on the disk";
    // From now on no file grows; a write across the end of a file is cut short there, as kernels do.
    const bool cut = random() % 2 == 0;
    faults::set(directory, [cut](const faults::Seen& seen, std::uint64_t* allowed) {
      if (seen.call == faults::Call::kSync || seen.offset + seen.size <= seen.file_size) return 0;
      if (cut && seen.call == faults::Call::kWrite && seen.offset < seen.file_size) {
        *allowed = seen.file_size - seen.offset;
        return 0;
      }
      return ENOSPC;
    });
    int jobs_until_full = 0;
    while (jobs.failed_last() == 0 && jobs_until_full < 5000) {
      jobs.run(**engine, 8);
      jobs_until_full += 8;
    }
    if (jobs.failed_last() == 0) return "the disk never got full";
    jobs.run(**engine, 20);
    for (const auto& [job, kind] : jobs.errors()) {
      if (kind != ErrorKind::kDiskFull)
        return "job " + std::to_string(job) + " failed with another error than a full disk";
    }
    // The newest write decides: a small one may still find room.
    const auto failure = (*engine)->failure();
    if (jobs.last_failed() && (!failure || failure->kind != ErrorKind::kDiskFull)) {
      return "failure() does not tell of the full disk";
    }
    if (auto problem = jobs.check(**engine)) return "while full: " + *problem;
    if (random() % 3 == 0) {  // ended in that state
      engine->reset();
      faults::clear();
      if (auto problem = reopen_and_check(directory, jobs, "after an end with a full disk")) return problem;
      engine = Engine::open(engine_options(directory));
      if (!engine) return engine.error().message;
    }
    faults::clear();
    jobs.run(**engine, 50);
    if (jobs.failed_last() > 0) return "writes still fail after space was freed";
    if ((*engine)->failure()) return "failure() stays after space was freed";
    if (auto problem = jobs.check(**engine)) return "after space was freed: " + *problem;
  }
  engine->reset();
  return reopen_and_check(directory, jobs, "after a restart");
}

std::optional<std::string> failing_call(std::uint64_t seed, const std::string& directory) {
  faults::clear();
  std::filesystem::remove_all(directory);
  std::mt19937_64 random(seed);
  Jobs jobs(seed);
  auto engine = Engine::open(engine_options(directory));
  if (!engine) return engine.error().message;
  jobs.run(**engine, 30);

  static constexpr const char* kFiles[] = {"log.", "data.mdb", "data.mdb", "checkpoint"};
  const std::string file = kFiles[random() % 4];
  const bool meta = file == "data.mdb" && random() % 3 == 0;
  const auto call = random() % 2 == 0 && !meta ? faults::Call::kSync : faults::Call::kWrite;
  // Each of these calls from a random one on fails: a broken disk stays broken.
  auto after = std::make_shared<int>(static_cast<int>(random() % 20));
  auto happened = std::make_shared<bool>(false);
  faults::set(directory, [=](const faults::Seen& seen, std::uint64_t*) {
    if (seen.call != call || !seen.name.starts_with(file)) return 0;
    if (meta && seen.offset >= 8192) return 0;
    if (--*after >= 0) return 0;
    *happened = true;
    return EIO;
  });
  const std::string what =
      (call == faults::Call::kSync ? "sync of " : "write of ") + file + (meta ? " (meta)" : "");
  for (int i = 0; i < 400 && !(*engine)->failure(); ++i) jobs.run(**engine, 8);
  if (!(*engine)->failure()) return "failure() is not set after a failed " + what;
  if ((*engine)->failure()->kind != ErrorKind::kIo) return "the wrong failure after a failed " + what;
  const std::size_t errors = jobs.errors().size();
  jobs.run(**engine, 8);
  if (jobs.errors().size() != errors + 8) return "acknowledged after a failed " + what;
  try {
    if (auto problem = jobs.check(**engine)) return "after a failed " + what + ": " + *problem;
  } catch (const std::exception& e) {
    return "not readable after a failed " + what + ": " + e.what();
  }
  engine->reset();
  faults::clear();
  if (auto problem = reopen_and_check(directory, jobs, "restarted"))
    return "after a failed " + what + " " + *problem;
  return std::nullopt;
}

}  // namespace reqld::crash
