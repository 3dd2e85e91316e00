// The storage engine by itself: latency of hard writes against the bare disk, processor time per write,
// blobs. usage: storage_engine_bench [--directory DIR] [--rows N] [--only lmdb|writes|blobs|fragmented]
#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "bench/clock.hpp"
#include "storage/engine.hpp"

namespace {

using namespace reqld::storage;
using namespace reqld::bench;

class Latencies {
 public:
  void add(double us) { us_.push_back(us); }
  double percentile(double p) {
    std::sort(us_.begin(), us_.end());
    return us_.empty()
               ? 0
               : us_[std::min(us_.size() - 1, static_cast<std::size_t>(p * static_cast<double>(us_.size())))];
  }

 private:
  std::vector<double> us_;
};

void report(const char* name, double operations, double seconds, double cpu, Latencies& latencies) {
  std::printf("%-34s %9.0f op/s %8.1f us CPU/op   p50 %7.0f us  p99 %7.0f us\n", name, operations / seconds,
              cpu / operations * 1e6, latencies.percentile(0.5), latencies.percentile(0.99));
  std::fflush(stdout);
}

double bare_disk(const std::string& directory, bool append) {
  const std::string path = directory + "/bare";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  std::string page(4096, 'x');
  constexpr int kWrites = 1500;
  if (!append) {
    for (int i = 0; i < kWrites; ++i) (void)!::pwrite(fd, page.data(), page.size(), i * 4096L);
    ::fdatasync(fd);
  }
  Latencies latencies;
  const auto begin = Clock::now();
  const double cpu = cpu_seconds();
  for (int i = 0; i < kWrites; ++i) {
    const auto start = Clock::now();
    (void)!::pwrite(fd, page.data(), page.size(), i * 4096L);
    ::fdatasync(fd);
    latencies.add(seconds_since(start) * 1e6);
  }
  report(append ? "disk: append 4 KiB + fdatasync" : "disk: overwrite 4 KiB + fdatasync", kWrites,
         seconds_since(begin), cpu_seconds() - cpu, latencies);
  ::close(fd);
  std::filesystem::remove(path);
  return latencies.percentile(0.5);
}

std::string random_key(std::mt19937_64& random, std::uint64_t rows) {
  std::uint64_t n = random() % rows * 0x9e3779b97f4a7c15ull;
  std::string key =
      "\0\0\0\7"
      "id"
      "0123456789";
  key.resize(20);
  std::memcpy(key.data() + 8, &n, 8);
  return key;
}

/// `clients` closed loops of one write each, answered on the engine's threads.
void writes(Engine& engine, const char* name, int clients, int total, Durability durability,
            std::uint64_t rows) {
  std::atomic<int> left{total};
  std::atomic<int> running{clients};
  std::mutex mutex;
  std::condition_variable finished;
  Latencies latencies;
  std::mt19937_64 random(7);
  const std::string value(300, 'v');
  std::function<void()> next = [&] {
    if (left.fetch_sub(1) <= 0) {
      if (running.fetch_sub(1) == 1) {
        std::lock_guard lock(mutex);
        finished.notify_one();
      }
      return;
    }
    std::string key;
    {
      std::lock_guard lock(mutex);
      key = random_key(random, rows);
    }
    const auto start = Clock::now();
    engine.submit(
        [key, &value](WriteTxn& txn) -> Result<void> {
          (void)txn.get(key);
          txn.put(key, value);
          return {};
        },
        durability,
        [&, start](Result<Sequence> result) {
          if (!result) std::abort();
          {
            std::lock_guard lock(mutex);
            latencies.add(seconds_since(start) * 1e6);
          }
          next();
        });
  };
  const auto begin = Clock::now();
  const double cpu = cpu_seconds();
  const auto commits = engine.last_sequence();
  const auto syncs = engine.stats().syncs;
  for (int i = 0; i < clients; ++i) next();
  {
    std::unique_lock lock(mutex);
    finished.wait(lock, [&] { return running == 0; });
  }
  report(name, total, seconds_since(begin), cpu_seconds() - cpu, latencies);
  std::printf("%-34s %9.1f writes per commit, %.1f per sync\n", "",
              total / static_cast<double>(std::max<Sequence>(1, engine.last_sequence() - commits)),
              total / static_cast<double>(std::max<std::uint64_t>(1, engine.stats().syncs - syncs)));
}

/// One write at a time from a thread that waits for the answer, as one connection does.
double lone_writes(Engine& engine, const char* name, int total, Durability durability, std::uint64_t rows) {
  Latencies latencies;
  std::mt19937_64 random(8);
  const std::string value(300, 'v');
  const auto begin = Clock::now();
  const double cpu = cpu_seconds();
  std::mutex mutex;
  std::condition_variable changed;
  for (int i = 0; i < total; ++i) {
    const std::string key = random_key(random, rows);
    bool done = false;
    const auto start = Clock::now();
    engine.submit(
        [&](WriteTxn& txn) -> Result<void> {
          txn.put(key, value);
          return {};
        },
        durability,
        [&](Result<Sequence>) {
          std::lock_guard lock(mutex);
          done = true;
          changed.notify_one();
        });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
    latencies.add(seconds_since(start) * 1e6);
  }
  report(name, total, seconds_since(begin), cpu_seconds() - cpu, latencies);
  return latencies.percentile(0.5);
}

void wait(Engine& engine, Engine::Job job, Durability durability = Durability::kSoft) {
  std::promise<Result<Sequence>> promise;
  engine.submit(std::move(job), durability, [&](Result<Sequence> r) { promise.set_value(std::move(r)); });
  const auto result = promise.get_future().get();
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(1);
  }
}

void load(Engine& engine, std::uint64_t rows) {
  std::mt19937_64 random(9);
  const std::string value(300, 'v');
  const auto begin = Clock::now();
  const double cpu = cpu_seconds();
  for (std::uint64_t i = 0; i < rows; i += 1000) {
    wait(engine, [&](WriteTxn& txn) -> Result<void> {
      for (int k = 0; k < 1000; ++k) txn.put(random_key(random, rows), value);
      return {};
    });
  }
  Latencies none;
  report("load, 1000 rows per job", static_cast<double>(rows), seconds_since(begin), cpu_seconds() - cpu,
         none);
}

/// Values of 1 MiB in chunks, replaced again and again.
void blobs(Engine& engine, std::size_t chunk) {
  const std::string data(chunk, 'b');
  constexpr std::size_t kBlob = 1 << 20;
  constexpr int kBlobs = 300;
  Latencies latencies;
  const auto begin = Clock::now();
  const double cpu = cpu_seconds();
  for (int i = 0; i < kBlobs; ++i) {
    const auto start = Clock::now();
    wait(engine, [&](WriteTxn& txn) -> Result<void> {
      // The blob of 50 rounds ago goes.
      for (std::size_t at = 0; at < kBlob; at += chunk) {
        char key[64];
        if (i >= 50) {
          const int n = std::snprintf(key, sizeof key, "blob%08d/%08zu", i - 50, at);
          txn.del({key, static_cast<std::size_t>(n)});
        }
        const int n = std::snprintf(key, sizeof key, "blob%08d/%08zu", i, at);
        txn.put({key, static_cast<std::size_t>(n)}, data);
      }
      return {};
    });
    latencies.add(seconds_since(start) * 1e6);
  }
  char name[64];
  std::snprintf(name, sizeof name, "1 MiB in chunks of %zu", chunk);
  report(name, kBlobs, seconds_since(begin), cpu_seconds() - cpu, latencies);
}

/// The same writes on LMDB alone, MDB_NOSYNC, `batch` per transaction.
void raw_lmdb(const std::string& directory, std::uint64_t rows, int batch) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  MDB_env* env = nullptr;
  mdb_env_create(&env);
  mdb_env_set_mapsize(env, std::size_t{1} << 36);
  mdb_env_open(env, directory.c_str(), MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD, 0600);
  MDB_txn* txn = nullptr;
  mdb_txn_begin(env, nullptr, 0, &txn);
  MDB_dbi dbi = 0;
  mdb_dbi_open(txn, nullptr, 0, &dbi);
  std::mt19937_64 random(9);
  std::string value(300, 'v');
  const auto put = [&](std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i) {
      std::string key = random_key(random, rows);
      MDB_val k{key.size(), key.data()};
      MDB_val v{value.size(), value.data()};
      mdb_put(txn, dbi, &k, &v, 0);
    }
  };
  put(rows);
  mdb_txn_commit(txn);
  constexpr int kWrites = 40000;
  Latencies none;
  const auto begin = Clock::now();
  const double cpu = cpu_seconds();
  for (int i = 0; i < kWrites; i += batch) {
    mdb_txn_begin(env, nullptr, 0, &txn);
    put(static_cast<std::uint64_t>(batch));
    mdb_txn_commit(txn);
  }
  char name[64];
  std::snprintf(name, sizeof name, "LMDB alone, no sync, %d per commit", batch);
  report(name, kWrites, seconds_since(begin), cpu_seconds() - cpu, none);
  mdb_env_close(env);
  std::filesystem::remove_all(directory);
}

}  // namespace

int main(int argc, char** argv) {
  std::string base = "/tmp";
  std::uint64_t rows = 1'000'000;
  std::string only;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--directory") == 0) base = argv[i + 1];
    if (std::strcmp(argv[i], "--only") == 0) only = argv[i + 1];
    if (std::strcmp(argv[i], "--rows") == 0) rows = std::strtoull(argv[i + 1], nullptr, 10);
  }
  std::string pattern = base + "/reqld-engine-bench-XXXXXX";
  const std::string directory = ::mkdtemp(pattern.data());
  EngineOptions options;
  options.directory = directory + "/db";

  const auto wanted = [&](const char* part) { return only.empty() || only == part; };
  if (wanted("lmdb")) raw_lmdb(directory + "/lmdb", rows, 1);
  if (wanted("lmdb")) raw_lmdb(directory + "/lmdb", rows, 64);
  {
    auto engine = Engine::open(options);
    if (!engine) {
      std::fprintf(stderr, "%s\n", engine.error().message.c_str());
      return 1;
    }
    if (only != "blobs") load(**engine, rows);
    if (wanted("writes")) {
      const double append = bare_disk(directory, true);
      bare_disk(directory, false);
      const double hard = lone_writes(**engine, "hard, 1 client", 2000, Durability::kHard, rows);
      std::printf("%-34s %9.2f times a bare append + fdatasync (p50)\n", "", hard / append);
      lone_writes(**engine, "soft, 1 client", 5000, Durability::kSoft, rows);
      writes(**engine, "hard, 64 clients", 64, 60000, Durability::kHard, rows);
      writes(**engine, "soft, 64 clients", 64, 100000, Durability::kSoft, rows);
    }
    if (only == "fragmented") writes(**engine, "soft, 64 clients", 64, 100000, Durability::kSoft, rows);
    for (const std::size_t chunk : {2000, 4080, 8176, 16368, 65520, 262128}) {
      if (wanted("blobs") || wanted("fragmented")) blobs(**engine, chunk);
    }
    const auto stats = (*engine)->stats();
    std::printf("data file %.0f MB, free %.0f MB, log %.0f MB, %llu checkpoints\n",
                static_cast<double>(stats.data_file_bytes) / 1e6, static_cast<double>(stats.free_bytes) / 1e6,
                static_cast<double>(stats.log_bytes) / 1e6,
                static_cast<unsigned long long>(stats.checkpoints));
    const auto begin = Clock::now();
    engine->reset();
    std::printf("closing %.0f ms\n", seconds_since(begin) * 1e3);
  }
  const auto begin = Clock::now();
  auto engine = Engine::open(options);
  std::printf("opening after a clean end %.0f ms\n", seconds_since(begin) * 1e3);
  if (engine) engine->reset();
  std::filesystem::remove_all(directory);
  return 0;
}
