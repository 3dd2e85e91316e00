#include "tests/crash/workload.hpp"

#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

namespace reqld::crash {
namespace {

using storage::Cursor;
using storage::Direction;
using storage::Durability;
using storage::Error;
using storage::ErrorKind;
using storage::KeyRange;
using storage::Result;
using storage::Sequence;
using storage::WriteTxn;

std::string random_value(std::mt19937_64& random, std::size_t size) {
  std::string value(size, '\0');
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    const std::uint64_t v = random();
    std::memcpy(value.data() + at, &v, 8);
  }
  for (; at < size; ++at) value[at] = static_cast<char>(random());
  return value;
}

std::size_t random_size(std::mt19937_64& random, const WorkloadOptions& options) {
  const double p = std::uniform_real_distribution<>(0, 1)(random);
  const auto up_to = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n)(random); };
  if (p < options.big_values) return up_to(options.largest_value);
  if (p < 0.1) return up_to(40000);
  return up_to(600);
}

/// What one job does, fixed when it is made, so that a second run does the same.
class RandomJob {
 public:
  RandomJob(std::uint64_t seed, const WorkloadOptions& options) : seed_(seed), options_(options) {}

  Result<void> operator()(WriteTxn& txn) {
    std::mt19937_64 random(seed_);
    writes_.writes.clear();
    sequence_ = txn.sequence();
    const auto up_to = [&](int n) { return std::uniform_int_distribution<int>(0, n)(random); };
    const auto key = [&] { return "key" + std::to_string(up_to(options_.keys)); };
    const int kind = up_to(19);
    if (kind < 11) {
      const int n = 1 + up_to(4);
      for (int i = 0; i < n; ++i) put(txn, key(), random_value(random, random_size(random, options_)));
    } else if (kind < 14) {
      const int n = 1 + up_to(6);
      for (int i = 0; i < n; ++i) del(txn, key());
    } else if (kind < 16) {
      // A counter: lost and doubled commits show.
      const std::string name = "counter" + std::to_string(up_to(3));
      const auto old = txn.get(name);
      put(txn, name, std::to_string((old ? std::stoull(std::string(*old)) : 0) + 1));
    } else if (kind < 17) {
      const int first = up_to(options_.keys);
      const KeyRange range{"key" + std::to_string(first), "key" + std::to_string(first) + "5"};
      std::vector<std::string> doomed;
      for (auto c = txn.cursor(range, Direction::kForward); c->valid(); c->next())
        doomed.emplace_back(c->key());
      for (const auto& k : doomed) del(txn, k);
    } else if (kind < 18) {
      const int n = up_to(300);
      const std::string prefix = "bulk" + std::to_string(up_to(5)) + "/";
      for (int i = 0; i < n; ++i) put(txn, prefix + std::to_string(i), random_value(random, 100));
    } else if (kind < 19) {
      const std::string long_key(500, 'k');
      put(txn, long_key + std::to_string(up_to(200)), random_value(random, 20));
    } else {
      put(txn, key(), "never to be seen");
      return Error{ErrorKind::kInvalid, "meant to fail"};
    }
    return {};
  }

  Sequence sequence() const { return sequence_; }
  const JobWrites& writes() const { return writes_; }

 private:
  void put(WriteTxn& txn, const std::string& key, const std::string& value) {
    txn.put(key, value);
    writes_.writes.emplace_back(key, fingerprint(value));
  }
  void del(WriteTxn& txn, const std::string& key) {
    if (!txn.get(key)) return;  // so that a job without an effect has no writes
    txn.del(key);
    writes_.writes.emplace_back(key, Fingerprint{});
  }

  const std::uint64_t seed_;
  const WorkloadOptions& options_;
  Sequence sequence_ = 0;
  JobWrites writes_;
};

}  // namespace

bool run_workload(storage::Engine& engine, const WorkloadOptions& options, History& history,
                  const OnAck& on_ack) {
  std::atomic<bool> good{true};
  std::vector<std::thread> threads;
  for (int t = 0; t < options.threads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(options.seed * 1000003 + static_cast<std::uint64_t>(t));
      std::mutex mutex;
      std::condition_variable changed;
      int outstanding = 0;
      for (int i = 0; i < options.jobs; ++i) {
        {
          std::unique_lock lock(mutex);
          changed.wait(lock, [&] { return outstanding < options.outstanding; });
          ++outstanding;
        }
        const bool hard = std::uniform_real_distribution<>(0, 1)(random) < options.hard;
        auto job = std::make_shared<RandomJob>(random(), options);
        engine.submit(
            [job, &history](WriteTxn& txn) -> Result<void> {
              auto ran = (*job)(txn);
              // Recorded here, where the order of jobs is known; a job's writes count once its commit is
              // made.
              if (ran && !job->writes().writes.empty()) history.add(txn.sequence(), job->writes());
              return ran;
            },
            hard ? Durability::kHard : Durability::kSoft,
            [&, hard](Result<Sequence> result) {
              if (result) {
                on_ack(*result, hard);
              } else if (result.error().message != "meant to fail") {
                std::fprintf(stderr, "a job failed: %s\n", result.error().message.c_str());
                good = false;
              }
              std::lock_guard lock(mutex);
              --outstanding;
              changed.notify_one();
            });
      }
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return outstanding == 0; });
    });
  }
  for (auto& thread : threads) thread.join();
  return good;
}

}  // namespace reqld::crash
