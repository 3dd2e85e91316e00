// A Database to test on: in memory, or on the real engine in a directory of its own.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "datum/json.hpp"
#include "datum/key_codec.hpp"
#include "storage/database.hpp"
#include "storage/tables/database_impl.hpp"
#include "tests/storage/eventually.hpp"
#include "tests/storage/memory_engine.hpp"

namespace reqld::storage {

enum class EngineKind { kMemory, kReal };

/// Runs the rest of a test once on each.
inline EngineKind each_engine() {
  EngineKind kind = EngineKind::kMemory;
  SUBCASE("in memory") {
    kind = EngineKind::kMemory;
  }
  SUBCASE("on disk") {
    kind = EngineKind::kReal;
  }
  return kind;
}

/// definition: {"field": name, "multi": bool}; the index of a field, or of its elements.
class FieldIndex final : public IndexFunction {
 public:
  explicit FieldIndex(const Datum& definition) : multi_(definition.get("multi").value().as_bool()) {
    const Datum field = definition.get("field").value();
    field_ = field.as_string();
  }
  void keys(const Datum& row, std::vector<Datum>& out) const override {
    const std::optional<Datum> value = row.get(field_);
    if (!value || value->is_null()) return;
    if (multi_ && value->type() == Type::kArray) {
      for (std::size_t i = 0; i < value->array_size(); ++i) out.push_back(value->at(i));
    } else {
      out.push_back(*value);
    }
  }

 private:
  std::string field_;
  bool multi_;
};

inline Datum field_index(const std::string& field, bool multi = false) {
  ObjectBuilder o;
  o.set("field", Datum::string(field));
  o.set("multi", Datum::boolean(multi));
  return o.finish();
}

class TestDatabase {
 public:
  explicit TestDatabase(EngineKind kind, std::uint64_t blob_threshold = 16 * 1024)
      : kind_(kind), threshold_(blob_threshold) {
    if (kind == EngineKind::kReal) {
      char name[] = "/tmp/reqld-database-XXXXXX";
      REQUIRE(mkdtemp(name) != nullptr);
      directory_ = name;
    }
    open();
  }
  ~TestDatabase() {
    db_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  void open() {
    DatabaseOptions options;
    options.engine.directory = directory_;
    options.blob_threshold = threshold_;
    options.index_functions = [](const Datum& definition) {
      return std::make_shared<FieldIndex>(definition);
    };
    if (kind_ == EngineKind::kMemory) {
      auto engine = std::make_unique<MemoryEngine>(disk_);
      memory_ = engine.get();
      auto opened = open_database(std::move(engine), std::move(options));
      REQUIRE_MESSAGE(opened.ok(), opened.error().message);
      db_ = std::move(*opened);
    } else {
      auto opened = Database::open(std::move(options));
      if (!opened) FAIL(opened.error().message);
      db_ = std::move(*opened);
    }
  }
  void reopen() {
    db_.reset();
    open();
  }
  void close() { db_.reset(); }

  Database& operator*() { return *db_; }
  Database* operator->() { return db_.get(); }
  /// Where the engine can: runs the next `n` batches once for nothing.
  void rerun_batches(int n) {
    if (memory_) memory_->rerun_batches(n);
  }
  const std::string& directory() const { return directory_; }

  Result<Sequence> run(Database::Job job, Durability durability = Durability::kSoft) {
    return wait([&](Engine::Done done) { db_->submit(std::move(job), durability, std::move(done)); });
  }
  static Result<Sequence> wait(const std::function<void(Engine::Done)>& start) {
    std::promise<Result<Sequence>> promise;
    auto future = promise.get_future();
    start([&promise](Result<Sequence> result) { promise.set_value(std::move(result)); });
    return future.get();
  }

  Uuid db_id(const std::string& name = "test") {
    const auto catalog = db_->catalog();
    REQUIRE(catalog->db(name));
    return catalog->db(name)->id;
  }
  std::shared_ptr<const TableInfo> find(const std::string& name) {
    const auto catalog = db_->catalog();
    return catalog->table(*catalog->db("test"), name);
  }
  std::shared_ptr<const TableInfo> make_table(const std::string& name) {
    TableInfo info;
    info.name = name;
    const auto made = wait([&](Engine::Done done) { db_->create_table(db_id(), info, std::move(done)); });
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    return find(name);
  }
  void make_index(const TableInfo& table, const std::string& name, const std::string& field,
                  bool multi = false) {
    IndexInfo index;
    index.name = name;
    index.multi = multi;
    index.definition = field_index(field, multi);
    const auto made = wait([&](Engine::Done done) { db_->create_index(table.id, index, std::move(done)); });
    REQUIRE_MESSAGE(made.ok(), made.error().message);
  }
  std::shared_ptr<const IndexInfo> index(const Uuid& table, const std::string& name) {
    const auto catalog = db_->catalog();
    const auto& indexes = catalog->tables.by_id(table)->indexes;
    const auto it = indexes.find(name);
    return it == indexes.end() ? nullptr : it->second;
  }
  std::shared_ptr<const IndexInfo> wait_ready(const Uuid& table, const std::string& name) {
    REQUIRE(eventually([&] { return index(table, name)->ready; }));
    return index(table, name);
  }
  RowWrite put(const TableInfo& table, const Datum& document) {
    RowWrite write;
    const auto done = run([&](Writer& w) -> Result<void> {
      auto r = w.put(table, to_primary_key(document.get("id").value()), document);
      if (!r) return r.error();
      write = std::move(*r);
      return {};
    });
    REQUIRE_MESSAGE(done.ok(), done.error().message);
    return write;
  }
  RowWrite erase(const TableInfo& table, const Datum& id) {
    RowWrite write;
    const auto done = run([&](Writer& w) -> Result<void> {
      auto r = w.erase(table, to_primary_key(id));
      if (!r) return r.error();
      write = std::move(*r);
      return {};
    });
    REQUIRE_MESSAGE(done.ok(), done.error().message);
    return write;
  }
  std::optional<Datum> get(const TableInfo& table, const Datum& id) {
    return db_->reader()->get(table, to_primary_key(id));
  }

  std::vector<Row> scan(const TableInfo& table, KeyRange range = {},
                        Direction direction = Direction::kForward, Reader::Limits limits = {}) {
    std::vector<Row> rows;
    for (;;) {
      const auto more = db_->reader()->scan(table, range, direction, limits, rows);
      if (!more) return rows;
      (direction == Direction::kForward ? range.lower : range.upper) = *more;
    }
  }
  std::vector<Row> scan_index(const TableInfo& table, const IndexInfo& index, KeyRange values = {},
                              Direction direction = Direction::kForward, Reader::Limits limits = {},
                              bool documents = true) {
    std::vector<Row> rows;
    std::optional<std::string> resume;
    do {
      resume = db_->reader()->scan_index(table, index, {values}, direction, resume, limits, documents, rows);
    } while (resume);
    return rows;
  }
  /// How many keys a space holds.
  std::size_t keys_in(std::uint32_t space) {
    const auto snapshot = db_->engine().snapshot();
    std::size_t n = 0;
    for (auto c = snapshot->cursor(whole_space(space), Direction::kForward); c->valid(); c->next()) ++n;
    return n;
  }

 private:
  const EngineKind kind_;
  const std::uint64_t threshold_;
  std::string directory_;
  std::shared_ptr<MemoryEngine::Disk> disk_ = std::make_shared<MemoryEngine::Disk>();
  MemoryEngine* memory_ = nullptr;
  std::unique_ptr<Database> db_;
};

inline Datum json(const std::string& text) {
  return parse_json(text);
}

}  // namespace reqld::storage
