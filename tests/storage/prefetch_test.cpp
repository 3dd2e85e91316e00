// Looking rows up by the layout of LMDB's pages finds what LMDB finds.
#include "storage/engine/prefetch.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <span>
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
    const auto known = tree(txn);
    std::vector<LeafRow> rows(views.size());
    const std::size_t n = known ? prefetch_rows(*known, views, rows) : 0;
    for (std::size_t i = 0; i < n; ++i) {
      MDB_val key = to_val(rows[i].key);
      MDB_val value{};
      REQUIRE(mdb_get(txn, env_->dbi(), &key, &value) == 0);
      // Not only the same bytes: the same place.
      CHECK(to_view(value).data() == rows[i].stored.data());
      CHECK(value.mv_size == rows[i].stored.size());
    }
    return n;
  }
  std::size_t found(const std::vector<std::string>& keys) {
    auto reader = env_->acquire_read();
    MDB_txn* const txn = reader->txn;
    const std::size_t n = found(txn, keys);
    env_->release_read(std::move(reader));
    return n;
  }

  std::optional<Tree> tree(MDB_txn* txn) { return tree_of({env_->map(txn), env_->page_size(), mdb_txn_id(txn)}); }

  struct Leaf {
    const char* page;
    std::string key;  ///< of the row that a walk meets first in it
  };
  std::vector<Leaf> leaves(MDB_txn* txn, bool forward) {
    MDB_cursor* cursor = nullptr;
    REQUIRE(mdb_cursor_open(txn, env_->dbi(), &cursor) == 0);
    std::vector<Leaf> leaves;
    MDB_val key{};
    MDB_val value{};
    while (mdb_cursor_get(cursor, &key, &value, forward ? MDB_NEXT : MDB_PREV) == 0) {
      const char* const at = static_cast<const char*>(key.mv_data);
      const char* const page = at - reinterpret_cast<std::uintptr_t>(at) % env_->page_size();
      if (leaves.empty() || leaves.back().page != page) leaves.push_back({page, std::string(to_view(key))});
    }
    mdb_cursor_close(cursor);
    return leaves;
  }

  unsigned depth() {
    auto reader = env_->acquire_read();
    MDB_txn* const txn = reader->txn;
    MDB_stat stat{};
    mdb_stat(txn, env_->dbi(), &stat);
    env_->release_read(std::move(reader));
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

struct Shape {
  std::size_t rows, longest_key, value_bytes;
  unsigned depth;
};
constexpr Shape kShapes[] = {{5, 20, 10, 1}, {500, 20, 100, 2}, {20'000, 20, 300, 3}, {3'000, 500, 900, 5}, {300, 20, 9000, 2}};

/// The leaves that are asked for by who begins in the first of `leaves`.
std::vector<const char*> asked_for(const Tree& tree, bool forward, std::span<const Environment::Leaf> leaves) {
  std::vector<const char*> asked;
  for (LeafAhead ahead(tree, forward, leaves.front().key); ahead.leaf() != nullptr; ahead.advance()) {
    asked.push_back(ahead.leaf());
    for (int i = 0; i < 20; ++i) ahead.ask();
  }
  return asked;
}

}  // namespace

TEST_CASE("rows are found in trees of every depth") {
  for (const Shape& shape : kShapes) {
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

TEST_CASE("a cursor's next leaves are asked for in its order") {
  for (const Shape& shape : kShapes) {
    Environment environment;
    environment.put(random_keys(shape.rows, shape.longest_key), shape.value_bytes);
    auto reader = environment.env().acquire_read();
    MDB_txn* const txn = reader->txn;
    const auto tree = environment.tree(txn);
    REQUIRE(tree);
    for (const bool forward : {true, false}) {
      CAPTURE(shape.rows);
      CAPTURE(forward);
      const auto leaves = environment.leaves(txn, forward);
      for (const std::size_t from : {std::size_t{0}, leaves.size() / 3, leaves.size() - 1}) {
        std::vector<const char*> rest;
        for (std::size_t i = from + 1; i < leaves.size(); ++i) rest.push_back(leaves[i].page);
        CHECK(asked_for(*tree, forward, std::span(leaves).subspan(from)) == rest);
      }
    }
    environment.env().release_read(std::move(reader));
  }
}

TEST_CASE("a tree stays known while its snapshot is held, whatever is written meanwhile") {
  Environment environment;
  const auto keys = random_keys(5'000, 20);
  environment.put(keys, 100);
  auto reader = environment.env().acquire_read();
  MDB_txn* const snapshot = reader->txn;
  const auto tree = environment.tree(snapshot);
  REQUIRE(tree);
  const auto leaves = environment.leaves(snapshot, true);
  for (int i = 0; i < 4; ++i) environment.put(random_keys(5'000, 30), 150);
  CHECK_FALSE(environment.tree(snapshot));
  CHECK(asked_for(*tree, true, leaves).size() == leaves.size() - 1);
  std::vector<LeafRow> rows(keys.size());
  CHECK(prefetch_rows(*tree, std::vector<std::string_view>(keys.begin(), keys.end()), rows) == keys.size());
  environment.env().release_read(std::move(reader));
}

TEST_CASE("a damaged tree does not lead out of the file") {
  Environment environment;
  const auto keys = random_keys(3'000, 60);
  environment.put(keys, 100);
  auto reader = environment.env().acquire_read();
  MDB_txn* const txn = reader->txn;
  const Tree whole = environment.tree(txn).value();
  const std::vector<char> file(whole.map, whole.map + (whole.last_page + 1) * whole.page_size);
  environment.env().release_read(std::move(reader));
  const std::vector<std::string_view> views(keys.begin(), keys.begin() + 100);
  std::mt19937 random(11);
  std::size_t asked = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<char> damaged = file;
    Tree tree = whole;
    tree.map = damaged.data();
    for (int i = 0; i < 200; ++i) {
      // Mostly where the offsets of the nodes are.
      const std::size_t page = random() % (tree.last_page + 1) * tree.page_size;
      damaged[page + random() % (i % 2 == 0 ? 64 : tree.page_size)] = static_cast<char>(random());
    }
    if (round % 10 == 0) tree.depth += random() % 3;
    if (round % 11 == 0) tree.root = random() % (2 * tree.last_page);
    std::vector<LeafRow> rows(views.size());
    rows.resize(prefetch_rows(tree, views, rows));
    for (const LeafRow& row : rows) {
      CHECK(row.stored.data() >= damaged.data());
      CHECK(row.stored.data() + row.stored.size() <= damaged.data() + damaged.size());
    }
    LeafAhead ahead(tree, round % 2 == 0, views[random() % views.size()]);
    for (int i = 0; i < 1'000 && ahead.leaf() != nullptr; ++i, ++asked) {
      ahead.ask();
      ahead.advance();
    }
  }
  CHECK(asked > 300);
}

TEST_CASE("rows that were looked for are known in their order, whichever are left out") {
  Environment environment;
  const auto keys = random_keys(300, 20);
  environment.put(keys, 100);
  auto reader = environment.env().acquire_read();
  MDB_txn* const txn = reader->txn;
  const auto tree = environment.tree(txn);
  REQUIRE(tree);
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  const auto stored = [&](const std::string& key) {
    MDB_val k = to_val(key);
    MDB_val v{};
    REQUIRE(mdb_get(txn, environment.env().dbi(), &k, &v) == 0);
    return to_view(v).data();
  };
  RowsAhead ahead;
  CHECK_FALSE(ahead.take(keys[0]));
  for (const std::size_t left_out : {0, 1, 7, 15}) {
    CAPTURE(left_out);
    ahead.look_for(*tree, views);
    for (std::size_t i = 0; i < keys.size(); i += 1 + left_out) {
      CHECK_FALSE(ahead.take(keys[i] + "!"));
      const auto found = ahead.take(keys[i]);
      REQUIRE(found);
      CHECK(found->data() == stored(keys[i]));
      CHECK_FALSE(ahead.take(keys[i]));
    }
  }
  // Those that nobody comes for are forgotten.
  ahead.look_for(*tree, views);
  for (int i = 0; i < 15; ++i) CHECK_FALSE(ahead.take("nobody's"));
  CHECK(ahead.take(keys[0]));
  for (int i = 0; i < 16; ++i) CHECK_FALSE(ahead.take("nobody's"));
  CHECK_FALSE(ahead.take(keys[1]));
  // What was looked for before is, too.
  ahead.look_for(*tree, std::span(views).first(3));
  ahead.look_for(*tree, std::span(views).subspan(3, 3));
  CHECK_FALSE(ahead.take(keys[0]));
  CHECK(ahead.take(keys[3]));
  environment.env().release_read(std::move(reader));
}

TEST_CASE("what a pooled reader knows is its next user's, until there is another version or another map") {
  Environment environment;
  environment.put(random_keys(100, 20), 100);
  const auto keys = random_keys(100, 20);
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  LmdbEnv& env = environment.env();
  const auto look_for = [&](PooledReader& reader) {
    const auto tree = environment.tree(reader.txn);
    REQUIRE(tree);
    reader.ahead.look_for(*tree, views);
    reader.tree = tree;
    reader.looked_for_tree = true;
  };
  auto reader = env.acquire_read();
  PooledReader* const first = reader.get();
  look_for(*reader);
  env.release_read(std::move(reader));

  reader = env.acquire_read();
  REQUIRE(reader.get() == first);
  CHECK(reader->looked_for_tree);
  CHECK(reader->ahead.take(keys[0]));
  env.release_read(std::move(reader));

  environment.put({"another"}, 10);
  reader = env.acquire_read();
  REQUIRE(reader.get() == first);
  CHECK_FALSE(reader->looked_for_tree);
  CHECK_FALSE(reader->ahead.take(keys[1]));
  look_for(*reader);
  env.release_read(std::move(reader));

  REQUIRE(env.grow().ok());
  reader = env.acquire_read();
  REQUIRE(reader.get() == first);
  CHECK_FALSE(reader->looked_for_tree);
  CHECK_FALSE(reader->ahead.take(keys[1]));
  look_for(*reader);
  CHECK(reader->ahead.take(keys[1]));
  env.release_read(std::move(reader));
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
  auto reader = environment.env().acquire_read();
  MDB_txn* const snapshot = reader->txn;
  CHECK(environment.found(snapshot, {"a", "b", "c"}) == 2);
  environment.put({"c"}, 10);
  CHECK(environment.found(snapshot, {"a", "b", "c"}) == 0);
  CHECK(environment.found({"a", "b", "c"}) == 3);
  environment.put({"d"}, 10);
  CHECK(environment.found(snapshot, {"a", "b", "c"}) == 0);
  environment.env().release_read(std::move(reader));
}

/// Puts keys, and says what became of it.
class PutRequest final : public EngineRequest {
 public:
  PutRequest(std::vector<std::string> keys, std::vector<std::string> expected)
      : EngineRequest(Durability::kSoft), keys_(std::move(keys)) {
    expect(std::move(expected));
  }
  std::future<Result<Sequence>> result() { return promise_.get_future(); }

  Result<void> run(WriteTxn& txn) override {
    for (const std::string& key : keys_) txn.put(key, key + std::string(300, 'v'));
    return {};
  }
  void finished(Result<Sequence> result) override { promise_.set_value(std::move(result)); }

 private:
  const std::vector<std::string> keys_;
  std::promise<Result<Sequence>> promise_;
};

TEST_CASE("jobs that expect keys do what they would without, also while the map grows") {
  const TempDirectory directory;
  EngineOptions options;
  options.map_bytes = 1u << 20;
  std::deque<PutRequest> requests;  // outlive the engine, which may still be in finished() when its result is known
  const auto engine = open_engine(directory, options);
  const auto keys = random_keys(20'000, 40);
  std::vector<std::future<Result<Sequence>>> done;
  for (std::size_t first = 0; first < keys.size(); first += 100) {
    const std::vector<std::string> mine(keys.begin() + static_cast<std::ptrdiff_t>(first),
                                        keys.begin() + static_cast<std::ptrdiff_t>(first) + 100);
    auto expected = mine;
    expected.insert(expected.end(), {keys[first / 2], "nobody's", ""});
    PutRequest& request = requests.emplace_back(mine, std::move(expected));
    done.push_back(request.result());
    engine->submit(request);
    if (first % 1000 == 0) CHECK(done.back().wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  }
  for (auto& result : done) CHECK(result.get());
  const auto snapshot = engine->snapshot();
  const std::vector<std::string_view> some(keys.begin(), keys.begin() + 50);
  snapshot->prefetch(some);
  for (const std::string& key : keys) REQUIRE(snapshot->get(key) == key + std::string(300, 'v'));
}

}  // namespace reqld::storage
