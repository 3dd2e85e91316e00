#include <doctest/doctest.h>

#include <filesystem>
#include <future>
#include <string>

#include "storage/engine.hpp"
#include "tests/storage/engine_fixture.hpp"

using namespace reqld::storage;

TEST_CASE("a write is read back, also after a restart") {
  TempDirectory dir;
  for (int round = 0; round < 3; ++round) {
    auto engine = open_engine(dir);
    for (const auto durability : {Durability::kSoft, Durability::kHard}) {
      const std::string key = "key" + std::to_string(round) + (durability == Durability::kHard ? "h" : "s");
      auto done = run(*engine, durability, [&](WriteTxn& txn) -> Result<void> {
        txn.put(key, "value" + key);
        return {};
      });
      REQUIRE(done.ok());
      CHECK(engine->last_sequence() == *done);
      if (durability == Durability::kHard) CHECK(engine->durable_sequence() == *done);
    }
    auto snapshot = engine->snapshot();
    CHECK(snapshot->sequence() == static_cast<Sequence>(2 * (round + 1)));
    for (int r = 0; r <= round; ++r) {
      const std::string key = "key" + std::to_string(r);
      CHECK(snapshot->get(key + "h") == "value" + key + "h");
      CHECK(snapshot->get(key + "s") == "value" + key + "s");
    }
    CHECK_FALSE(snapshot->get("key"));
  }
}

TEST_CASE("a failed job leaves nothing, its neighbours stay") {
  TempDirectory dir;
  auto engine = open_engine(dir);
  std::promise<void> go;
  auto gate = go.get_future().share();
  auto first = submit(*engine, Durability::kSoft, [gate](WriteTxn& txn) -> Result<void> {
    gate.wait();
    txn.put("a", "1");
    return {};
  });
  auto failing = submit(*engine, Durability::kSoft, [](WriteTxn& txn) -> Result<void> {
    txn.put("a", "2");
    txn.put("b", "2");
    return Error{ErrorKind::kExists, "no"};
  });
  auto throwing = submit(*engine, Durability::kSoft, [](WriteTxn& txn) -> Result<void> {
    txn.del("a");
    throw std::runtime_error("thrown");
  });
  auto last = submit(*engine, Durability::kHard, [](WriteTxn& txn) -> Result<void> {
    if (txn.get("a") != "1" || txn.get("b")) return Error{ErrorKind::kCorrupt, "wrong"};
    txn.put("c", "3");
    return {};
  });
  go.set_value();
  CHECK(first.get().ok());
  const auto failed = failing.get();
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().kind == ErrorKind::kExists);
  const auto threw = throwing.get();
  REQUIRE_FALSE(threw.ok());
  CHECK(threw.error().message == "thrown");
  CHECK(last.get().ok());
  auto snapshot = engine->snapshot();
  CHECK(snapshot->get("a") == "1");
  CHECK_FALSE(snapshot->get("b"));
  CHECK(snapshot->get("c") == "3");
}

TEST_CASE("a directory is opened once") {
  TempDirectory dir;
  auto engine = open_engine(dir);
  auto second = Engine::open({.directory = dir.path()});
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().kind == ErrorKind::kInUse);
  CHECK(second.error().message.find("pid " + std::to_string(::getpid())) != std::string::npos);
  engine.reset();
  CHECK(Engine::open({.directory = dir.path()}).ok());
}

TEST_CASE("keys up to the limit are taken, longer ones refused") {
  TempDirectory dir;
  auto engine = open_engine(dir);
  const std::string longest(engine->max_key_size(), 'k');
  auto put = [&](const std::string& key) {
    return run(*engine, Durability::kSoft, [&](WriteTxn& txn) -> Result<void> {
      txn.put(key, "v");
      return {};
    });
  };
  CHECK(put(longest).ok());
  const auto refused = put(longest + "k");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().kind == ErrorKind::kKeyTooLong);
  CHECK_FALSE(put("").ok());
  auto snapshot = engine->snapshot();
  CHECK(snapshot->get(longest) == "v");
  CHECK_FALSE(snapshot->get(longest + "k"));
}

TEST_CASE("a job's cursor sees its own writes among the committed ones") {
  TempDirectory dir;
  auto engine = open_engine(dir);
  REQUIRE(run(*engine, Durability::kSoft, [](WriteTxn& txn) -> Result<void> {
            for (const char* k : {"b", "d", "f", "h"}) txn.put(k, "old");
            return {};
          }).ok());
  auto list = [](Cursor& cursor) {
    std::string out;
    for (; cursor.valid(); cursor.next()) out += std::string(cursor.key()) + (cursor.value() == "new" ? "*" : "") + " ";
    return out;
  };
  REQUIRE(run(*engine, Durability::kSoft, [&](WriteTxn& txn) -> Result<void> {
            for (const char* k : {"a", "d", "e", "i"}) txn.put(k, "new");
            txn.del("f");
            txn.del("zz");
            CHECK(list(*txn.cursor({"", ""}, Direction::kForward)) == "a* b d* e* h i* ");
            CHECK(list(*txn.cursor({"", ""}, Direction::kBackward)) == "i* h e* d* b a* ");
            CHECK(list(*txn.cursor({"b", "h"}, Direction::kForward)) == "b d* e* ");
            CHECK(list(*txn.cursor({"b", "h"}, Direction::kBackward)) == "e* d* b ");
            auto cursor = txn.cursor({"b", "i"}, Direction::kForward);
            cursor->seek("dd");
            CHECK(list(*cursor) == "e* h ");
            auto backward = txn.cursor({"b", "i"}, Direction::kBackward);
            backward->seek("e");
            CHECK(list(*backward) == "d* b ");
            // Writes while a cursor is open: it goes on from where it stands.
            auto walking = txn.cursor({"", ""}, Direction::kForward);
            std::string seen;
            for (; walking->valid(); walking->next()) {
              const std::string key(walking->key());
              seen += key;
              txn.del(key);
              if (key == "b") txn.put("c", "new");
            }
            CHECK(seen == "abcdehi");
            CHECK_FALSE(txn.cursor({"", ""}, Direction::kForward)->valid());
            return Error{ErrorKind::kCancelled, "leave it"};
          }).ok() == false);
  auto snapshot = engine->snapshot();
  CHECK(list(*snapshot->cursor({"", ""}, Direction::kForward)) == "b d f h ");
  CHECK(list(*snapshot->cursor({"c", "h"}, Direction::kBackward)) == "f d ");
}
