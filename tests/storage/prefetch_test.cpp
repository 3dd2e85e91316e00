// Looking rows up by the layout of LMDB's pages finds what LMDB finds.
#include "storage/engine/prefetch.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "storage/engine/lmdb_env.hpp"
#include "tests/storage/engine_fixture.hpp"

namespace reqld::storage {
namespace {

class Environment {
 public:
  Environment() {
    auto opened = LmdbEnv::open({.directory = directory_.path(), .read_only = false, .map_bytes = 1u << 28});
    if (!opened) FAIL(opened.error().message);
    env_ = std::move(*opened);
  }

  void put(const std::vector<std::string>& keys, std::size_t value_bytes) {
    MDB_txn* txn = nullptr;
    REQUIRE(mdb_txn_begin(env_->env(), nullptr, 0, &txn) == 0);
    for (const std::string& key : keys) {
      MDB_val k = to_val(key);
      const std::string bytes(value_bytes, 'v');
      MDB_val v = to_val(bytes);
      REQUIRE(mdb_put(txn, env_->dbi(), &k, &v, 0) == 0);
    }
    REQUIRE(mdb_txn_commit(txn) == 0);
  }

  std::size_t found(MDB_txn* txn, const std::vector<std::string>& keys) {
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    return prefetch_rows({env_->map(txn), env_->page_size(), mdb_txn_id(txn)}, views);
  }
  std::size_t found(const std::vector<std::string>& keys) {
    MDB_txn* const txn = env_->acquire_read();
    const std::size_t n = found(txn, keys);
    env_->release_read(txn);
    return n;
  }

  unsigned depth() {
    MDB_txn* const txn = env_->acquire_read();
    MDB_stat stat{};
    mdb_stat(txn, env_->dbi(), &stat);
    env_->release_read(txn);
    return stat.ms_depth;
  }

  LmdbEnv& env() { return *env_; }

 private:
  TempDirectory directory_;
  std::unique_ptr<LmdbEnv> env_;
};

std::vector<std::string> random_keys(std::size_t count, std::size_t longest) {
  std::mt19937 random(7);
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < count; ++i) {
    keys.push_back(std::to_string(random()) + "-" + std::to_string(i));
    if (longest > keys.back().size()) keys.back().append(random() % (longest - keys.back().size()), 'k');
  }
  return keys;
}

}  // namespace

TEST_CASE("rows are found in trees of every depth") {
  struct Shape {
    std::size_t rows, longest_key, value_bytes;
    unsigned depth;
  };
  for (const Shape shape : {Shape{5, 20, 10, 1}, Shape{500, 20, 100, 2}, Shape{20'000, 20, 300, 3}, Shape{3'000, 500, 900, 5},
                            Shape{300, 20, 9000, 2}}) {
    CAPTURE(shape.rows);
    Environment environment;
    const auto keys = random_keys(shape.rows, shape.longest_key);
    environment.put(keys, shape.value_bytes);
    CHECK(environment.depth() == shape.depth);
    CHECK(environment.found(keys) == keys.size());
    auto with_strangers = keys;
    for (std::string& key : with_strangers) key += "!";
    with_strangers.insert(with_strangers.begin(), keys.begin(), keys.begin() + 3);
    with_strangers.push_back("");
    with_strangers.push_back("~");
    CHECK(environment.found(with_strangers) == 3);
  }
}

TEST_CASE("nothing is looked for when there is nothing to go by") {
  Environment environment;
  CHECK(environment.found({"a", "b"}) == 0);
  environment.put({"a", "b", "c"}, 10);
  CHECK(environment.found({}) == 0);
  CHECK(environment.found({"x"}) == 0);
  CHECK(environment.found({"a", "b", "c"}) == 3);
}

TEST_CASE("a snapshot looks in its own tree, or not at all") {
  Environment environment;
  environment.put({"a", "b"}, 10);
  MDB_txn* const snapshot = environment.env().acquire_read();
  CHECK(environment.found(snapshot, {"a", "b", "c"}) == 2);
  environment.put({"c"}, 10);
  CHECK(environment.found(snapshot, {"a", "b", "c"}) == 0);
  CHECK(environment.found({"a", "b", "c"}) == 3);
  environment.put({"d"}, 10);
  CHECK(environment.found(snapshot, {"a", "b", "c"}) == 0);
  environment.env().release_read(snapshot);
}

TEST_CASE("jobs that expect keys do what they would without, also while the map grows") {
  const TempDirectory directory;
  EngineOptions options;
  options.map_bytes = 1u << 20;
  const auto engine = open_engine(directory, options);
  const auto keys = random_keys(20'000, 40);
  std::vector<std::future<Result<Sequence>>> done;
  for (std::size_t first = 0; first < keys.size(); first += 100) {
    const std::vector<std::string> mine(keys.begin() + static_cast<std::ptrdiff_t>(first),
                                        keys.begin() + static_cast<std::ptrdiff_t>(first) + 100);
    auto expected = mine;
    expected.insert(expected.end(), {keys[first / 2], "nobody's", ""});
    auto promise = std::make_shared<std::promise<Result<Sequence>>>();
    done.push_back(promise->get_future());
    engine->submit(
        [mine](WriteTxn& txn) {
          for (const std::string& key : mine) txn.put(key, key + std::string(300, 'v'));
          return Result<void>();
        },
        Durability::kSoft, [promise](Result<Sequence> r) { promise->set_value(std::move(r)); }, std::move(expected));
    if (first % 1000 == 0) CHECK(done.back().wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  }
  for (auto& result : done) CHECK(result.get());
  const auto snapshot = engine->snapshot();
  const std::vector<std::string_view> some(keys.begin(), keys.begin() + 50);
  snapshot->prefetch(some);
  for (const std::string& key : keys) REQUIRE(snapshot->get(key) == key + std::string(300, 'v'));
}

}  // namespace reqld::storage
