#include <random>

#include "tests/storage/test_database.hpp"

namespace reqld::storage {

namespace {

std::string some_bytes(std::size_t n, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::string s(n, '\0');
  for (std::size_t i = 0; i < n; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(s.data() + i, &word, std::min<std::size_t>(8, n - i));
  }
  return s;
}

Datum with_file(int id, const Datum& file) {
  ObjectBuilder o;
  o.set("id", Datum::integer(id));
  o.set("name", Datum::string("file"));
  o.set("file", file);
  return o.finish();
}
Datum with_file(int id, const std::string& bytes) {
  return with_file(id, Datum::binary(bytes));
}

bool all_reclaimed(TestDatabase& db) {
  return db.keys_in(kBlobSpace) + db.keys_in(kChunkSpace) + db.keys_in(kGraveyardSpace) == 0;
}

}  // namespace

TEST_CASE("binaries of every size come back as they were") {
  const EngineKind kind = each_engine();
  TestDatabase db(kind);
  auto t = db.make_table("t");
  std::vector<std::size_t> sizes{0,
                                 1,
                                 100,
                                 16 * 1024 - 1,
                                 16 * 1024,
                                 16 * 1024 + 1,
                                 kChunkBytes - 1,
                                 kChunkBytes,
                                 kChunkBytes + 1,
                                 2 * kChunkBytes,
                                 1'000'000};
  if (kind == EngineKind::kReal) sizes.push_back(64 << 20);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::string bytes = some_bytes(sizes[i], static_cast<unsigned>(i));
    const int id = static_cast<int>(i);
    const RowWrite write = db.put(*t, with_file(id, bytes));
    CHECK(write.new_row.has_blob() == (sizes[i] >= 16 * 1024));
    CHECK(write.new_row.get("file")->binary_bytes() == bytes);
    const Datum file = db.get(*t, Datum::integer(id))->get("file").value();
    CHECK(file.binary_size() == sizes[i]);
    CHECK(file.binary_bytes() == bytes);
    if (sizes[i] > 10) {
      const std::size_t middle = sizes[i] / 2;
      CHECK(file.binary_slice(middle - 5, 10) == bytes.substr(middle - 5, 10));
      CHECK(file.binary_slice(sizes[i] - 3, 3) == bytes.substr(sizes[i] - 3));
    }
  }
  db.reopen();
  auto again = db.find("t");
  const auto rows = db.scan(*again);
  REQUIRE(rows.size() == sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i)
    CHECK(rows[i].document.get("file")->binary_bytes() == some_bytes(sizes[i], static_cast<unsigned>(i)));
}

TEST_CASE("every size around small thresholds") {
  TestDatabase db(EngineKind::kMemory, 1);
  auto t = db.make_table("t");
  for (int n = 0; n < 300; n += 7) {
    const std::string bytes = some_bytes(static_cast<std::size_t>(n));
    db.put(*t, with_file(n, bytes));
    CHECK(db.get(*t, Datum::integer(n))->get("file")->binary_bytes() == bytes);
  }
  for (int n = 0; n < 300; n += 7) db.erase(*t, Datum::integer(n));
  CHECK(eventually([&] { return all_reclaimed(db); }));
}

TEST_CASE("large binaries go out of line wherever they are") {
  TestDatabase db(each_engine(), 1000);
  auto t = db.make_table("t");
  const std::string a = some_bytes(5000, 1), b = some_bytes(70000, 2), small = some_bytes(900, 3);
  ObjectBuilder inner;
  inner.set("b", Datum::binary(b));
  inner.set("small", Datum::binary(small));
  ObjectBuilder o;
  o.set("id", Datum::integer(1));
  o.set("list", Datum::array({Datum::integer(1), Datum::binary(a), inner.finish(), Datum::binary(a)}));
  const Datum document = o.finish();
  db.put(*t, document);
  CHECK(db.keys_in(kBlobSpace) == 3);
  const Datum row = db.get(*t, Datum::integer(1)).value();
  CHECK(row.encoded_size() < 2000);
  CHECK(row == document);
  CHECK(to_json(row) == to_json(document));
  std::vector<BlobRef> refs;
  collect_blobs(row, refs);
  CHECK(refs.size() == 3);
  db.erase(*t, Datum::integer(1));
}

TEST_CASE("an update of another field touches no byte of a file") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  db.put(*t, with_file(1, some_bytes(3'000'000)));
  const Datum row = db.get(*t, Datum::integer(1)).value();
  const std::uint64_t id = row.get("file")->blob_ref()->id;
  ObjectBuilder o(row);
  o.set("name", Datum::string("renamed"));
  const Datum renamed = o.finish();
  CHECK(db.run([&](Writer& w) -> Result<void> {
            auto r = w.put(*t, to_primary_key(Datum::integer(1)), renamed);
            if (!r) return r.error();
            return {};
          }).ok());
  const Datum now = db.get(*t, Datum::integer(1)).value();
  CHECK(now.get("file")->blob_ref()->id == id);
  CHECK(now.get("name") == Datum::string("renamed"));
  CHECK(db.keys_in(kBlobSpace) == 1);
  CHECK(db.keys_in(kGraveyardSpace) == 0);
}

TEST_CASE("blobs shared by rows go with the last of them") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  auto u = db.make_table("u");
  const std::string bytes = some_bytes(200'000);
  db.put(*t, with_file(1, bytes));
  {
    const Datum row = db.get(*t, Datum::integer(1)).value();
    db.put(*u, with_file(2, row.get("file").value()));
    db.put(*u, with_file(3, Datum::array({row.get("file").value(), row.get("file").value()})));
  }
  CHECK(db.keys_in(kBlobSpace) == 1);
  db.erase(*t, Datum::integer(1));
  CHECK(db.get(*u, Datum::integer(2))->get("file")->binary_bytes() == bytes);
  db.put(*u, with_file(2, std::string("small")));
  CHECK(db.get(*u, Datum::integer(3))->get("file")->at(1).binary_bytes() == bytes);
  CHECK(db.keys_in(kGraveyardSpace) == 0);
  CHECK(db.wait([&](Engine::Done done) { db->drop_table(u->id, std::move(done)); }).ok());
  CHECK(eventually([&] { return all_reclaimed(db); }));
}

TEST_CASE("a value that is still held keeps its bytes") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  const std::string bytes = some_bytes(300'000);
  db.put(*t, with_file(1, bytes));
  Datum held = db.get(*t, Datum::integer(1)).value().get("file").value();
  Datum old_row = db.erase(*t, Datum::integer(1)).old_row;
  held = Datum();
  // Long enough for the background thread to have looked several times.
  for (int i = 0; i < 3; ++i) {
    db.put(*t, with_file(7, std::string("x")));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK(old_row.get("file")->binary_bytes() == bytes);
  }
  CHECK(db.keys_in(kBlobSpace) == 1);

  // Buried, yet stored again: it lives on.
  db.put(*t, with_file(2, old_row.get("file").value()));
  old_row = Datum();
  CHECK(db.keys_in(kGraveyardSpace) == 0);
  CHECK(db.get(*t, Datum::integer(2))->get("file")->binary_bytes() == bytes);
  CHECK(db.erase(*t, Datum::integer(2)).new_row.is_null());
  CHECK(eventually([&] { return all_reclaimed(db); }));
}

TEST_CASE("what is buried when the database closes goes later") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  db.put(*t, with_file(1, some_bytes(300'000)));
  const Datum held = db.get(*t, Datum::integer(1)).value();
  db.erase(*t, Datum::integer(1));
  CHECK(db.keys_in(kGraveyardSpace) == 1);
  db.close();
  CHECK_THROWS_AS(held.get("file")->binary_bytes(), DatumError);
  db.open();
  CHECK(eventually([&] { return all_reclaimed(db); }));
}

TEST_CASE("a job sees the blobs it has stored, a failed one leaves none") {
  TestDatabase db(each_engine());
  auto t = db.make_table("t");
  db.make_index(*t, "file", "file");
  const std::string bytes = some_bytes(100'000);
  CHECK(!db.run([&](Writer& w) -> Result<void> {
             (void)w.put(*t, to_primary_key(Datum::integer(1)), with_file(1, bytes));
             return Error{ErrorKind::kInvalid, "no"};
           }).ok());
  CHECK(all_reclaimed(db));
  CHECK(db.run([&](Writer& w) -> Result<void> {
            const std::string key = to_primary_key(Datum::integer(1));
            auto put = w.put(*t, key, with_file(1, bytes));
            if (!put) return put.error();
            CHECK(put->new_row.get("file")->binary_bytes() == bytes);
            auto got = w.get(*t, key);
            if (!got) return got.error();
            CHECK(got.value()->get("file")->binary_bytes() == bytes);
            auto removed = w.erase(*t, key);
            if (!removed) return removed.error();
            CHECK(removed->old_row.get("file")->binary_slice(99'990, 10) == bytes.substr(99'990));
            auto again = w.put(*t, key, put->new_row);
            if (!again) return again.error();
            return {};
          }).ok());
  const auto index = db.index(t->id, "file");
  const auto rows = db.scan_index(*t, *index, {to_key(Datum::binary(bytes)), {}});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].index_value.binary_bytes() == bytes);
  CHECK(db.keys_in(kBlobSpace) == 1);
}

TEST_CASE("documents that are too large are refused") {
  TestDatabase db(EngineKind::kReal);
  auto t = db.make_table("t");
  const auto result = db.run([&](Writer& w) -> Result<void> {
    ObjectBuilder o;
    o.set("id", Datum::integer(1));
    o.set("text", Datum::string(std::string(kMaxRowBytes, 'x')));
    auto put = w.put(*t, to_primary_key(Datum::integer(1)), o.finish());
    if (!put) return put.error();
    return {};
  });
  REQUIRE(!result.ok());
  CHECK(result.error().kind == ErrorKind::kInvalid);
  CHECK(result.error().message.find("larger than 128 MB") != std::string::npos);
  CHECK(db.run([&](Writer& w) -> Result<void> {
            auto put = w.put(*t, std::string(kMaxPrimaryKeyBytes + 1, 'k'), json("{}"));
            if (!put) return put.error();
            return {};
          })
            .error()
            .kind == ErrorKind::kKeyTooLong);
}

}  // namespace reqld::storage
