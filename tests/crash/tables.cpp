#include "tests/crash/tables.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "datum/key_codec.hpp"
#include "storage/tables/database_impl.hpp"
#include "storage/tables/keyspace.hpp"
#include "storage/tools/check.hpp"
#include "tests/crash/recording_engine.hpp"

namespace reqld::crash {
namespace {

using storage::Database;
using storage::DatabaseOptions;
using storage::Durability;
using storage::Engine;
using storage::Error;
using storage::ErrorKind;
using storage::IndexInfo;
using storage::Result;
using storage::Sequence;
using storage::TableInfo;
using storage::Writer;

/// The index of a field, or of its elements when it is an array.
class FieldIndex final : public storage::IndexFunction {
 public:
  explicit FieldIndex(std::string field) : field_(std::move(field)) {}
  void keys(const Datum& row, std::vector<Datum>& out) const override {
    const std::optional<Datum> value = row.get(field_);
    if (!value || value->is_null()) return;
    if (value->type() != Type::kArray) return out.push_back(*value);
    for (std::size_t i = 0; i < value->array_size(); ++i) out.push_back(value->at(i));
  }

 private:
  const std::string field_;
};

std::shared_ptr<const storage::IndexFunction> make_index_function(const Datum& definition) {
  return std::make_shared<FieldIndex>(std::string(definition.as_string()));
}

constexpr const char* kFields[] = {"n", "word", "tags"};
constexpr int kTables = 3;

/// Several threads that write, and one that makes and drops tables and indexes.
class TableWorkload {
 public:
  TableWorkload(Database& database, const WorkloadOptions& options, const OnAck& on_ack)
      : db_(database), options_(options), on_ack_(on_ack) {}

  bool run() {
    std::vector<std::thread> threads;
    threads.emplace_back([this] { change_catalog(); });
    for (int t = 0; t < options_.threads; ++t) threads.emplace_back([this, t] { write(t); });
    for (auto& thread : threads) thread.join();
    return good_;
  }

 private:
  using Random = std::mt19937_64;
  static int up_to(Random& random, int n) { return std::uniform_int_distribution<int>(0, n)(random); }

  /// Dropped under one's feet, or made by somebody else in the meantime: that is life.
  void outcome(const Result<Sequence>& result, bool hard) {
    if (result) return on_ack_(*result, hard);
    const ErrorKind kind = result.error().kind;
    if (kind == ErrorKind::kNotFound || kind == ErrorKind::kExists || kind == ErrorKind::kInvalid) return;
    std::fprintf(stderr, "a job failed: %s\n", result.error().message.c_str());
    good_ = false;
  }

  std::shared_ptr<const TableInfo> table(int number) const {
    const auto catalog = db_.catalog();
    return catalog->table(*catalog->db("test"), "t" + std::to_string(number));
  }

  void change_catalog() {
    Random random(options_.seed * 31 + 7);
    const auto wait = [this](const std::function<void(Engine::Done)>& start) {
      std::promise<Result<Sequence>> promise;
      start([&promise](Result<Sequence> result) { promise.set_value(std::move(result)); });
      outcome(promise.get_future().get(), true);
    };
    for (int i = 0; i < options_.jobs / 2; ++i) {
      const int number = up_to(random, kTables - 1);
      const auto t = table(number);
      if (!t) {
        TableInfo info;
        info.name = "t" + std::to_string(number);
        wait([&](Engine::Done done) {
          db_.create_table(db_.catalog()->db("test")->id, info, std::move(done));
        });
        continue;
      }
      const int dice = up_to(random, 9);
      const std::string field = kFields[up_to(random, 2)];
      if (dice == 0) {
        wait([&](Engine::Done done) { db_.drop_table(t->id, std::move(done)); });
      } else if (dice == 1) {
        const std::string other = field + "2";
        wait([&](Engine::Done done) { db_.rename_index(t->id, field, other, true, std::move(done)); });
      } else if (dice < 4) {
        wait([&](Engine::Done done) { db_.drop_index(t->id, field, std::move(done)); });
      } else if (dice < 8) {
        IndexInfo index;
        index.name = field;
        index.multi = field == "tags";
        index.definition = Datum::string(field);
        wait([&](Engine::Done done) { db_.create_index(t->id, index, std::move(done)); });
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(up_to(random, 20)));
      }
    }
  }

  std::string bytes(Random& random) const {
    static constexpr int kSizes[] = {0, 100, 999, 1000, 5000, 70'000};
    int size = kSizes[up_to(random, 5)];
    if (std::uniform_real_distribution<>(0, 1)(random) < options_.big_values) size = 2'000'000;
    return std::string(static_cast<std::size_t>(size), static_cast<char>(random()));
  }

  Datum document(Random& random, int id) const {
    ObjectBuilder o;
    o.set("id", Datum::integer(id));
    if (up_to(random, 3)) o.set("n", Datum::integer(up_to(random, 20)));
    if (up_to(random, 3)) {
      const auto size = static_cast<std::size_t>(up_to(random, 5) ? up_to(random, 10) : up_to(random, 500));
      o.set("word", Datum::string(std::string(size, static_cast<char>('a' + up_to(random, 3)))));
    }
    if (up_to(random, 3)) {
      o.set("tags",
            Datum::array({Datum::integer(up_to(random, 5)), Datum::string("tag"), Datum::integer(1)}));
    }
    if (up_to(random, 2) == 0) o.set("file", Datum::binary(bytes(random)));
    return o.finish();
  }

  void write(int thread) {
    Random random(options_.seed * 1000003 + static_cast<std::uint64_t>(thread));
    std::mutex mutex;
    std::condition_variable changed;
    int outstanding = 0;
    for (int i = 0; i < options_.jobs; ++i) {
      const auto t = table(up_to(random, kTables - 1));
      if (!t) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      struct Row {
        int id;
        bool erase;
        bool copy;  ///< of the binary that the row has already
        Datum document;
      };
      auto rows = std::make_shared<std::vector<Row>>();
      for (int n = up_to(random, up_to(random, 9) ? 4 : 40); n >= 0; --n) {
        const int id = up_to(random, options_.keys);
        rows->push_back({id, up_to(random, 4) == 0, up_to(random, 4) == 0, document(random, id)});
      }
      const bool hard = std::uniform_real_distribution<>(0, 1)(random) < options_.hard;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return outstanding < options_.outstanding; });
        ++outstanding;
      }
      db_.submit(
          [t, rows](Writer& w) -> Result<void> {
            for (const Row& row : *rows) {
              const std::string key = to_primary_key(Datum::integer(row.id));
              if (row.erase) {
                if (auto erased = w.erase(*t, key); !erased) return erased.error();
                continue;
              }
              Datum d = row.document;
              const auto old = w.get(*t, key);
              if (!old) return old.error();
              if (row.copy && old->has_value()) {
                ObjectBuilder o(d);
                if (const auto file = (**old).get("file")) o.set("file", *file);
                d = o.finish();
              }
              if (auto put = w.put(*t, key, d); !put) return put.error();
            }
            return {};
          },
          hard ? Durability::kHard : Durability::kSoft,
          [&, hard](Result<Sequence> result) {
            outcome(result, hard);
            std::lock_guard lock(mutex);
            --outstanding;
            changed.notify_one();
          });
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return outstanding == 0; });
  }

  Database& db_;
  const WorkloadOptions& options_;
  const OnAck& on_ack_;
  std::atomic<bool> good_{true};
};

Result<std::unique_ptr<Database>> open(std::unique_ptr<Engine> engine, History& history) {
  DatabaseOptions options;
  options.blob_threshold = 1000;
  options.index_functions = make_index_function;
  return storage::open_database(record_writes(std::move(engine), history), std::move(options));
}

bool anything_in(Engine& engine, std::uint32_t space) {
  const auto snapshot = engine.snapshot();
  return snapshot->cursor(storage::whole_space(space), storage::Direction::kForward)->valid();
}

}  // namespace

bool run_table_workload(std::unique_ptr<Engine> engine, const WorkloadOptions& options, History& history,
                        const OnAck& on_ack) {
  auto db = open(std::move(engine), history);
  if (!db) {
    std::fprintf(stderr, "the database does not open: %s\n", db.error().message.c_str());
    return false;
  }
  return TableWorkload(**db, options, on_ack).run();
}

std::optional<std::string> check_tables(Engine& engine) {
  if (!engine.snapshot()->get(storage::space_key(storage::kMetaSpace, storage::kMetaFormat))) {
    // Cut before the first commit.
    if (engine.snapshot()->cursor({}, storage::Direction::kForward)->valid()) return "keys without a format";
    return std::nullopt;
  }
  storage::CheckOptions options;
  options.index_functions = make_index_function;
  const auto report = storage::check_database(engine, options);
  if (report.ok()) return std::nullopt;
  return std::to_string(report.problems) + " problems, the first: " + report.findings.front();
}

std::optional<std::string> settle_tables(std::unique_ptr<Engine> engine, History& history,
                                         const OnAck& on_ack, Sequence& last) {
  auto db = open(std::move(engine), history);
  if (!db) return "the database does not open: " + db.error().message;
  WorkloadOptions options;
  options.threads = 1;
  options.jobs = 10;
  options.big_values = 0;
  options.seed = history.last();
  if (!TableWorkload(**db, options, on_ack).run()) return "writes fail";
  Engine& inner = (*db)->engine();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (anything_in(inner, storage::kTaskSpace) || anything_in(inner, storage::kGraveyardSpace)) {
    if (std::chrono::steady_clock::now() > end) return "what went on in the background does not end";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  last = inner.last_sequence();
  return check_tables(inner);
}

}  // namespace reqld::crash
