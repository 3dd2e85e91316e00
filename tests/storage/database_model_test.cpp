// Random operations against std::map, reopened at random points; and readers beside a writer.
#include <atomic>
#include <cstdlib>
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
  Model(EngineKind kind, unsigned seed) : random_(seed), db_(kind, 500) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    db_.reopen();
    refresh();
    verify();
    CHECK(db_.eventually([&] { return db_.keys_in(kTaskSpace) + db_.keys_in(kGraveyardSpace) == 0; }));
    verify();
    while (!tables_.empty()) drop_table();
    CHECK(db_.eventually([&] {
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
    static const std::size_t kSizes[] = {0, 10, 499, 500, 501, 3000, 70'000};
    return std::string(kSizes[random_() % std::size(kSizes)], static_cast<char>(random_()));
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
      const Datum id = random_() % 2 ? Datum::integer(static_cast<int>(random_() % 50))
                                     : Datum::string("row " + std::to_string(random_() % 30));
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
  CHECK(db.eventually([&] { return db.keys_in(kBlobSpace) == 20; }));
}

}  // namespace reqld::storage
