// Storage figures: storage_bench [--rows N] [--dir DIR] [--only NAME]. One line per figure. Reads and builds
// show the CPU time of their thread, "cpu" is that of the whole process; rates of writes are wall clock.
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <future>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/clock.hpp"
#include "datum/json.hpp"
#include "datum/key_codec.hpp"
#include "storage/database.hpp"

namespace {

using namespace reqld;
using namespace reqld::storage;
using namespace reqld::bench;

class Field final : public IndexFunction {
 public:
  explicit Field(std::string name) : name_(std::move(name)) {}
  void keys(const Datum& row, std::vector<Datum>& out) const override {
    if (auto value = row.get(name_)) out.push_back(std::move(*value));
  }

 private:
  std::string name_;
};

Result<Sequence> wait(const std::function<void(Engine::Done)>& start) {
  std::promise<Result<Sequence>> promise;
  auto future = promise.get_future();
  start([&promise](Result<Sequence> result) { promise.set_value(std::move(result)); });
  return future.get();
}

[[noreturn]] void fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  std::exit(1);
}

struct Bench {
  std::unique_ptr<Database> db;
  std::shared_ptr<const TableInfo> table;
  int rows = 1'000'000;
  std::string only;

  bool wanted(const char* name) const { return only.empty() || std::strstr(name, only.c_str()) != nullptr; }

  std::shared_ptr<const TableInfo> make_table(const std::string& name) {
    TableInfo info;
    info.name = name;
    const auto catalog = db->catalog();
    if (auto r = wait([&](auto done) { db->create_table(catalog->db("test")->id, info, std::move(done)); });
        !r)
      fail(r.error());
    const auto now = db->catalog();
    return now->table(*now->db("test"), name);
  }

  static Datum document(int i) {
    ObjectBuilder o;
    char id[40];
    std::snprintf(id, sizeof id, "%08x-0000-4000-8000-%012d", static_cast<unsigned>(i) * 2654435761u, i);
    o.set("id", Datum::string(id));
    o.set("number", Datum::integer(i % 1000));
    o.set("group", Datum::integer((i * 7919) % 100003));
    o.set("name", Datum::string("somebody number " + std::to_string(i)));
    o.set("text", Datum::string(std::string(180, 'x')));
    return o.finish();
  }

  void load(Durability durability) {
    constexpr int kBatch = 200;
    constexpr int kInFlight = 8;
    const double cpu = cpu_seconds();
    const auto start = Clock::now();
    std::vector<std::future<Result<Sequence>>> flying;
    for (int from = 0; from < rows; from += kBatch) {
      auto promise = std::make_shared<std::promise<Result<Sequence>>>();
      flying.push_back(promise->get_future());
      std::vector<Datum> documents;
      for (int i = from; i < from + kBatch; ++i) documents.push_back(document(i));
      db->submit(
          [this, documents = std::move(documents)](Writer& w) -> Result<void> {
            for (const Datum& d : documents)
              if (auto r = w.put(*table, to_primary_key(d.get("id").value()), d); !r) return r.error();
            return {};
          },
          durability, [promise](Result<Sequence> r) { promise->set_value(std::move(r)); });
      if (flying.size() == kInFlight) {
        if (auto r = flying.front().get(); !r) fail(r.error());
        flying.erase(flying.begin());
      }
    }
    for (auto& f : flying)
      if (auto r = f.get(); !r) fail(r.error());
    const double s = seconds_since(start);
    std::printf("%-34s %10.0f rows/s %8.2f us cpu/row\n",
                durability == Durability::kHard ? "insert_batch200_hard" : "insert_batch200_soft", rows / s,
                (cpu_seconds() - cpu) * 1e6 / rows);
    std::printf(
        "%-34s %10llu bytes per row (encoded %zu)\n", "data_file",
        static_cast<unsigned long long>(db->engine().stats().data_file_bytes / static_cast<unsigned>(rows)),
        document(rows / 2).encoded_size());
  }

  void index(const char* name, const char* field) {
    if (!wanted(name)) return;
    IndexInfo info;
    info.name = field;
    info.definition = Datum::string(field);
    // Point writes go on meanwhile; how long they wait is what matters.
    std::vector<double> delays;
    const double cpu = cpu_seconds();
    const auto start = Clock::now();
    if (auto r = wait([&](auto done) { db->create_index(table->id, info, std::move(done)); }); !r)
      fail(r.error());
    for (int i = 0;; ++i) {
      const auto index = db->catalog()->tables.by_id(table->id)->indexes.at(field);
      if (index->ready) break;
      const auto before = Clock::now();
      const Datum d = document(i * 37 % rows);
      if (auto r = wait([&](auto done) {
            db->submit(
                [&](Writer& w) -> Result<void> {
                  if (auto put = w.put(*table, to_primary_key(d.get("id").value()), d); !put)
                    return put.error();
                  return {};
                },
                Durability::kSoft, std::move(done));
          });
          !r)
        fail(r.error());
      delays.push_back(seconds_since(before) * 1e3);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const double s = seconds_since(start);
    std::sort(delays.begin(), delays.end());
    std::printf(
        "%-34s %10.0f rows/s %8.2f us cpu/row; %zu point writes meanwhile: p50 %.2f p99 %.2f max %.2f ms\n",
        name, rows / s, (cpu_seconds() - cpu) * 1e6 / rows, delays.size(), delays[delays.size() / 2],
        delays[delays.size() * 99 / 100], delays.back());
    const auto index = db->catalog()->tables.by_id(table->id)->indexes.at(field);
    for (const bool documents : {false, true}) {
      std::optional<std::string> resume;
      std::vector<Row> out;
      std::size_t n = 0;
      const double from = thread_cpu_seconds();
      do {
        out.clear();
        resume =
            db->reader()->scan_index(*table, *index, {}, Direction::kForward, resume, {}, documents, out);
        n += out.size();
      } while (resume && n < 300'000);
      std::printf("%-34s %10.3f us/row\n",
                  documents ? "  scan_index with documents" : "  scan_index without documents",
                  (thread_cpu_seconds() - from) * 1e6 / static_cast<double>(n));
    }
  }

  void point_writes() {
    if (!wanted("point")) return;
    for (const Durability durability : {Durability::kSoft, Durability::kHard}) {
      constexpr int kWrites = 20'000;
      constexpr int kInFlight = 64;
      std::mt19937 random(1);
      std::vector<std::future<Result<Sequence>>> flying(kInFlight);
      const double cpu = cpu_seconds();
      const auto start = Clock::now();
      for (int i = 0; i < kWrites; ++i) {
        auto& slot = flying[i % kInFlight];
        if (slot.valid())
          if (auto r = slot.get(); !r) fail(r.error());
        auto promise = std::make_shared<std::promise<Result<Sequence>>>();
        slot = promise->get_future();
        db->submit(
            [this, d = document(static_cast<int>(random() % static_cast<unsigned>(rows)))](
                Writer& w) -> Result<void> {
              auto r = w.put(*table, to_primary_key(d.get("id").value()), d);
              if (!r) return r.error();
              return {};
            },
            durability, [promise](Result<Sequence> r) { promise->set_value(std::move(r)); });
      }
      for (auto& f : flying)
        if (f.valid() && !f.get()) std::exit(1);
      const double s = seconds_since(start);
      std::printf("%-34s %10.0f ops/s %8.2f us cpu/op\n",
                  durability == Durability::kHard ? "point_update_hard_c64" : "point_update_soft_c64",
                  kWrites / s, (cpu_seconds() - cpu) * 1e6 / kWrites);
    }
  }

  void blobs(std::size_t size, const char* name) {
    if (!wanted("blob")) return;
    const auto files = make_table(std::string("files") + name);
    const int n =
        static_cast<int>(std::max<std::size_t>(20, std::min<std::size_t>(2000, (256u << 20) / size)));
    const std::string bytes(size, 'b');
    std::string copy;
    const double copying = thread_cpu_seconds();
    for (int i = 0; i < n; ++i) {
      copy.assign(bytes.data(), bytes.size());
      asm volatile("" : : "r"(copy.data()) : "memory");
    }
    const double memcpy_us = (thread_cpu_seconds() - copying) * 1e6 / n;
    const Datum file = Datum::binary(bytes);
    const double cpu = cpu_seconds();
    const auto start = Clock::now();
    for (int i = 0; i < n; ++i) {
      ObjectBuilder o;
      o.set("id", Datum::integer(i));
      o.set("file", file);
      const Datum d = o.finish();
      if (auto r = wait([&](auto done) {
            db->submit(
                [&](Writer& w) -> Result<void> {
                  if (auto put = w.put(*files, to_primary_key(Datum::integer(i)), d); !put)
                    return put.error();
                  return {};
                },
                Durability::kSoft, std::move(done));
          });
          !r)
        fail(r.error());
    }
    const double put_us = seconds_since(start) * 1e6 / n;
    const double put_cpu = (cpu_seconds() - cpu) * 1e6 / n;
    double read = thread_cpu_seconds();
    for (int i = 0; i < n; ++i) {
      const Datum row = db->reader()->get(*files, to_primary_key(Datum::integer(i))).value();
      if (row.get("file")->binary_bytes().size() != size) std::exit(1);
    }
    const double get_us = (thread_cpu_seconds() - read) * 1e6 / n;
    read = thread_cpu_seconds();
    for (int i = 0; i < n; ++i)
      (void)db->reader()->get(*files, to_primary_key(Datum::integer(i))).value().get("id")->as_integer();
    const double meta_us = (thread_cpu_seconds() - read) * 1e6 / n;
    std::printf("%-34s put %8.1f us (cpu %8.1f)  get %8.1f us  memcpy %7.1f us  other field %5.2f us\n",
                (std::string("blob_") + name).c_str(), put_us, put_cpu, get_us, memcpy_us, meta_us);
    if (auto r = wait([&](auto done) { db->drop_table(files->id, std::move(done)); }); !r) fail(r.error());
  }
};

}  // namespace

int main(int argc, char** argv) {
  Bench b;
  std::string directory;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--rows")
      b.rows = std::atoi(argv[i + 1]) / 200 * 200;
    else if (option == "--dir")
      directory = argv[i + 1];
    else if (option == "--only")
      b.only = argv[i + 1];
  }
  const bool own = directory.empty();
  if (own) {
    char name[] = "/tmp/reqld-storage-bench-XXXXXX";
    if (!mkdtemp(name)) return 1;
    directory = name;
  }
  DatabaseOptions options;
  options.engine.directory = directory;
  options.index_functions = [](const Datum& definition) {
    return std::make_shared<Field>(std::string(definition.as_string()));
  };
  auto opened = Database::open(std::move(options));
  if (!opened) fail(opened.error());
  b.db = std::move(*opened);
  b.blobs(64 * 1024, "64k");
  b.blobs(1 << 20, "1m");
  b.blobs(16 << 20, "16m");
  b.table = b.make_table("rows" + std::to_string(getpid()));
  b.load(Durability::kSoft);
  b.point_writes();
  b.index("index_build_small_numbers", "number");
  b.index("index_build_strings", "name");
  if (b.wanted("hard")) {
    b.table = b.make_table("hard");
    b.rows /= 5;
    b.load(Durability::kHard);
  }
  b.db.reset();
  if (own) std::filesystem::remove_all(directory);
}
