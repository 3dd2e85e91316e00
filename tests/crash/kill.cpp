#include "tests/crash/kill.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "storage/engine.hpp"

namespace reqld::crash {
namespace {

using storage::Direction;
using storage::Durability;
using storage::Engine;
using storage::EngineOptions;
using storage::Result;
using storage::Sequence;
using storage::WriteTxn;

constexpr int kThreads = 4;

EngineOptions engine_options(const std::string& directory) {
  EngineOptions options;
  options.directory = directory;
  options.checkpoint_bytes = 8u << 20;
  options.checkpoint_seconds = 0.3;
  options.map_bytes = 16u << 20;
  return options;
}

struct Ack {
  std::uint64_t round = 0;
  std::uint32_t thread = 0;
  std::uint32_t job = 0;
};

/// How many keys job `job` of a thread writes, and what is in them: known to both processes.
int keys_of(const Ack& a) {
  return 1 + static_cast<int>((a.round * 31 + a.thread * 7 + a.job * 13) % 5);
}
std::string key_of(const Ack& a, int i) {
  return "r" + std::to_string(a.round) + "/t" + std::to_string(a.thread) + "/j" + std::to_string(a.job) +
         "/" + std::to_string(i);
}
std::string value_of(const Ack& a, int i) {
  std::mt19937_64 random(a.round * 1000003 + a.thread * 10007 + a.job * 101 + static_cast<std::uint64_t>(i));
  std::string value(random() % (a.job % 50 == 0 ? 60000 : 500), '\0');
  for (std::size_t at = 0; at < value.size(); at += 16) value[at] = static_cast<char>(random());
  return value;
}
std::string latest_key(std::uint32_t thread) {
  return "latest" + std::to_string(thread);
}

void work(Engine& engine, std::uint64_t round, std::uint32_t thread, int out) {
  std::mutex mutex;
  std::condition_variable changed;
  int outstanding = 0;
  for (std::uint32_t job = 0;; ++job) {
    const Ack ack{round, thread, job};
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return outstanding < 16; });
      ++outstanding;
    }
    engine.submit(
        [ack](WriteTxn& txn) -> Result<void> {
          for (int i = 0; i < keys_of(ack); ++i) txn.put(key_of(ack, i), value_of(ack, i));
          txn.put(latest_key(ack.thread), std::to_string(ack.round) + ":" + std::to_string(ack.job));
          return {};
        },
        (job + thread) % 3 == 0 ? Durability::kHard : Durability::kSoft,
        [&, ack](Result<Sequence> result) {
          if (result && ::write(out, &ack, sizeof ack) != sizeof ack) ::_exit(3);
          if (!result) ::_exit(4);
          std::lock_guard lock(mutex);
          --outstanding;
          changed.notify_one();
        });
  }
}

/// What one thread of one round has acknowledged, and how far it can have come.
struct Known {
  std::set<std::uint32_t> acked;
};

std::optional<std::string> verify(Engine& engine, std::uint64_t rounds,
                                  const std::map<std::pair<std::uint64_t, std::uint32_t>, Known>& known) {
  auto snapshot = engine.snapshot();
  std::uint64_t accounted = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
      const auto found = known.find({round, thread});
      static const Known kNone;
      const Known& k = found == known.end() ? kNone : found->second;
      const std::uint32_t end =
          (k.acked.empty() ? 0 : *k.acked.rbegin() + 1) + 40;  // and the outstanding ones
      for (std::uint32_t job = 0; job < end; ++job) {
        const Ack ack{round, thread, job};
        int present = 0;
        for (int i = 0; i < keys_of(ack); ++i) {
          const auto value = snapshot->get(key_of(ack, i));
          if (!value) continue;
          ++present;
          if (*value != value_of(ack, i)) return key_of(ack, i) + " has the wrong value";
        }
        if (present != 0 && present != keys_of(ack)) return key_of(ack, 0) + " is there in part";
        if (present == 0 && k.acked.contains(job)) return key_of(ack, 0) + " was acknowledged and is lost";
        accounted += static_cast<std::uint64_t>(present);
      }
    }
  }
  std::uint64_t all = 0;
  for (auto c = snapshot->cursor({"r", "s"}, Direction::kForward); c->valid(); c->next()) ++all;
  if (all != accounted) return std::to_string(all - accounted) + " keys nobody wrote";
  return std::nullopt;
}

}  // namespace

int kill_child(const std::string& directory, std::uint64_t round, int out) {
  auto engine = Engine::open(engine_options(directory));
  if (!engine) {
    std::fprintf(stderr, "child: %s\n", engine.error().message.c_str());
    return 5;
  }
  const Ack started{round, 0xffffffff, 0};
  if (::write(out, &started, sizeof started) != sizeof started) return 3;
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] { work(**engine, round, t, out); });
  for (auto& thread : threads) thread.join();
  return 0;
}

KillReport kill_rounds(const std::string& program, const std::string& directory, int rounds,
                       std::uint64_t seed) {
  KillReport report;
  std::mt19937_64 random(seed);
  std::map<std::pair<std::uint64_t, std::uint32_t>, Known> known;
  for (int round = 0; round < rounds && !report.failure; ++round) {
    int ends[2];
    if (::pipe(ends) != 0) {
      report.failure = "pipe failed";
      break;
    }
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      const std::string number = std::to_string(round);
      const std::string out = std::to_string(ends[1]);
      ::execl(program.c_str(), program.c_str(), "child", directory.c_str(), number.c_str(), out.c_str(),
              nullptr);
      ::_exit(6);
    }
    ::close(ends[1]);
    // The pipe is read all the time: a full one would stop the child.
    std::thread reader([&] {
      Ack ack;
      std::thread killer;
      while (::read(ends[0], &ack, sizeof ack) == sizeof ack) {
        if (ack.thread == 0xffffffff) {
          const auto delay = std::chrono::microseconds(random() % 700'000);
          killer = std::thread([child, delay] {
            std::this_thread::sleep_for(delay);
            ::kill(child, SIGKILL);
          });
          continue;
        }
        known[{ack.round, ack.thread}].acked.insert(ack.job);
        ++report.acknowledged;
      }
      if (killer.joinable()) killer.join();
    });
    int status = 0;
    ::waitpid(child, &status, 0);
    reader.join();
    ::close(ends[0]);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
      report.failure =
          "round " + std::to_string(round) + ": the child ended by itself, status " + std::to_string(status);
      break;
    }
    ++report.rounds;
    // Sometimes the next child recovers, sometimes this process does; the last time it is always this one.
    if (round + 1 < rounds && random() % 3 == 0) continue;
    const auto begin = std::chrono::steady_clock::now();
    auto engine = Engine::open(engine_options(directory));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    report.slowest_open_ms = std::max(report.slowest_open_ms, took.count());
    if (!engine) {
      report.failure = "round " + std::to_string(round) + ": " + engine.error().message;
    } else {
      report.failure = verify(**engine, static_cast<std::uint64_t>(round) + 1, known);
    }
  }
  return report;
}

}  // namespace reqld::crash
