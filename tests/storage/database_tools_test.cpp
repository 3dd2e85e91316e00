#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <random>

#include "storage/tables/writer.hpp"
#include "storage/tools/backup.hpp"
#include "storage/tools/check.hpp"
#include "tests/storage/test_database.hpp"

namespace reqld::storage {

namespace {

CheckOptions check_options() {
  CheckOptions options;
  options.index_functions = [](const Datum& definition) { return std::make_shared<FieldIndex>(definition); };
  return options;
}

CheckReport check(TestDatabase& db) {
  return check_database(db->engine(), check_options());
}

// Tables, indexes and blobs of several kinds; one table dropped, one blob shared.
void fill(TestDatabase& db) {
  auto t = db.make_table("t");
  db.make_index(*t, "a", "a");
  db.make_index(*t, "tags", "tags", true);
  CHECK(db.run([&](Writer& w) -> Result<void> {
            for (int i = 0; i < 300; ++i) {
              ObjectBuilder o;
              o.set("id", Datum::integer(i));
              o.set("a", Datum::string(std::string(static_cast<std::size_t>(i), 'a') + "end"));
              o.set("tags",
                    Datum::array({Datum::integer(i % 3), Datum::integer(i % 5), Datum::integer(i % 3)}));
              if (i % 50 == 0)
                o.set("file", Datum::binary(std::string(100'000 + static_cast<std::size_t>(i), 'f')));
              if (auto r = w.put(*t, to_primary_key(Datum::integer(i)), o.finish()); !r) return r.error();
            }
            return {};
          }).ok());
  db.wait_ready(t->id, "a");
  db.wait_ready(t->id, "tags");
  auto u = db.make_table("u");
  db.put(*u, db.get(*t, Datum::integer(50)).value());
  auto gone = db.make_table("gone");
  db.put(*gone, db.get(*t, Datum::integer(100)).value());
  CHECK(db.wait([&](Engine::Done done) { db->drop_table(gone->id, std::move(done)); }).ok());
  CHECK(db.wait([&](Engine::Done done) {
            db->put_system("users", "admin", json(R"({"a":1})"), std::move(done));
          }).ok());
}

// Changes keys behind the database's back.
void tamper(TestDatabase& db, const std::function<void(WriteTxn&)>& change) {
  CHECK(db.run([&](Writer& w) -> Result<void> {
            change(w.txn());
            return {};
          }).ok());
}

bool mentions(const CheckReport& report, const std::string& text) {
  for (const std::string& line : report.findings)
    if (line.find(text) != std::string::npos) return true;
  for (const std::string& line : report.findings) MESSAGE(line);
  return false;
}

std::string in_space(std::uint32_t space, const Datum& key) {
  return space_key(space, to_primary_key(key));
}

struct TempDirectory {
  TempDirectory() {
    char name[] = "/tmp/reqld-tools-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~TempDirectory() { std::filesystem::remove_all(path); }
  std::string path;
};

// Everything in the keyspace.
/// The named records, among them that of starts, which a restore begins anew so that tokens of feeds end with
/// the data they were of.
void forget_starts(std::map<std::string, std::string>& all) {
  std::erase_if(all, [](const auto& entry) { return entry.first.starts_with(space_key(kMetaSpace)); });
}

std::map<std::string, std::string> dump(Engine& engine) {
  std::map<std::string, std::string> all;
  const auto snapshot = engine.snapshot();
  for (auto c = snapshot->cursor({}, Direction::kForward); c->valid(); c->next())
    all.emplace(c->key(), c->value());
  return all;
}

}  // namespace

TEST_CASE("check finds nothing in a sound database") {
  TestDatabase db(each_engine());
  fill(db);
  const CheckReport report = check(db);
  for (const std::string& line : report.findings) MESSAGE(line);
  CHECK(report.ok());
  CHECK(report.dbs == 1);
  CHECK(report.tables == 2);
  CHECK(report.indexes == 2);
  CHECK(report.rows == 301);
  CHECK(report.entries == 300 + 900);
  CHECK(report.blobs == 6);
}

TEST_CASE("check names each kind of damage") {
  TestDatabase db(EngineKind::kMemory);
  fill(db);
  CHECK(eventually([&] { return db.keys_in(kTaskSpace) == 0; }));
  auto t = db.find("t");
  const auto a = db.index(t->id, "a");
  const auto tags = db.index(t->id, "tags");
  SUBCASE("a row vanishes") {
    tamper(db, [&](WriteTxn& txn) { txn.del(in_space(t->space, Datum::integer(7))); });
    CHECK(mentions(check(db), "Table `test.t` has 299 rows but counts 300."));
    CHECK(mentions(check(db), "Index `a` of table `test.t` has an entry for row 7, which does not exist."));
  }
  SUBCASE("a document is damaged") {
    tamper(db, [&](WriteTxn& txn) {
      std::string row(*txn.get(in_space(t->space, Datum::integer(7))));
      row[2] = static_cast<char>(row[2] + 1);
      txn.put(in_space(t->space, Datum::integer(7)), row);
    });
    CHECK(mentions(check(db), "Table `test.t`, row 7: the document is damaged."));
  }
  SUBCASE("a row has another key than it says") {
    tamper(db, [&](WriteTxn& txn) {
      txn.put(in_space(t->space, Datum::integer(7)), *txn.get(in_space(t->space, Datum::integer(8))));
    });
    CHECK(mentions(check(db), "row 7: the document's primary key is 8."));
  }
  SUBCASE("an index entry vanishes") {
    std::vector<IndexEntry> entries;
    append_entries(*a, db.get(*t, Datum::integer(9)).value(), to_primary_key(Datum::integer(9)), entries);
    tamper(db, [&](WriteTxn& txn) { txn.del(entries.at(0).key); });
    CHECK(mentions(check(db), "Table `test.t`, row 9: its entry in index `a` is missing."));
  }
  SUBCASE("an index has an entry too many") {
    std::vector<IndexEntry> entries;
    append_entries(*a, json(R"({"a":"more"})"), to_primary_key(Datum::integer(9)), entries);
    tamper(db, [&](WriteTxn& txn) { txn.put(entries.at(0).key, entries.at(0).value_bytes()); });
    CHECK(mentions(check(db), "Index `a` of table `test.t` has an entry that row 9 does not have."));
  }
  SUBCASE("a count is wrong") {
    tamper(db, [&](WriteTxn& txn) {
      TableHead head = decode_head(*txn.get(head_key(t->space)));
      head.rows = 5;
      txn.put(head_key(t->space), encode_head(head));
    });
    CHECK(mentions(check(db), "Table `test.t` has 300 rows but counts 5."));
  }
  const auto blob = [&](int id) { return db.get(*t, Datum::integer(id))->get("file")->blob_ref().value(); };
  const auto blob_key = [](std::uint32_t space, std::uint64_t id) {
    std::string key = space_key(space);
    append_u64(id, key);
    return key;
  };
  SUBCASE("a binary is counted wrongly") {
    const std::uint64_t id = blob(50).id;
    tamper(db, [&](WriteTxn& txn) {
      BlobHead head = decode_blob_head(*txn.get(blob_key(kBlobSpace, id)));
      head.rows = 7;
      txn.put(blob_key(kBlobSpace, id), encode_blob_head(head));
    });
    CHECK(mentions(check(db), "Binary " + std::to_string(id) + " is held by 2 rows but counts 7."));
  }
  SUBCASE("pieces of a binary vanish or change") {
    const std::uint64_t id = blob(50).id;
    tamper(db, [&](WriteTxn& txn) {
      std::string key = blob_key(kChunkSpace, id);
      append_u32(1, key);
      txn.del(key);
    });
    CHECK(mentions(check(db), "Pieces 1 to 1 of binary " + std::to_string(id) + " are missing."));
    const std::uint64_t other = blob(100).id;
    tamper(db, [&](WriteTxn& txn) {
      std::string key = blob_key(kChunkSpace, other);
      append_u32(0, key);
      txn.put(key, "short");
    });
    CHECK(
        mentions(check(db), "Piece 0 of binary " + std::to_string(other) + " has 5 bytes instead of 4080."));
  }
  SUBCASE("a binary vanishes") {
    const std::uint64_t id = blob(0).id;
    tamper(db, [&](WriteTxn& txn) { txn.del(blob_key(kBlobSpace, id)); });
    CHECK(mentions(check(db), "row 0: binary " + std::to_string(id) + " is missing."));
    CHECK(
        mentions(check(db), "There is a piece of binary " + std::to_string(id) + ", which does not exist."));
  }
  SUBCASE("keys that belong to nothing") {
    tamper(db, [&](WriteTxn& txn) { txn.put(space_key(99999, "x"), "y"); });
    CHECK(mentions(check(db), "Space 99999 holds keys but belongs to nothing."));
  }
  SUBCASE("the catalog contradicts itself") {
    tamper(db, [&](WriteTxn& txn) { txn.del(table_name_key(t->db_id, "t")); });
    CHECK(mentions(check(db), "The catalog has no name record for table `test.t`."));
    tamper(db, [&](WriteTxn& txn) { txn.put(db_name_key("nowhere"), t->db_id); });
    CHECK(mentions(check(db), "The catalog has a name Dnowhere"));
    tamper(db, [&](WriteTxn& txn) { txn.put(index_record_key(t->id, a->id), "junk"); });
    CHECK(mentions(check(db), "The catalog's record of index " + a->id + " is damaged."));
  }
  SUBCASE("an index claims to be ready") {
    tamper(db, [&](WriteTxn& txn) {
      txn.put(task_key(kTaskBuild, tags->space), encode_build_task({t->id, tags->id, 0, ""}));
    });
    CHECK(!check(db).ok());
  }
}

TEST_CASE("a backup is the database, and says when it is damaged") {
  TestDatabase db(EngineKind::kReal);
  fill(db);
  TempDirectory temp;
  const std::string file = temp.path + "/a.backup";
  CHECK(eventually([&] { return db.keys_in(kTaskSpace) == 0; }));
  const auto written = backup_to_path(db->engine(), file, {.data_directory = db.directory(), .progress = {}});
  REQUIRE_MESSAGE(written.ok(), written.error().message);
  const auto before = dump(db->engine());
  CHECK(written->keys == before.size());
  CHECK(!std::filesystem::exists(file + ".partial"));

  const std::string restored = temp.path + "/restored";
  const auto report = restore_from_path(file, restored, {});
  REQUIRE_MESSAGE(report.ok(), report.error().message);
  {
    auto engine = Engine::open({.directory = restored});
    REQUIRE(engine.ok());
    auto after = dump(**engine), expected = before;
    forget_starts(after);
    forget_starts(expected);
    CHECK(after == expected);
    CHECK(check_database(**engine, check_options()).ok());
    // Still running.
    CHECK(check_directory(restored, check_options()).error().kind == ErrorKind::kInUse);
  }
  const auto checked = check_directory(restored, check_options());
  REQUIRE_MESSAGE(checked.ok(), checked.error().message);
  CHECK(checked->ok());
  CHECK(restore_from_path(file, restored, {}).error().kind == ErrorKind::kExists);

  const auto into_directory = backup_to_path(db->engine(), temp.path, {});
  REQUIRE(into_directory.ok());

  std::string bytes;
  {
    std::ifstream in(file, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  const auto verify = [](const std::string& text) {
    std::size_t at = 0;
    return verify_backup([&text, at](char* out, std::size_t size) mutable -> Result<std::size_t> {
      const std::size_t n = std::min(size, text.size() - at);
      std::memcpy(out, text.data() + at, n);
      at += n;
      return n;
    });
  };
  CHECK(verify(bytes).ok());
  std::mt19937 random(3);
  for (int i = 0; i < 100; ++i) {
    std::string damaged = bytes;
    if (i % 2)
      damaged.resize(random() % damaged.size());
    else
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    CHECK(!verify(damaged).ok());
  }
}

TEST_CASE("a backup through a pipe, while writers go on") {
  TestDatabase db(EngineKind::kReal);
  fill(db);
  auto u = db.find("u");
  TempDirectory temp;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      // Both rows or none are in any snapshot.
      (void)db.run([&](Writer& w) -> Result<void> {
        for (const int id : {10'000 + 2 * i, 10'001 + 2 * i})
          if (auto r =
                  w.put(*u, to_primary_key(Datum::integer(id)), json(R"({"id":)" + std::to_string(id) + "}"));
              !r)
            return r.error();
        return {};
      });
    }
  });
  std::thread sender([&] {
    CHECK(backup_to_descriptor(db->engine(), ends[1], {}).ok());
    close(ends[1]);
  });
  const auto restored = restore(descriptor_source(ends[0], "pipe"), temp.path + "/r", {});
  stop = true;
  sender.join();
  writer.join();
  close(ends[0]);
  REQUIRE_MESSAGE(restored.ok(), restored.error().message);
  const auto checked = check_directory(temp.path + "/r", check_options());
  REQUIRE(checked.ok());
  for (const std::string& line : checked->findings) MESSAGE(line);
  CHECK(checked->ok());
  CHECK(checked->rows % 2 == 1);
}

TEST_CASE("compaction keeps everything and gives space back") {
  TestDatabase db(EngineKind::kReal);
  fill(db);
  auto big = db.make_table("big");
  for (int i = 0; i < 20; ++i) {
    ObjectBuilder o;
    o.set("id", Datum::integer(i));
    o.set("file", Datum::binary(std::string(1 << 20, 'b')));
    db.put(*big, o.finish());
  }
  CHECK(db.wait([&](Engine::Done done) { db->drop_table(big->id, std::move(done)); }).ok());
  CHECK(eventually([&] { return db.keys_in(kTaskSpace) + db.keys_in(kGraveyardSpace) == 0; }));
  const auto before = dump(db->engine());
  const std::string directory = db.directory();
  CHECK(compact_directory(directory).error().kind == ErrorKind::kInUse);
  db.close();
  const auto compacted = compact_directory(directory);
  REQUIRE_MESSAGE(compacted.ok(), compacted.error().message);
  CHECK(compacted->bytes_after + (10u << 20) < compacted->bytes_before);
  db.open();
  CHECK(dump(db->engine()) == before);
  CHECK(check(db).ok());
  db.put(*db.find("u"), json(R"({"id":5})"));
}

TEST_CASE("a restore goes on with the log") {
  TempDirectory temp;
  const std::string directory = temp.path + "/db";
  DatabaseOptions options;
  options.engine.directory = directory;
  options.engine.log_retention_seconds = 3600;
  options.engine.log_retention_bytes = 1u << 30;
  options.index_functions = check_options().index_functions;
  auto opened = Database::open(options);
  REQUIRE(opened.ok());
  Database& db = **opened;
  TableInfo info;
  info.name = "t";
  const Uuid test = db.catalog()->db("test")->id;
  REQUIRE(TestDatabase::wait([&](Engine::Done done) { db.create_table(test, info, std::move(done)); }).ok());
  const auto t = db.catalog()->table(*db.catalog()->db("test"), "t");
  std::vector<Sequence> sequences;
  const auto put = [&](int id, std::size_t file_bytes) {
    const auto done = TestDatabase::wait([&](Engine::Done d) {
      db.submit(
          [&](Writer& w) -> Result<void> {
            ObjectBuilder o;
            o.set("id", Datum::integer(id));
            o.set("file", Datum::binary(std::string(file_bytes, 'x')));
            if (auto r = w.put(*t, to_primary_key(Datum::integer(id)), o.finish()); !r) return r.error();
            return {};
          },
          Durability::kHard, std::move(d));
    });
    REQUIRE(done.ok());
    sequences.push_back(*done);
  };
  put(1, 50'000);
  const std::string file = temp.path + "/b";
  REQUIRE(backup_to_path(db.engine(), file, {.data_directory = directory, .progress = {}}).ok());
  for (int i = 2; i < 40; ++i) put(i % 7, static_cast<std::size_t>(i) * 3000);
  const auto whole = dump(db.engine());
  const Sequence middle = sequences[20];
  opened->reset();

  RestoreOptions with_log;
  with_log.log_directory = directory;
  const auto all = restore_from_path(file, temp.path + "/all", with_log);
  REQUIRE_MESSAGE(all.ok(), all.error().message);
  CHECK(all->log_commits > 0);
  with_log.until_sequence = middle;
  const auto some = restore_from_path(file, temp.path + "/some", with_log);
  REQUIRE_MESSAGE(some.ok(), some.error().message);
  CHECK(some->newest == middle);
  with_log.until_sequence = 1'000'000;
  CHECK(!restore_from_path(file, temp.path + "/never", with_log).ok());
  for (const char* name : {"/all", "/some"}) {
    const auto checked = check_directory(temp.path + name, check_options());
    REQUIRE(checked.ok());
    for (const std::string& line : checked->findings) MESSAGE(line);
    CHECK(checked->ok());
    CHECK(checked->rows == 7);
  }
}

}  // namespace reqld::storage
