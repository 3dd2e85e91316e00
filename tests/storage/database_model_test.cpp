// Random operations against std::map, reopened at random points; and readers beside a writer.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>

#include "storage/tools/check.hpp"
#include "tests/storage/test_database.hpp"

namespace reqld::storage {

namespace {

using Random = std::mt19937_64;

struct ModelTable {
  std::shared_ptr<const TableInfo> info;
  std::map<std::string, Datum> rows;  // binaries inline
};

class Model {
 public:
  Model(EngineKind kind, unsigned seed) : kind_(kind), random_(seed), db_(kind, 500) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    db_.reopen();
    refresh();
    verify();
    CHECK(eventually([&] { return db_.keys_in(kTaskSpace) + db_.keys_in(kGraveyardSpace) == 0; }));
    verify();
    while (!tables_.empty()) drop_table();
    CHECK(eventually([&] {
      return db_.keys_in(kTaskSpace) + db_.keys_in(kBlobSpace) + db_.keys_in(kChunkSpace) +
                 db_.keys_in(kGraveyardSpace) ==
             0;
    }));
    check();
  }

 private:
  void step() {
    const auto dice = random_() % 100;
    if (tables_.empty() || (dice < 3 && tables_.size() < 4))
      make_table();
    else if (dice < 5)
      drop_table();
    else if (dice < 9)
      change_indexes();
    else if (dice < 11) {
      db_.reopen();
      refresh();
      verify();
    } else if (dice < 16)
      verify();
    else if (dice < 18)
      check();
    else if (dice < 19)
      past_the_limits();
    else
      write(dice < 24);
  }

  void make_table() {
    const std::string name = "t" + std::to_string(next_++);
    tables_[name].info = db_.make_table(name);
  }
  void drop_table() {
    auto it = std::next(tables_.begin(), static_cast<std::ptrdiff_t>(random_() % tables_.size()));
    CHECK(db_.wait([&](Engine::Done done) { db_->drop_table(it->second.info->id, std::move(done)); }).ok());
    tables_.erase(it);
  }
  void change_indexes() {
    ModelTable& t = any_table();
    const std::string name = random_() % 2 ? "v" : "tags";
    if (db_.index(t.info->id, name)) {
      CHECK(db_.wait([&](Engine::Done done) { db_->drop_index(t.info->id, name, std::move(done)); }).ok());
    } else {
      db_.make_index(*t.info, name, name, name == "tags");
    }
  }
  ModelTable& any_table() {
    return std::next(tables_.begin(), static_cast<std::ptrdiff_t>(random_() % tables_.size()))->second;
  }

  std::string bytes() {
    // Around the threshold, and around the size of a chunk.
    static const std::size_t kSizes[] = {0, 1, 10, 499, 500, 501, 3000, 65'519, 65'520, 65'521, 131'041};
    std::size_t size = kSizes[random_() % std::size(kSizes)];
    if (kind_ == EngineKind::kReal && random_() % 100 == 0) size = (random_() % 10 + 1) << 20;
    return std::string(size, static_cast<char>(random_()));
  }

  /// One of a hundred or so, of every type that a primary key can have, some of the greatest length.
  Datum id() {
    const int n = static_cast<int>(random_() % 20);
    const auto length = [&] { return static_cast<std::size_t>(n < 15 ? n : 127); };
    switch (random_() % 9) {
      case 0:
      case 1:
        return Datum::integer(n);
      case 2:
        return Datum::number(n % 2 ? n + 0.5 : -1e100 * n);
      case 3:
        return Datum::string(std::string(length(), 's'));
      case 4:
        return Datum::string("row " + std::to_string(n));
      case 5:
        return Datum::boolean(n % 2 == 0);
      case 6:
        return Datum::binary(std::string(length(), 'b'));
      case 7:
        return Datum::time(n * 1e6, static_cast<std::int16_t>(n * 10));
      default:
        // Two bytes of the array's, two of the string's and nine of the number's: 129 in all at most.
        return Datum::array({Datum::integer(n), Datum::string(std::string(n < 15 ? 3 : 116, 'a'))});
    }
  }

  /// One byte more than a key may have, in any way: refused, and nothing has happened.
  void past_the_limits() {
    const Datum too_long[] = {Datum::string(std::string(128, 's')), Datum::binary(std::string(128, 'b')),
                              Datum::array({Datum::integer(1), Datum::string(std::string(117, 'a'))})};
    for (const Datum& d : too_long) CHECK_THROWS_AS((void)to_primary_key(d), DatumError);
    ModelTable& t = any_table();
    const auto put = [&](const std::string& key) {
      return db_.run([&](Writer& w) -> Result<void> {
        ObjectBuilder o;
        o.set("id", Datum::integer(1));
        if (auto good = w.put(*t.info, to_primary_key(Datum::integer(1)), o.finish()); !good)
          return good.error();
        if (auto bad = w.put(*t.info, key, o.finish()); !bad) return bad.error();
        return Error{ErrorKind::kInvalid, "a key that is too long was taken"};
      });
    };
    const auto refused = put(std::string(kMaxPrimaryKeyBytes + 1, 'k'));
    REQUIRE(!refused.ok());
    CHECK(refused.error().kind == ErrorKind::kKeyTooLong);
  }

  Datum document(const Datum& id) {
    ObjectBuilder o;
    o.set("id", id);
    if (random_() % 2)
      o.set("v", random_() % 3 ? Datum::integer(static_cast<int>(random_() % 20))
                               : Datum::string(std::string(random_() % 400, 'v')));
    if (random_() % 2)
      o.set("tags", Datum::array({Datum::integer(static_cast<int>(random_() % 5)), Datum::string("tag"),
                                  Datum::integer(1)}));
    if (random_() % 2)
      o.set("file", random_() % 4 ? Datum::binary(bytes())
                                  : Datum::array({Datum::binary(bytes()), Datum::binary(bytes())}));
    return o.finish();
  }

  void write(bool fail) {
    ModelTable& t = any_table();
    ModelTable& other = any_table();
    std::map<std::string, std::optional<Datum>> changed;
    // Chosen before: a job may be run more than once.
    struct Op {
      Datum id;
      int kind;
      Datum document;
    };
    std::vector<Op> ops;
    for (std::size_t n = 1 + random_() % 15; n > 0; --n) {
      const Datum id = this->id();
      ops.push_back({id, static_cast<int>(random_() % 8), document(id)});
    }
    if (random_() % 4 == 0) db_.rerun_batches(1);
    const auto done = db_.run(
        [&](Writer& w) -> Result<void> {
          changed.clear();
          const auto model = [&](const std::string& key) -> std::optional<Datum> {
            if (const auto it = changed.find(key); it != changed.end()) return it->second;
            if (const auto it = t.rows.find(key); it != t.rows.end()) return it->second;
            return std::nullopt;
          };
          for (const Op& op : ops) {
            const std::string key = to_primary_key(op.id);
            const std::optional<Datum> before = model(key);
            const auto current = w.get(*t.info, key);
            if (!current) return current.error();
            CHECK(current.value() == before);
            if (op.kind < 2) {
              const auto erased = w.erase(*t.info, key);
              if (!erased) return erased.error();
              CHECK(erased->old_row == before.value_or(Datum()));
              changed[key] = std::nullopt;
              continue;
            }
            Datum document = op.document;
            if (op.kind == 2 && before) {
              // Another field of the row as it is stored: its blobs stay.
              ObjectBuilder o(*current.value());
              o.set("touched", Datum::boolean(true));
              document = o.finish();
            } else if (op.kind == 3 && !other.rows.empty()) {
              // A value of another row, perhaps of another table.
              const auto from = w.get(*other.info, other.rows.begin()->first);
              if (!from) return from.error();
              if (from.value()) {
                ObjectBuilder o(op.document);
                if (const auto file = from.value()->get("file")) o.set("file", *file);
                document = o.finish();
              }
            }
            const auto put = w.put(*t.info, key, document);
            if (!put) return put.error();
            CHECK(put->old_row == before.value_or(Datum()));
            changed[key] = inlined(put->new_row);
          }
          if (fail) return Error{ErrorKind::kInvalid, "on purpose"};
          return {};
        },
        random_() % 4 ? Durability::kSoft : Durability::kHard);
    CHECK(done.ok() == !fail);
    if (!fail)
      for (const auto& [key, row] : changed) {
        if (row)
          t.rows[key] = *row;
        else
          t.rows.erase(key);
      }
  }

  static Datum inlined(const Datum& d) {
    if (!d.has_blob()) return d;
    if (d.type() == Type::kBinary) return Datum::binary(d.binary_bytes());
    if (d.type() == Type::kArray) {
      std::vector<Datum> values;
      for (std::size_t i = 0; i < d.array_size(); ++i) values.push_back(inlined(d.at(i)));
      return Datum::array(values);
    }
    ObjectBuilder o;
    for (std::size_t i = 0; i < d.object_size(); ++i) o.set(d.name_at(i), inlined(d.value_at(i)));
    return o.finish();
  }

  void refresh() {
    for (auto& [name, table] : tables_) {
      table.info = db_.find(name);
      REQUIRE(table.info);
    }
  }

  void verify() {
    CHECK(db_->catalog()->tables.size() == tables_.size());
    for (const auto& [name, table] : tables_) {
      CHECK(db_->reader()->count(*table.info) == table.rows.size());
      const std::vector<Row> rows =
          db_.scan(*table.info, {}, Direction::kForward, {.max_rows = 1 + random_() % 30});
      REQUIRE(rows.size() == table.rows.size());
      auto expected = table.rows.begin();
      for (const Row& row : rows) {
        REQUIRE(row.key == expected->first);
        REQUIRE(row.document == expected->second);
        ++expected;
      }
      if (!table.rows.empty()) {
        const auto& [key, row] =
            *std::next(table.rows.begin(), static_cast<std::ptrdiff_t>(random_() % table.rows.size()));
        CHECK(db_->reader()->get(*table.info, key) == row);
      }
    }
  }

  void check() {
    CheckOptions options;
    options.index_functions = [](const Datum& definition) {
      return std::make_shared<FieldIndex>(definition);
    };
    const CheckReport report = check_database(db_->engine(), options);
    for (const std::string& line : report.findings) MESSAGE(line);
    REQUIRE(report.ok());
  }

  const EngineKind kind_;
  Random random_;
  TestDatabase db_;
  std::map<std::string, ModelTable> tables_;
  int next_ = 0;
};

int seeds(int few) {
  const char* more = std::getenv("REQLD_MODEL_SEEDS");
  return more ? std::atoi(more) : few;
}

}  // namespace

TEST_CASE("random operations give what a map gives") {
  const EngineKind kind = each_engine();
  const char* first = std::getenv("REQLD_MODEL_FIRST");
  const unsigned from = first ? static_cast<unsigned>(std::atoi(first)) : 0;
  for (unsigned seed = from; seed < from + static_cast<unsigned>(seeds(kind == EngineKind::kMemory ? 20 : 5));
       ++seed) {
    CAPTURE(seed);
    Model(kind, seed).run(150);
  }
}

TEST_CASE("binaries of every size up to 64 MB come back, also after a restart") {
  TestDatabase db(EngineKind::kReal);
  auto t = db.make_table("t");
  std::vector<std::size_t> sizes;
  for (std::size_t size = 1; size <= (std::size_t{64} << 20); size *= 8) {
    if (size > 1) sizes.push_back(size - 1);
    sizes.push_back(size);
    if (size < (std::size_t{64} << 20)) sizes.push_back(size + 1);
  }
  sizes.insert(sizes.end(), {16'383, 16'384, 16'385, 65'519, 65'520, 65'521, std::size_t{64} << 20});
  // Pieces that are alike would hide a mistake in their order.
  std::string all(std::size_t{64} << 20, '\0');
  for (std::size_t i = 0; i < all.size(); i += 4) {
    const auto v = static_cast<std::uint32_t>(i * 2654435761u);
    std::memcpy(all.data() + i, &v, sizeof v);
  }
  for (const std::size_t size : sizes) {
    ObjectBuilder o;
    o.set("id", Datum::integer(static_cast<std::int64_t>(size)));
    o.set("file", Datum::binary(std::string_view(all).substr(0, size)));
    db.put(*t, o.finish());
  }
  for (int round = 0; round < 2; ++round) {
    for (const std::size_t size : sizes) {
      CAPTURE(size);
      const auto row = db.get(*t, Datum::integer(static_cast<std::int64_t>(size)));
      REQUIRE(row);
      REQUIRE(row->get("file")->binary_bytes() == std::string_view(all).substr(0, size));
    }
    db.reopen();
    t = db.find("t");
  }
  for (const std::size_t size : sizes) db.erase(*t, Datum::integer(static_cast<std::int64_t>(size)));
  CHECK(eventually([&] { return db.keys_in(kBlobSpace) + db.keys_in(kChunkSpace) == 0; }));
}

TEST_CASE("readers beside a writer see whole commits") {
  TestDatabase db(EngineKind::kReal, 1000);
  auto t = db.make_table("t");
  // Every row holds the same number, and a file that says so too.
  const auto write = [&](int number) {
    return db.run([&](Writer& w) -> Result<void> {
      const Datum file = Datum::binary(std::string(3000, static_cast<char>(number)));
      for (int id = 0; id < 20; ++id) {
        ObjectBuilder o;
        o.set("id", Datum::integer(id));
        o.set("n", Datum::integer(number));
        o.set("file", file);
        if (auto r = w.put(*t, to_primary_key(Datum::integer(id)), o.finish()); !r) return r.error();
      }
      return {};
    });
  };
  REQUIRE(write(0).ok());
  db.make_index(*t, "n", "n");
  const auto index = db.wait_ready(t->id, "n");
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, reads{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&, r] {
      for (int round = 0; !stop; ++round) {
        std::vector<Row> rows;
        if ((round + r) % 2)
          (void)db->reader()->scan(*t, {}, Direction::kForward, {}, rows);
        else
          (void)db->reader()->scan_index(*t, *index, {}, Direction::kBackward, std::nullopt, {}, true, rows);
        if (rows.size() != 20) ++wrong;
        for (const Row& row : rows) {
          const auto n = row.document.get("n")->as_integer();
          if (n != rows[0].document.get("n")->as_integer()) ++wrong;
          // Read after the reader is gone: the row keeps its blob.
          if (row.document.get("file")->binary_bytes() != std::string(3000, static_cast<char>(n))) ++wrong;
        }
        ++reads;
      }
    });
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  int written = 1;
  for (; std::chrono::steady_clock::now() < end || reads < 20; ++written)
    if (!write(written % 100).ok()) ++wrong;
  stop = true;
  for (std::thread& thread : readers) thread.join();
  CHECK(wrong == 0);
  CHECK(written > 10);
  CHECK(eventually([&] { return db.keys_in(kBlobSpace) == 20; }));
}

}  // namespace reqld::storage
