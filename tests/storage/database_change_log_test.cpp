// Change logs: what is kept, for how long, and that it goes with the data.
#include "storage/tables/change_log.hpp"
#include "storage/tools/check.hpp"
#include "tests/storage/test_database.hpp"

namespace reqld::storage {

namespace {

Datum settings(const std::string& change_log) {
  return parse_json("{\"change_log\":" + change_log + "}");
}

std::shared_ptr<const TableInfo> configure(TestDatabase& db, const TableInfo& table,
                                           const std::string& change_log) {
  const auto altered = db.wait([&](Engine::Done done) {
    db->alter_table(
        table.id,
        [&](TableInfo& info) -> Result<void> {
          info.settings = settings(change_log);
          return {};
        },
        std::move(done));
  });
  REQUIRE_MESSAGE(altered.ok(), altered.error().message);
  return db.find(table.name);
}

std::shared_ptr<const TableInfo> logged_table(TestDatabase& db) {
  return configure(db, *db.make_table("t"), R"({"retention_seconds":3600})");
}

struct Read {
  ChangeLogRead result;
  std::vector<RowChange> changes;
};

Read read(TestDatabase& db, const std::shared_ptr<const TableInfo>& table, ChangePosition after,
          Reader::Limits limits = {}) {
  Read out;
  out.result = db->reader()->read_change_log(table, after, limits, out.changes);
  return out;
}

Datum doc(const std::string& text) {
  return parse_json(text);
}

/// A row with a binary out of line comes and goes; only the change log has it after that.
void log_a_binary(TestDatabase& db, const std::shared_ptr<const TableInfo>& t) {
  const ChangePosition start = end_of(db->engine().last_sequence());
  const std::string bytes(5000, 'x');
  ObjectBuilder o;
  o.set("id", Datum::integer(1));
  o.set("file", Datum::binary(bytes));
  db.put(*t, o.finish());
  db.erase(*t, Datum::integer(1));
  const Read all = read(db, t, start);
  REQUIRE(all.changes.size() == 2);
  CHECK(all.changes[1].old_row.get("file").value() == Datum::binary(bytes));
  CHECK(db.keys_in(kBlobSpace) == 1);
}

void check_logs_and_blobs_go(TestDatabase& db) {
  CHECK(eventually([&] {
    return db.keys_in(kBlobSpace) == 0 && db.keys_in(kChangeLogSpace) == 0 && db.keys_in(kTaskSpace) == 0;
  }));
}

}  // namespace

TEST_CASE("a change log has every change, in order, also after the database was closed") {
  TestDatabase db(each_engine());
  auto t = logged_table(db);
  const ChangePosition start = end_of(db->engine().last_sequence());
  CHECK(read(db, t, start).result == ChangeLogRead::kEnd);
  db.rerun_batches(2);
  db.put(*t, doc(R"({"id":1})"));
  db.put(*t, doc(R"({"id":1,"a":2})"));
  db.erase(*t, Datum::integer(1));
  REQUIRE(db.run([&](Writer& w) -> Result<void> {
              for (const char* text : {R"({"id":2,"n":1})", R"({"id":2,"n":2})"}) {
                const auto put = w.put(*t, to_primary_key(Datum::integer(2)), doc(text));
                if (!put) return put.error();
              }
              return {};
            }).ok());
  (void)db.run([&](Writer& w) -> Result<void> {
    (void)w.put(*t, to_primary_key(Datum::integer(7)), doc(R"({"id":7})"));
    return Error{ErrorKind::kInvalid, "no"};
  });
  const auto expect_all = [&] {
    const Read all = read(db, t, start);
    CHECK(all.result == ChangeLogRead::kEnd);
    REQUIRE(all.changes.size() == 5);
    CHECK(all.changes[0].old_row.is_null());
    CHECK(all.changes[1].old_row == doc(R"({"id":1})"));
    CHECK(all.changes[1].new_row == doc(R"({"id":1,"a":2})"));
    CHECK(all.changes[2].new_row.is_null());
    CHECK(all.changes[3].at.sequence == all.changes[4].at.sequence);
    CHECK(all.changes[4].old_row == doc(R"({"id":2,"n":1})"));
    for (std::size_t i = 1; i < 5; ++i) CHECK(all.changes[i - 1].at < all.changes[i].at);
    const Read some = read(db, t, all.changes[1].at, {.max_rows = 2});
    CHECK(some.result == ChangeLogRead::kMore);
    REQUIRE(some.changes.size() == 2);
    CHECK(some.changes[0].at == all.changes[2].at);
  };
  expect_all();
  db.reopen();
  t = db.find("t");
  expect_all();
}

TEST_CASE("what is trimmed or was not kept is said to be gone") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  CHECK(read(db, t, end_of(db->engine().last_sequence())).result == ChangeLogRead::kGone);
  const ChangePosition before = end_of(db->engine().last_sequence());
  db.put(*t, doc(R"({"id":0})"));
  t = configure(db, *t, R"({"retention_bytes":500})");
  CHECK(read(db, t, before).result == ChangeLogRead::kGone);
  const ChangePosition start = end_of(db->engine().last_sequence());
  for (int i = 0; i < 100; ++i) db.put(*t, doc("{\"id\":1,\"n\":" + std::to_string(i) + "}"));
  CHECK(eventually([&] { return read(db, t, start).result == ChangeLogRead::kGone; }));
  // The newest are kept.
  const ChangePosition now = end_of(db->engine().last_sequence());
  db.put(*t, doc(R"({"id":2})"));
  const Read newest = read(db, t, now);
  CHECK(newest.result == ChangeLogRead::kEnd);
  CHECK(newest.changes.size() == 1);
  // Ended and begun anew, the old part does not count.
  configure(db, *t, "false");
  t = configure(db, *t, R"({"retention_seconds":1000})");
  CHECK(read(db, t, now).result == ChangeLogRead::kGone);
  const ChangePosition again = end_of(db->engine().last_sequence());
  db.put(*t, doc(R"({"id":3})"));
  CHECK(eventually([&] { return !db->engine().snapshot()->get(task_key(kTaskDropLog, t->space)); }));
  CHECK(read(db, t, again).changes.size() == 1);
}

TEST_CASE("old changes are trimmed by time") {
  TestDatabase db(each_engine());
  auto t = configure(db, *db.make_table("t"), R"({"retention_seconds":0.05})");
  const ChangePosition start = end_of(db->engine().last_sequence());
  db.put(*t, doc(R"({"id":1})"));
  CHECK(eventually([&] { return read(db, t, start).result == ChangeLogRead::kGone; }));
}

TEST_CASE("a change log holds the large binaries of its rows, and lets them go when it ends") {
  TestDatabase db(each_engine(), 64);
  const auto t = logged_table(db);
  log_a_binary(db, t);
  configure(db, *t, "false");
  check_logs_and_blobs_go(db);
}

TEST_CASE("a change log holds the large binaries of its rows, and lets them go with its table") {
  TestDatabase db(each_engine(), 64);
  const auto t = logged_table(db);
  log_a_binary(db, t);
  CHECK(db.wait([&](Engine::Done done) { db->drop_table(t->id, std::move(done)); }).ok());
  check_logs_and_blobs_go(db);
}

TEST_CASE("sequence numbers of earlier starts are known as far as they lasted") {
  TestDatabase db(EngineKind::kReal);
  auto t = logged_table(db);
  db.put(*t, doc(R"({"id":1})"));
  const std::uint64_t first = db->incarnation();
  const Sequence last = db->engine().last_sequence();
  CHECK(db->check_sequence(first, last) == SequenceState::kKnown);
  CHECK(db->check_sequence(first, last + 1) == SequenceState::kLost);
  CHECK(db->check_sequence(first + 1, last) == SequenceState::kUnknown);
  db.reopen();
  CHECK(db->incarnation() != first);
  t = db.find("t");
  for (int i = 0; i < 10; ++i) db.put(*t, doc("{\"id\":" + std::to_string(i) + "}"));
  CHECK(db->check_sequence(first, last) == SequenceState::kKnown);
  CHECK(db->check_sequence(first, last + 5) == SequenceState::kLost);
}

TEST_CASE("keys that were copied into an engine with other numbers begin with no logs") {
  TestDatabase db(EngineKind::kReal);
  auto t = logged_table(db);
  const std::uint64_t first = db->incarnation();
  const ChangePosition start = end_of(db->engine().last_sequence());
  db.put(*t, doc(R"({"id":1})"));
  REQUIRE(db.run([](Writer& w) -> Result<void> {
              w.txn().put(space_key(kMetaSpace, kMetaRenumbered), {});
              return {};
            }).ok());
  db.reopen();
  t = db.find("t");
  CHECK(read(db, t, start).result == ChangeLogRead::kGone);
  CHECK(db->check_sequence(first, start.sequence) == SequenceState::kUnknown);
  const ChangePosition now = end_of(db->engine().last_sequence());
  db.put(*t, doc(R"({"id":2})"));
  CHECK(read(db, t, now).changes.size() == 1);
}

}  // namespace reqld::storage
