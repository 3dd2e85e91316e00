// Values that lie in chunks: nobody above the engine may tell them from others.
#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <sstream>
#include <string>

#include "storage/engine/checkpoint_file.hpp"
#include "storage/engine/crc32c.hpp"
#include "storage/engine/stored_value.hpp"
#include "tests/storage/engine_fixture.hpp"

using namespace reqld::storage;

namespace {

using Model = std::map<std::string, std::string>;

std::string random_bytes(std::mt19937& random, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t at = 0; at < size; at += 64) out[at] = static_cast<char>(random());
  return out;
}

std::string random_value(std::mt19937& random) {
  static constexpr std::size_t kSizes[] = {0,         1,     100,   4079,   4080,   4081, kLargestWholeValue,
                                           kLargestWholeValue + 1, 40'000, 81'600, 300'000};
  if (random() % 10 == 0) return encode_chunked({random() % 5, random() % 100'000});
  return random_bytes(random, kSizes[random() % std::size(kSizes)]);
}

template <typename View>
void check_same(View& view, const Model& model) {
  for (const auto& [key, value] : model) {
    const auto found = view.get(key);
    REQUIRE(found);
    CHECK((*found == value));
  }
  auto cursor = view.cursor({}, Direction::kForward);
  for (const auto& [key, value] : model) {
    REQUIRE(cursor->valid());
    CHECK(cursor->key() == key);
    CHECK((cursor->value() == value));
    CHECK((cursor->value() == value));
    cursor->next();
  }
  CHECK_FALSE(cursor->valid());
  cursor = view.cursor({}, Direction::kBackward);
  for (auto it = model.rbegin(); it != model.rend(); ++it, cursor->next()) {
    REQUIRE(cursor->valid());
    CHECK(cursor->key() == it->first);
    CHECK((cursor->value() == it->second));
  }
  CHECK_FALSE(cursor->valid());
}

Result<Sequence> put(Engine& engine, const std::string& key, const std::string& value) {
  return run(engine, Durability::kSoft, [&](WriteTxn& txn) -> Result<void> {
    txn.put(key, value);
    return {};
  });
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("large values among small ones read as they were written, in a job, in snapshots, after a restart") {
  TempDirectory dir;
  std::mt19937 random(7);
  Model model;
  for (int round = 0; round < 4; ++round) {
    auto engine = open_engine(dir);
    for (int job = 0; job < 40; ++job) {
      auto done = run(*engine, Durability::kSoft, [&](WriteTxn& txn) -> Result<void> {
        for (int n = 0; n < 6; ++n) {
          const std::string key = "key" + std::to_string(random() % 30);
          if (random() % 4 == 0) {
            txn.del(key);
            model.erase(key);
          } else {
            const std::string value = random_value(random);
            txn.put(key, value);
            model[key] = value;
          }
        }
        if (job % 10 == 0) check_same(txn, model);
        return {};
      });
      REQUIRE(done.ok());
    }
    check_same(*engine->snapshot(), model);
  }
  check_same(*open_engine(dir)->snapshot(), model);
}

TEST_CASE("a snapshot keeps the large value it has seen while that is replaced and removed") {
  TempDirectory dir;
  auto engine = open_engine(dir);
  std::mt19937 random(1);
  const std::string first = random_bytes(random, 200'000);
  const std::string second = random_bytes(random, 250'000);
  REQUIRE(put(*engine, "a", first).ok());
  auto before = engine->snapshot();
  REQUIRE(put(*engine, "a", second).ok());
  auto between = engine->snapshot();
  REQUIRE(run(*engine, Durability::kHard, [](WriteTxn& txn) -> Result<void> {
            txn.del("a");
            return {};
          }).ok());
  REQUIRE(put(*engine, "b", std::string(100'000, 'b')).ok());
  CHECK((before->get("a") == first));
  CHECK((between->get("a") == second));
  CHECK_FALSE(engine->snapshot()->get("a"));
}

TEST_CASE("a failed job and a growth of the map leave large values whole") {
  TempDirectory dir;
  auto engine = open_engine(dir, {.map_bytes = 1u << 20});
  std::mt19937 random(2);
  Model model;
  for (int i = 0; i < 30; ++i) {
    const std::string key = "key" + std::to_string(i);
    const std::string value = random_bytes(random, 150'000);
    REQUIRE(put(*engine, key, value).ok());
    model[key] = value;
    REQUIRE_FALSE(run(*engine, Durability::kSoft, [&](WriteTxn& txn) -> Result<void> {
                    txn.put(key, std::string(170'000, 'x'));
                    return Error{ErrorKind::kCancelled, "no"};
                  }).ok());
  }
  check_same(*engine->snapshot(), model);
}

TEST_CASE("the room of large values is given back") {
  TempDirectory dir;
  EngineOptions options;
  options.checkpoint_seconds = 0.01;  // what is written shall soon be in the data file
  auto engine = open_engine(dir, options);
  const auto used = [&] { return engine->stats().used_bytes; };
  const std::uint64_t empty = used();
  std::mt19937 random(3);
  for (int i = 0; i < 20; ++i) REQUIRE(put(*engine, "key" + std::to_string(i), random_bytes(random, 500'000)).ok());
  CHECK(eventually([&] { return used() > empty + 20 * 500'000; }));
  for (int i = 0; i < 20; ++i) REQUIRE(put(*engine, "key" + std::to_string(i), "small").ok());
  CHECK(eventually([&] { return used() < empty + 100'000; }));
}

TEST_CASE("keys where the chunks lie are refused") {
  TempDirectory dir;
  auto engine = open_engine(dir);
  REQUIRE(put(*engine, "\xff\xff\xff\xfe", std::string(50'000, 'v')).ok());
  const auto refused = put(*engine, "\xff\xff\xff\xff" "a", "v");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().kind == ErrorKind::kInvalid);
  const auto snapshot = engine->snapshot();
  auto cursor = snapshot->cursor({"", "\xff\xff\xff\xff\xff"}, Direction::kBackward);
  REQUIRE(cursor->valid());
  CHECK(cursor->key() == "\xff\xff\xff\xfe");
}

TEST_CASE("a directory from before large values is taken over, and hidden from the program that made it") {
  TempDirectory dir;
  for (int round = 0; round < 2; ++round) {
    auto engine = open_engine(dir);
    REQUIRE(put(*engine, "a", std::to_string(round)).ok());
  }
  const std::string path = CheckpointFile::path(dir.path());
  const auto versions = [&] {
    const std::string bytes = read_file(path);
    REQUIRE(bytes.size() == 8192);
    return std::string{bytes[8], bytes[4096 + 8]};
  };
  CHECK(versions() == "\2\2");
  std::string old = read_file(path);
  for (const std::size_t at : {0, 4096}) {
    old[at + 8] = 1;
    const std::uint32_t crc = crc32c(0, old.data() + at, kCheckpointBytes - 4);
    std::memcpy(old.data() + at + kCheckpointBytes - 4, &crc, sizeof crc);
  }
  std::ofstream(path, std::ios::binary).write(old.data(), static_cast<std::streamsize>(old.size()));
  CHECK(versions() == "\1\1");
  auto engine = open_engine(dir);
  CHECK(versions() == "\2\2");
  CHECK(engine->snapshot()->get("a") == "1");
}

TEST_CASE("chunks that do not belong together are found") {
  TempDirectory dir;
  std::mt19937 random(4);
  {
    auto engine = open_engine(dir);
    for (int i = 0; i < 5; ++i) REQUIRE(put(*engine, "key" + std::to_string(i), random_bytes(random, 60'000)).ok());
  }
  const auto problems = [&] {
    std::string all;
    auto engine = Engine::open({.directory = dir.path(), .create = false, .read_only = true});
    REQUIRE(engine.ok());
    (*engine)->snapshot()->verify([&](const std::string& problem) { all += problem + "\n"; });
    return all;
  };
  CHECK(problems() == "");

  // As if the chunk were another value's.
  const std::string path = dir.path() + "/data.mdb";
  std::string data = read_file(path);
  const std::string key = chunk_key(3, 7);
  int changed = 0;
  for (std::size_t at = data.find(key); at != std::string::npos; at = data.find(key, at + 1), ++changed) data[at + 11] = 77;
  REQUIRE(changed > 0);
  std::ofstream(path, std::ios::binary).write(data.data(), static_cast<std::streamsize>(data.size()));
  const std::string found = problems();
  CHECK_MESSAGE(found.find("A chunk belongs to no value, number 77.") != std::string::npos, found);
  CHECK_MESSAGE(found.find("A chunk of value 3 is missing or out of order.") != std::string::npos, found);
  CHECK_MESSAGE(found.find("The chunks of value 3 have ") != std::string::npos, found);
  auto engine = Engine::open({.directory = dir.path(), .create = false, .read_only = true});
  REQUIRE(engine.ok());
  CHECK_THROWS_WITH((*engine)->snapshot()->get("key2"), "storage: a large value is not whole");
}
