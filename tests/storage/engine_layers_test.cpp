// Readers beside a writer and checkpoints: what is in memory, on its way, and in LMDB is one state.
#include <atomic>
#include <chrono>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "tests/storage/engine_fixture.hpp"

namespace reqld::storage {
namespace {

constexpr int kSlots = 40;

std::string slot_key(int slot) { return "slot" + std::to_string(100 + slot); }

/// Many checkpoints, each in many steps.
EngineOptions restless() {
  EngineOptions options;
  options.checkpoint_seconds = 0.001;
  options.moved_keys = 3;
  return options;
}

/// Commit `n` writes n to every slot that is not the n-th, which it removes, and adds a key of its own.
Result<Sequence> commit(Engine& engine, Sequence n) {
  return run(engine, Durability::kSoft, [n](WriteTxn& txn) -> Result<void> {
    REQUIRE(txn.sequence() == n);
    for (int slot = 0; slot < kSlots; ++slot) {
      if (static_cast<Sequence>(slot) == n % kSlots) {
        txn.del(slot_key(slot));
      } else {
        txn.put(slot_key(slot), std::to_string(n));
      }
    }
    txn.put("row" + std::to_string(n * 7919 % 100'000), std::string(n % 50 == 0 ? 30'000 : 10, 'r'));
    return {};
  });
}

/// Empty when the snapshot shows commit `sequence()` and nothing else.
std::string problem_of(Snapshot& snapshot) {
  const Sequence n = snapshot.sequence();
  const std::string expected = std::to_string(n);
  for (int slot = 0; slot < kSlots; ++slot) {
    const auto found = snapshot.get(slot_key(slot));
    const bool gone = static_cast<Sequence>(slot) == n % kSlots;
    if (found.has_value() == gone || (found && *found != expected)) return "get of a slot at " + expected;
  }
  for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
    int slots = 0;
    auto cursor = snapshot.cursor({"slot", "slou"}, direction);
    for (std::string before; cursor->valid(); cursor->next(), ++slots) {
      if (cursor->value() != expected) return "value of a cursor at " + expected;
      if (!before.empty() && (cursor->key() > before) != (direction == Direction::kForward)) return "order of a cursor";
      before = cursor->key();
    }
    if (slots != kSlots - 1) return "slots of a cursor at " + expected;
  }
  Sequence rows = 0;
  for (auto cursor = snapshot.cursor({"row", "rox"}, Direction::kForward); cursor->valid(); cursor->next()) ++rows;
  return rows == n ? "" : "rows of a cursor at " + expected;
}

}  // namespace

TEST_CASE("snapshots show one commit while checkpoints move what they show") {
  TempDirectory dir;
  auto engine = open_engine(dir, restless());
  constexpr Sequence kLeastCommits = 600;
  std::atomic<bool> done{false};
  std::vector<std::string> problems(2);
  std::vector<std::thread> readers;
  for (std::string& problem : problems) {
    readers.emplace_back([&] {
      for (Sequence before = 0; !done && problem.empty();) {
        const Sequence acknowledged = engine->last_sequence();
        auto snapshot = engine->snapshot();
        const Sequence seen = snapshot->sequence();
        if (seen < before || seen < acknowledged) problem = "a snapshot went back";
        before = seen;
        if (seen > 0 && problem.empty()) problem = problem_of(*snapshot);
      }
    });
  }
  // Where the disk is slow, a few checkpoints take longer than many commits.
  Sequence commits = 0;
  while (commits < kLeastCommits || engine->stats().checkpoints <= 3) REQUIRE(commit(*engine, ++commits).ok());
  done = true;
  for (auto& reader : readers) reader.join();
  for (const std::string& problem : problems) CHECK(problem == "");
  CHECK(problem_of(*engine->snapshot()) == "");
  engine.reset();
  engine = open_engine(dir);
  CHECK(engine->last_sequence() == commits);
  CHECK(problem_of(*engine->snapshot()) == "");
}

TEST_CASE("an old snapshot stays as it is over many checkpoints") {
  TempDirectory dir;
  auto engine = open_engine(dir, restless());
  for (Sequence n = 1; n <= 20; ++n) REQUIRE(commit(*engine, n).ok());
  const auto old = engine->snapshot();
  CHECK(old->sequence() == 20);
  auto cursor = old->cursor({"slot", "slou"}, Direction::kBackward);
  const std::uint64_t checkpoints = engine->stats().checkpoints;
  for (Sequence n = 21; n <= 200 || engine->stats().checkpoints < checkpoints + 5; ++n) {
    REQUIRE(commit(*engine, n).ok());
  }
  int slots = 0;
  for (; cursor->valid(); cursor->next(), ++slots) CHECK(cursor->value() == "20");
  CHECK(slots == kSlots - 1);
  CHECK(problem_of(*old) == "");
}

TEST_CASE("many keys are moved into the data file when nothing more is written") {
  TempDirectory dir;
  auto engine = open_engine(dir);
  const auto before = engine->stats();
  REQUIRE(run(*engine, Durability::kSoft, [](WriteTxn& txn) -> Result<void> {
            for (int i = 0; i < 2000; ++i) txn.put("key" + std::to_string(i), std::string(1000, 'v'));
            return {};
          }).ok());
  CHECK(engine->stats().used_bytes < before.used_bytes + 100'000);
  CHECK(eventually([&] { return engine->stats().used_bytes > before.used_bytes + 2'000'000; }));
  CHECK(engine->snapshot()->get("key1999").has_value());
}

}  // namespace reqld::storage
