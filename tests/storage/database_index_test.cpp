#include <algorithm>
#include <map>
#include <random>

#include "tests/storage/test_database.hpp"

namespace reqld::storage {

namespace {

using Random = std::mt19937_64;

// Short and long, with beginnings in common up to and past the length that an entry keeps.
std::string random_text(Random& random) {
  static const std::size_t kPrefixes[] = {0, 0, 3, 240, 247, 248, 249, 250, 251, 300, 600};
  std::string s(kPrefixes[random() % std::size(kPrefixes)], static_cast<char>('a' + random() % 2));
  for (std::size_t n = random() % 4; n > 0; --n) s.push_back("\0\1abc"[random() % 5]);
  return s;
}

Datum random_value(Random& random, int depth = 0) {
  switch (random() % (depth < 2 ? 9 : 7)) {
    case 0:
      return Datum::integer(static_cast<int>(random() % 5) - 2);
    case 1:
      return Datum::number(random() % 2 ? -0.0 : 0.5);
    case 2:
      return Datum::boolean(random() % 2 == 0);
    case 3:
      return Datum::binary(random_text(random));
    case 4:
      return Datum::time(static_cast<double>(random() % 3), static_cast<std::int16_t>(random() % 3 * 60));
    case 5:
    case 6:
      return Datum::string(random_text(random));
    default: {
      std::vector<Datum> values;
      for (std::size_t n = random() % 4; n > 0; --n) values.push_back(random_value(random, depth + 1));
      return Datum::array(values);
    }
  }
}

struct Naive {
  std::string value_key;
  std::string primary_key;
  Datum value;
};

// What the index must hold, in order.
std::vector<Naive> naive_index(const std::map<std::string, Datum>& rows, const FieldIndex& function) {
  std::vector<Naive> out;
  for (const auto& [key, row] : rows) {
    std::vector<Datum> values;
    function.keys(row, values);
    for (const Datum& value : values) out.push_back({to_key(value), key, value});
  }
  std::stable_sort(out.begin(), out.end(), [](const Naive& a, const Naive& b) {
    return std::tie(a.value_key, a.primary_key) < std::tie(b.value_key, b.primary_key);
  });
  return out;
}

std::string random_bound(Random& random, const std::vector<Naive>& all) {
  std::string bound =
      all.empty() || random() % 8 == 0 ? to_key(random_value(random)) : all[random() % all.size()].value_key;
  switch (random() % 5) {
    case 0:
      return bound + '\0';
    case 1:
      return prefix_successor(bound);
    case 2:
      return bound.substr(0, 1 + random() % bound.size());
    default:
      return bound;
  }
}

void check_scans(TestDatabase& db, const TableInfo& table, const IndexInfo& index,
                 const std::map<std::string, Datum>& rows, const FieldIndex& function, Random& random,
                 int rounds, std::size_t batch = 20) {
  const std::vector<Naive> all = naive_index(rows, function);
  for (int round = 0; round < rounds; ++round) {
    KeyRange range;
    if (random() % 3 != 0) range.lower = random_bound(random, all);
    if (random() % 3 != 0) range.upper = random_bound(random, all);
    std::vector<Naive> expected;
    for (const Naive& n : all)
      if (n.value_key >= range.lower && (range.upper.empty() || n.value_key < range.upper))
        expected.push_back(n);
    const Direction direction = random() % 2 ? Direction::kForward : Direction::kBackward;
    if (direction == Direction::kBackward) std::reverse(expected.begin(), expected.end());
    const Reader::Limits limits{.max_rows = 1 + random() % batch,
                                .max_bytes = random() % 3 ? 1u << 20 : 1 + random() % (150 * batch)};
    const bool documents = random() % 3 != 0;
    const std::vector<Row> found = db.scan_index(table, index, range, direction, limits, documents);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      REQUIRE(found[i].key == expected[i].primary_key);
      REQUIRE(to_key(found[i].index_value) == expected[i].value_key);
      // Equal values of one row may differ in what the order does not look at; then any order among them will
      // do.
      const auto same = [&](const Naive& n) {
        return n.primary_key == found[i].key && n.value.encoded() == found[i].index_value.encoded();
      };
      REQUIRE(std::any_of(expected.begin(), expected.end(), same));
      if (documents)
        REQUIRE(found[i].document == rows.at(found[i].key));
      else
        REQUIRE(found[i].document.is_null());
    }
  }
}

Datum random_row(Random& random, int id, bool multi) {
  ObjectBuilder o;
  o.set("id", Datum::integer(id));
  if (random() % 10 != 0) {
    Datum value = random_value(random);
    if (multi && random() % 4 != 0) {
      std::vector<Datum> values;
      for (std::size_t n = random() % 6; n > 0; --n)
        values.push_back(random() % 4 == 0 && !values.empty() ? values.back() : random_value(random));
      value = Datum::array(values);
    }
    o.set("v", value);
  }
  return o.finish();
}

}  // namespace

TEST_CASE("index scans equal those of an index without a limit on keys") {
  const EngineKind kind = each_engine();
  for (unsigned seed = 0; seed < (kind == EngineKind::kReal ? 4 : 30); ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const bool multi = seed % 2 == 1;
    TestDatabase db(kind);
    auto t = db.make_table("t");
    const FieldIndex function(field_index("v", multi));
    std::map<std::string, Datum> rows;
    const int ids = 1 + static_cast<int>(random() % 80);
    if (seed % 3 != 0) db.make_index(*t, "v", "v", multi);
    for (int round = 0; round < 3; ++round) {
      CHECK(db.run([&](Writer& w) -> Result<void> {
                for (int i = 0; i < 60; ++i) {
                  const int id = static_cast<int>(random() % ids);
                  const std::string key = to_primary_key(Datum::integer(id));
                  if (random() % 4 == 0) {
                    if (auto r = w.erase(*t, key); !r) return r.error();
                    rows.erase(key);
                    continue;
                  }
                  const Datum row = random_row(random, id, multi);
                  if (auto r = w.put(*t, key, row); !r) return r.error();
                  rows[key] = row;
                }
                return {};
              }).ok());
      if (round == 0 && seed % 3 == 0) db.make_index(*t, "v", "v", multi);
      const auto index = db.wait_ready(t->id, "v");
      check_scans(db, *t, *index, rows, function, random, 30);
    }
  }
}

TEST_CASE("an index is built while rows are written, and is exact when it is ready") {
  TestDatabase db(EngineKind::kReal);
  Random random(5);
  auto t = db.make_table("t");
  std::map<std::string, Datum> rows;
  const auto write = [&](int from, int n) {
    CHECK(db.run([&](Writer& w) -> Result<void> {
              for (int i = 0; i < n; ++i) {
                const int id = from >= 0 ? from + i : static_cast<int>(random() % 3000);
                const std::string key = to_primary_key(Datum::integer(id));
                if (from < 0 && random() % 3 == 0) {
                  if (auto r = w.erase(*t, key); !r) return r.error();
                  rows.erase(key);
                  continue;
                }
                const Datum row = random_row(random, id, true);
                if (auto r = w.put(*t, key, row); !r) return r.error();
                rows[key] = row;
              }
              return {};
            }).ok());
  };
  for (int i = 0; i < 2500; i += 500) write(i, 500);
  db.make_index(*t, "v", "v", true);
  db.make_index(*t, "id", "id");
  // At least once: on a busy machine the builds may be done before the first look.
  do {
    write(-1, 20);
    (void)db.run([&](Writer& w) -> Result<void> {
      (void)w.put(*t, to_primary_key(Datum::integer(static_cast<int>(random() % 2500))), json(R"({"id":0})"));
      return Error{ErrorKind::kInvalid, "noted, but never done"};
    });
    if (db.index(t->id, "v")->ready) CHECK(db.index(t->id, "v")->built_rows >= 1500);
  } while (!db.index(t->id, "v")->ready || !db.index(t->id, "id")->ready);
  check_scans(db, *t, *db.index(t->id, "v"), rows, FieldIndex(field_index("v", true)), random, 10, 2000);
  CHECK(db.scan_index(*t, *db.index(t->id, "id")).size() == rows.size());
  db.reopen();
  t = db.find("t");
  CHECK(db.index(t->id, "v")->ready);
  check_scans(db, *t, *db.index(t->id, "v"), rows, FieldIndex(field_index("v", true)), random, 5, 4000);
}

TEST_CASE("a build goes on after the database was closed in the middle of it") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  for (int i = 0; i < 20000; i += 1000) {
    CHECK(db.run([&](Writer& w) -> Result<void> {
              for (int k = i; k < i + 1000; ++k)
                if (auto r = w.put(
                        *t, to_primary_key(Datum::integer(k)),
                        json(R"({"id":)" + std::to_string(k) + R"(,"v":)" + std::to_string(k % 100) + "}"));
                    !r)
                  return r.error();
              return {};
            }).ok());
  }
  db.make_index(*t, "v", "v");
  for (int i = 0; i < 5 && !db.index(t->id, "v")->ready; ++i) {
    db.reopen();
    t = db.find("t");
    db.put(*t, json(R"({"id":)" + std::to_string(i * 3000) + R"(,"v":1000})"));
  }
  const auto index = db.wait_ready(t->id, "v");
  const auto found = db.scan_index(*t, *index);
  CHECK(found.size() == 20000);
  CHECK(std::is_sorted(found.begin(), found.end(),
                       [](const Row& a, const Row& b) { return a.index_value < b.index_value; }));
}

TEST_CASE("indexes are renamed and dropped") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  for (int i = 0; i < 50; ++i) db.put(*t, json(R"({"id":)" + std::to_string(i) + R"(,"a":1,"b":2})"));
  db.make_index(*t, "a", "a");
  db.make_index(*t, "b", "b");
  const auto a = db.wait_ready(t->id, "a");
  const auto b = db.wait_ready(t->id, "b");
  const auto rename = [&](const std::string& from, const std::string& to, bool overwrite) {
    return db.wait([&](Engine::Done done) { db->rename_index(t->id, from, to, overwrite, std::move(done)); });
  };
  CHECK(rename("x", "y", false).error().kind == ErrorKind::kNotFound);
  CHECK(rename("a", "b", false).error().kind == ErrorKind::kExists);
  CHECK(rename("a", "a", false).ok());
  CHECK(rename("a", "b", true).ok());
  CHECK(!db.index(t->id, "a"));
  CHECK(db.index(t->id, "b")->id == a->id);
  CHECK(eventually([&] { return db.keys_in(b->space) == 0 && db.keys_in(kTaskSpace) == 0; }));
  CHECK(db.scan_index(*t, *db.index(t->id, "b")).size() == 50);
  const auto drop = [&](const std::string& name) {
    return db.wait([&](Engine::Done done) { db->drop_index(t->id, name, std::move(done)); });
  };
  CHECK(drop("a").error().kind == ErrorKind::kNotFound);
  CHECK(drop("b").ok());
  CHECK(eventually([&] { return db.keys_in(a->space) == 0; }));
  db.put(*t, json(R"({"id":1000,"b":2})"));
  CHECK(db.keys_in(a->space) == 0);
}

}  // namespace reqld::storage
