#include "tests/storage/test_database.hpp"

namespace reqld::storage {

TEST_CASE("a fresh database holds db test and nothing else") {
  TestDatabase db(each_engine());
  CHECK(db->catalog()->dbs.size() == 1);
  CHECK(db->catalog()->db("test"));
  CHECK(db->catalog()->tables.empty());
  CHECK(db->id().size() == 36);
  const Uuid id = db->id();
  db.reopen();
  CHECK(db->id() == id);
  CHECK(db->catalog()->dbs.size() == 1);
}

TEST_CASE("databases are made, renamed and dropped") {
  TestDatabase db(each_engine());
  const auto create = [&](const std::string& name) {
    return db.wait([&](Engine::Done done) { db->create_db({.id = {}, .name = name}, std::move(done)); });
  };
  REQUIRE(create("a").ok());
  CHECK(create("a").error().kind == ErrorKind::kExists);
  CHECK(create("rethinkdb").error().kind == ErrorKind::kExists);
  const Uuid a = db.db_id("a");
  CHECK(db.wait([&](Engine::Done done) { db->rename_db(a, "test", std::move(done)); }).error().kind ==
        ErrorKind::kExists);
  CHECK(db.wait([&](Engine::Done done) { db->rename_db(a, "b", std::move(done)); }).ok());
  CHECK(!db->catalog()->db("a"));
  CHECK(db.db_id("b") == a);
  TableInfo table;
  table.name = "t";
  CHECK(db.wait([&](Engine::Done done) { db->create_table(a, table, std::move(done)); }).ok());
  db.reopen();
  CHECK(db->catalog()->table(*db->catalog()->db("b"), "t"));
  CHECK(db.wait([&](Engine::Done done) { db->drop_db(a, std::move(done)); }).ok());
  CHECK(db.wait([&](Engine::Done done) { db->drop_db(a, std::move(done)); }).error().kind ==
        ErrorKind::kNotFound);
  CHECK(db->catalog()->tables.empty());
  CHECK(create("a").ok());
}

TEST_CASE("tables keep rows, counts and settings") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  CHECK(db.wait([&](Engine::Done done) { db->create_table(t->db_id, *t, std::move(done)); }).error().kind ==
        ErrorKind::kExists);
  CHECK(db->reader()->count(*t) == 0);
  CHECK(db.put(*t, json(R"({"id":1,"a":"x"})")).old_row.is_null());
  CHECK(db.put(*t, json(R"({"id":2,"a":"y"})")).new_row == json(R"({"id":2,"a":"y"})"));
  CHECK(db.put(*t, json(R"({"id":1,"a":"z"})")).old_row == json(R"({"id":1,"a":"x"})"));
  CHECK(db->reader()->count(*t) == 2);
  CHECK(db.get(*t, Datum::integer(1)) == json(R"({"id":1,"a":"z"})"));
  CHECK(!db.get(*t, Datum::integer(3)));
  CHECK(db.erase(*t, Datum::integer(3)).old_row.is_null());
  const auto alter = [&](std::function<Result<void>(TableInfo&)> change) {
    return db.wait([&](Engine::Done done) { db->alter_table(t->id, std::move(change), std::move(done)); });
  };
  CHECK(alter([](TableInfo& i) -> Result<void> {
          i.primary_key = "pk";
          return {};
        })
            .error()
            .kind == ErrorKind::kInvalid);
  CHECK(alter([](TableInfo& i) -> Result<void> {
          i.name = "u";
          i.durability = Durability::kSoft;
          i.write_hook = Datum::string("hook");
          i.settings = Datum::integer(5);
          return {};
        }).ok());
  db.reopen();
  CHECK(!db.find("t"));
  auto u = db.find("u");
  REQUIRE(u);
  CHECK(u->durability == Durability::kSoft);
  CHECK(u->write_hook == Datum::string("hook"));
  CHECK(u->settings == Datum::integer(5));
  CHECK(db->reader()->count(*u) == 2);
  CHECK(db.erase(*u, Datum::integer(1)).old_row == json(R"({"id":1,"a":"z"})"));
  CHECK(db->reader()->count(*u) == 1);
  CHECK(db.scan(*u).size() == 1);
  CHECK(db.erase(*u, Datum::integer(2)).new_row.is_null());
  CHECK(db.wait([&](Engine::Done done) {
            db->alter_table(
                u->id,
                [](TableInfo& i) -> Result<void> {
                  i.primary_key = "pk";
                  return {};
                },
                std::move(done));
          }).ok());
  CHECK(db.find("u")->primary_key == "pk");
}

TEST_CASE("scans go both ways in steps") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  CHECK(db.run([&](Writer& w) -> Result<void> {
            for (int i = 0; i < 100; ++i) {
              ObjectBuilder o;
              o.set("id", Datum::integer(i));
              o.set("text", Datum::string(std::string(100 + i * 20, 'x')));
              const Datum document = o.finish();
              if (auto r = w.put(*t, to_primary_key(Datum::integer(i)), document); !r) return r.error();
            }
            return {};
          }).ok());
  for (std::size_t rows : {1, 7, 100, 1000}) {
    for (std::size_t bytes : {1, 5000, 1 << 20}) {
      const Reader::Limits limits{.max_rows = rows, .max_bytes = bytes};
      auto all = db.scan(*t, {}, Direction::kForward, limits);
      REQUIRE(all.size() == 100);
      for (int i = 0; i < 100; ++i) CHECK(all[i].document.get("id")->as_integer() == i);
      all = db.scan(*t, {}, Direction::kBackward, limits);
      REQUIRE(all.size() == 100);
      for (int i = 0; i < 100; ++i) CHECK(all[i].document.get("id")->as_integer() == 99 - i);
      const KeyRange some{to_key(Datum::integer(10)), to_key(Datum::integer(20))};
      all = db.scan(*t, some, Direction::kBackward, limits);
      REQUIRE(all.size() == 10);
      CHECK(all[0].document.get("id")->as_integer() == 19);
      CHECK(db.scan(*t, some, Direction::kForward, limits).size() == 10);
    }
  }
  CHECK(db.scan(*t, {to_key(Datum::integer(5)), to_key(Datum::integer(5))}).empty());
}

TEST_CASE("a failed job leaves nothing, a job run twice counts once") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  CHECK(!db.run([&](Writer& w) -> Result<void> {
             (void)w.put(*t, to_primary_key(Datum::integer(1)), json(R"({"id":1})"));
             return Error{ErrorKind::kInvalid, "no"};
           }).ok());
  CHECK(!db.run([&](Writer& w) -> Result<void> {
             (void)w.put(*t, to_primary_key(Datum::integer(1)), json(R"({"id":1})"));
             throw std::runtime_error("no");
           }).ok());
  CHECK(db->reader()->count(*t) == 0);
  CHECK(db.scan(*t).empty());
  db.rerun_batches(3);
  db.put(*t, json(R"({"id":1})"));
  db.make_table("u");
  CHECK(db->reader()->count(*t) == 1);
  CHECK(db.find("u"));
}

TEST_CASE("dropped tables answer so and leave no key behind") {
  TestDatabase db(each_engine(), 64);
  auto t = db.make_table("t");
  db.make_index(*t, "a", "a");
  for (int i = 0; i < 2500; i += 500) {
    CHECK(db.run([&](Writer& w) -> Result<void> {
              for (int k = i; k < i + 500; ++k) {
                ObjectBuilder o;
                o.set("id", Datum::integer(k));
                o.set("a", Datum::integer(k % 10));
                if (k % 100 == 0) o.set("file", Datum::binary(std::string(1000, 'f')));
                if (auto r = w.put(*t, to_primary_key(Datum::integer(k)), o.finish()); !r) return r.error();
              }
              return {};
            }).ok());
  }
  const auto index = db.index(t->id, "a");
  REQUIRE(index);
  CHECK(index->ready);
  CHECK(db.keys_in(index->space) == 2500);
  CHECK(db.keys_in(kBlobSpace) == 25);
  CHECK(db.wait([&](Engine::Done done) { db->drop_table(t->id, std::move(done)); }).ok());
  CHECK(!db.find("t"));
  CHECK_THROWS_AS(db->reader()->count(*t), StorageError);
  CHECK_THROWS_AS(db.get(*t, Datum::integer(1)), StorageError);
  CHECK(db.run([&](Writer& w) -> Result<void> {
            auto r = w.put(*t, to_primary_key(Datum::integer(1)), json(R"({"id":1})"));
            return r ? Result<void>() : r.error();
          })
            .error()
            .kind == ErrorKind::kNotFound);
  CHECK(eventually([&] {
    return db.keys_in(t->space) + db.keys_in(index->space) + db.keys_in(kTaskSpace) + db.keys_in(kBlobSpace) +
               db.keys_in(kChunkSpace) + db.keys_in(kGraveyardSpace) ==
           0;
  }));
  auto again = db.make_table("t");
  CHECK(again->space != t->space);
  CHECK(db.scan(*again).empty());
}

TEST_CASE("system records") {
  TestDatabase db(each_engine());
  const auto put = [&](const std::string& c, const std::string& k, const Datum& v) {
    CHECK(db.wait([&](Engine::Done done) { db->put_system(c, k, v, std::move(done)); }).ok());
  };
  put("users", "admin", json(R"({"a":1})"));
  put("users", "bob", json(R"({"a":2})"));
  put("users2", "bob", json(R"({"a":3})"));
  db.reopen();
  CHECK(db->get_system("users", "bob") == json(R"({"a":2})"));
  CHECK(!db->get_system("users", "alice"));
  CHECK(db->list_system("users").size() == 2);
  CHECK(db->list_system("users")[0].first == "admin");
  put("users", "bob", Datum());
  CHECK(!db->get_system("users", "bob"));
}

TEST_CASE("changes are published in commit order to whoever wants them") {
  class Listener : public ChangeListener {
   public:
    bool wants(const TableInfo& table) override { return table.name == "t"; }
    void on_changes(const std::vector<RowChange>& c) override {
      changes.insert(changes.end(), c.begin(), c.end());
    }
    void on_catalog(const CatalogChange& c) override { catalogs.push_back(c); }
    std::vector<RowChange> changes;
    std::vector<CatalogChange> catalogs;
  };
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  auto u = db.make_table("u");
  Listener listener;
  db->add_listener(&listener);
  db.rerun_batches(2);
  db.put(*t, json(R"({"id":1})"));
  db.put(*u, json(R"({"id":1})"));
  db.put(*t, json(R"({"id":1,"a":2})"));
  db.erase(*t, Datum::integer(1));
  (void)db.run([&](Writer& w) -> Result<void> {
    (void)w.put(*t, to_primary_key(Datum::integer(7)), json(R"({"id":7})"));
    return Error{ErrorKind::kInvalid, "no"};
  });
  REQUIRE(listener.changes.size() == 3);
  CHECK(listener.changes[0].old_row.is_null());
  CHECK(listener.changes[1].old_row == json(R"({"id":1})"));
  CHECK(listener.changes[1].new_row == json(R"({"id":1,"a":2})"));
  CHECK(listener.changes[2].new_row.is_null());
  CHECK(listener.changes[0].at < listener.changes[1].at);
  db.make_index(*t, "a", "a");
  REQUIRE(listener.catalogs.size() == 1);
  CHECK(listener.catalogs[0].before->tables.by_id(t->id)->indexes.empty());
  CHECK(listener.catalogs[0].after->tables.by_id(t->id)->indexes.size() == 1);
  CHECK(db.wait([&](Engine::Done done) { db->drop_table(t->id, std::move(done)); }).ok());
  CHECK(listener.catalogs.size() == 2);
  db->remove_listener(&listener);
  db.make_table("v");
  CHECK(listener.catalogs.size() == 2);
}

}  // namespace reqld::storage
