// What reading costs: LMDB alone, our engine over it, and rows of a table over that, all on the same keys and
// values.
//
//   ./dev bench micro storage_read [--rows=N] [--benchmark_filter=REGEX]
//
// get: a view of the newest state and one key in it. get_held: the view is there already. scan: every key in
// order.
#include <lmdb.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/micro.hpp"
#include "datum/key_codec.hpp"
#include "storage/database.hpp"

using namespace reqld;
using namespace reqld::bench;
using namespace reqld::storage;

namespace {

constexpr int kRowsPerCommit = 200;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(1);
}

void require(int rc) {
  if (rc != 0) fail(mdb_strerror(rc));
}

template <typename Start>
void wait(Start start) {
  std::promise<Result<Sequence>> promise;
  start([&promise](Result<Sequence> result) { promise.set_value(std::move(result)); });
  if (const auto result = promise.get_future().get(); !result) fail(result.error().message);
}

class Directory {
 public:
  Directory() : path_((std::filesystem::temp_directory_path() / "reqld-read-bench-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) fail("cannot make a directory for temporary files");
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }

  std::string sub(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

Datum document(int i) {
  ObjectBuilder o;
  char id[40];
  std::snprintf(id, sizeof id, "%08x-0000-4000-8000-%012d", static_cast<unsigned>(i) * 2654435761u, i);
  o.set("id", Datum::string(id));
  o.set("number", Datum::integer(i % 1000));
  o.set("name", Datum::string("somebody number " + std::to_string(i)));
  o.set("text", Datum::string(std::string(180, 'x')));
  return o.finish();
}

/// A table with rows in it.
class Rows {
 public:
  Rows(const Directory& directory, int count) {
    DatabaseOptions options;
    options.engine.directory = directory.sub("db");
    auto opened = Database::open(std::move(options));
    if (!opened) fail(opened.error().message);
    db_ = std::move(*opened);
    TableInfo info;
    info.name = "rows";
    wait([&](auto done) { db_->create_table(db_->catalog()->db("test")->id, info, std::move(done)); });
    const auto catalog = db_->catalog();
    table_ = catalog->table(*catalog->db("test"), info.name);
    for (int from = 0; from < count; from += kRowsPerCommit) {
      const auto put = [&](Writer& w) -> Result<void> {
        for (int i = from; i < std::min(count, from + kRowsPerCommit); ++i) {
          const Datum d = document(i);
          if (auto r = w.put(*table_, to_primary_key(d.get("id").value()), d); !r) return r.error();
        }
        return {};
      };
      wait([&](auto done) { db_->submit(put, Durability::kSoft, std::move(done)); });
    }
  }

  Database& db() { return *db_; }
  const TableInfo& table() const { return *table_; }

  /// Of the table's rows in the engine.
  KeyRange range() const { return {prefix(table_->space), prefix(table_->space + 1)}; }

  static std::string prefix(std::uint32_t space) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(space >> shift);
    return bytes;
  }

 private:
  std::unique_ptr<Database> db_;
  std::shared_ptr<const TableInfo> table_;
};

MDB_val view(std::string_view s) {
  return {s.size(), const_cast<char*>(s.data())};
}

/// LMDB with nothing of ours around it, opened as the engine opens it.
class Lmdb {
 public:
  using Pair = std::pair<std::string, std::string>;

  Lmdb(const Directory& directory, const std::vector<Pair>& pairs) {
    const std::string path = directory.sub("lmdb");
    std::filesystem::create_directories(path);
    require(mdb_env_create(&env_));
    require(mdb_env_set_mapsize(env_, std::size_t{1} << 34));
    require(mdb_env_open(env_, path.c_str(), MDB_NOTLS | MDB_NORDAHEAD | MDB_NOSYNC, 0600));
    MDB_txn* txn = nullptr;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (txn == nullptr) {
        require(mdb_txn_begin(env_, nullptr, 0, &txn));
        if (i == 0) require(mdb_dbi_open(txn, nullptr, 0, &dbi_));
      }
      MDB_val key = view(pairs[i].first), value = view(pairs[i].second);
      require(mdb_put(txn, dbi_, &key, &value, 0));
      if ((i + 1) % kRowsPerCommit == 0 || i + 1 == pairs.size()) {
        require(mdb_txn_commit(txn));
        txn = nullptr;
      }
    }
    require(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &read_));
  }
  Lmdb(const Lmdb&) = delete;
  Lmdb& operator=(const Lmdb&) = delete;
  ~Lmdb() {
    mdb_txn_abort(read_);
    mdb_env_close(env_);
  }

  void renew() {
    mdb_txn_reset(read_);
    require(mdb_txn_renew(read_));
  }
  std::string_view get(std::string_view wanted) {
    MDB_val key = view(wanted), value{};
    require(mdb_get(read_, dbi_, &key, &value));
    return {static_cast<const char*>(value.mv_data), value.mv_size};
  }
  std::size_t scan(MDB_cursor_op first, MDB_cursor_op next) {
    MDB_cursor* cursor = nullptr;
    require(mdb_cursor_open(read_, dbi_, &cursor));
    MDB_val key{}, value{};
    std::size_t rows = 0;
    for (int rc = mdb_cursor_get(cursor, &key, &value, first); rc == 0;
         rc = mdb_cursor_get(cursor, &key, &value, next)) {
      DoNotOptimize(value);
      ++rows;
    }
    mdb_cursor_close(cursor);
    return rows;
  }

 private:
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
  MDB_txn* read_ = nullptr;
};

/// The same keys again and again, in an order that is not theirs.
class Keys {
 public:
  explicit Keys(const std::vector<Lmdb::Pair>& pairs, std::size_t skip = 0) {
    for (const auto& [key, value] : pairs) keys_.push_back(key.substr(skip));
  }
  const std::string& next() {
    if (++at_ == keys_.size()) at_ = 0;
    return keys_[at_];
  }

 private:
  std::vector<std::string> keys_;
  std::size_t at_ = 0;
};

/// What the engine holds of the table, shuffled: loaded in this order, LMDB's pages are as full as the
/// engine's.
std::vector<Lmdb::Pair> pairs_of(Rows& rows) {
  std::vector<Lmdb::Pair> pairs;
  const auto snapshot = rows.db().engine().snapshot();
  for (auto c = snapshot->cursor(rows.range(), Direction::kForward); c->valid(); c->next())
    pairs.emplace_back(c->key(), c->value());
  std::shuffle(pairs.begin(), pairs.end(), std::mt19937_64(1));
  return pairs;
}

std::size_t scan_engine(Rows& rows, Direction direction) {
  const auto snapshot = rows.db().engine().snapshot();
  std::size_t count = 0;
  for (auto c = snapshot->cursor(rows.range(), direction); c->valid(); c->next()) {
    DoNotOptimize(c->value());
    ++count;
  }
  return count;
}

std::size_t scan_table(Rows& rows, Direction direction, std::vector<Row>& out) {
  KeyRange range;
  std::size_t count = 0;
  for (;;) {
    out.clear();
    const auto more = rows.db().reader()->scan(rows.table(), range, direction, {}, out);
    count += out.size();
    if (!more) return count;
    (direction == Direction::kForward ? range.lower : range.upper) = *more;
  }
}

void check(std::size_t rows, std::size_t expected) {
  if (rows != expected) fail("a scan has seen " + std::to_string(rows) + " rows");
}

}  // namespace

int main(int argc, char** argv) {
  int count = 100'000;
  constexpr std::string_view kRowsOption = "--rows=";
  argc = static_cast<int>(std::remove_if(argv + 1, argv + argc,
                                         [&](const char* argument) {
                                           const std::string_view option = argument;
                                           if (!option.starts_with(kRowsOption)) return false;
                                           count = std::atoi(argument + kRowsOption.size());
                                           return true;
                                         }) -
                          argv);
  if (count < 1) fail("--rows wants a number above 0");

  const Directory directory;
  Rows rows(directory, count);
  const std::vector<Lmdb::Pair> pairs = pairs_of(rows);
  const std::size_t size = pairs.size();
  check(size, static_cast<std::size_t>(count));
  Lmdb lmdb(directory, pairs);
  // The three begin at the same key, each with a place of its own.
  Keys for_table(pairs, Rows::prefix(0).size()), for_engine(pairs), for_lmdb(pairs);
  const auto held = rows.db().engine().snapshot();
  const auto reader = rows.db().reader();
  std::vector<Row> out;
  const Work one{.items = 1};

  add("storage/get/row", one,
      [&] { DoNotOptimize(rows.db().reader()->get(rows.table(), for_table.next()).value()); });
  add("engine/get/row", one,
      [&] { DoNotOptimize(rows.db().engine().snapshot()->get(for_engine.next()).value()); });
  add("limit/lmdb_get/row", one, [&] { lmdb.renew(), DoNotOptimize(lmdb.get(for_lmdb.next())); });

  add("storage/get_held/row", one,
      [&] { DoNotOptimize(reader->get(rows.table(), for_table.next()).value()); });
  add("engine/get_held/row", one, [&] { DoNotOptimize(held->get(for_engine.next()).value()); });
  add("limit/lmdb_get_held/row", one, [&] { DoNotOptimize(lmdb.get(for_lmdb.next())); });

  add("storage/view/empty", one, [&] { DoNotOptimize(rows.db().reader()->sequence()); });
  add("engine/view/empty", one, [&] { DoNotOptimize(rows.db().engine().snapshot()->sequence()); });
  add("limit/lmdb_renew/empty", one, [&] { lmdb.renew(); });

  const Work all{.items = size};
  add("storage/scan_forward/table", all, [&] { check(scan_table(rows, Direction::kForward, out), size); });
  add("engine/scan_forward/table", all, [&] { check(scan_engine(rows, Direction::kForward), size); });
  add("limit/lmdb_scan_forward/table", all, [&] { check(lmdb.scan(MDB_FIRST, MDB_NEXT), size); });
  add("storage/scan_backward/table", all, [&] { check(scan_table(rows, Direction::kBackward, out), size); });
  add("engine/scan_backward/table", all, [&] { check(scan_engine(rows, Direction::kBackward), size); });
  add("limit/lmdb_scan_backward/table", all, [&] { check(lmdb.scan(MDB_LAST, MDB_PREV), size); });
  return run(argc, argv);
}
