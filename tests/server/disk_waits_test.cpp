// Waiting for the disk is noticed, and only that.

#include "server/disk_waits.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/coroutine.hpp"
#include "server/worker_pool.hpp"

using namespace reqld::server;

namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kPages = 128;

/// A mapped file, none of it in memory where the file system allows that.
class ColdFile {
 public:
  ColdFile() {
    char name[] = "/tmp/reqld-cold-XXXXXX";
    fd_ = mkstemp(name);
    REQUIRE(fd_ >= 0);
    unlink(name);
    const std::string pages(kPages * kPageBytes, 'x');
    REQUIRE(write(fd_, pages.data(), pages.size()) == static_cast<ssize_t>(pages.size()));
    REQUIRE(fsync(fd_) == 0);
    posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
    map_ = mmap(nullptr, pages.size(), PROT_READ, MAP_SHARED, fd_, 0);
    REQUIRE(map_ != MAP_FAILED);
    madvise(map_, pages.size(), MADV_RANDOM);
  }
  ~ColdFile() {
    munmap(map_, kPages * kPageBytes);
    close(fd_);
  }
  char read(std::size_t page) const { return static_cast<const volatile char*>(map_)[page * kPageBytes]; }

 private:
  int fd_ = -1;
  void* map_ = nullptr;
};

/// Reads all pages as jobs of `waits`; false when the file system had kept most of them in memory.
bool read_all(const ColdFile& file, DiskWaits& waits) {
  const auto waits_of_thread = [] {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_majflt;
  };
  const long before = waits_of_thread();
  for (std::size_t page = 0; page < kPages; ++page) {
    CHECK(file.read(page) == 'x');
    waits.done(1);
  }
  if (waits_of_thread() - before >= static_cast<long>(kPages / 2)) return true;
  MESSAGE("the file system keeps files in memory: there are no waits to notice");
  return false;
}

/// Must outlive the pool: its threads may still be posting what has been delivered already.
class LoopThread {
 public:
  ~LoopThread() {
    loop.stop();
    thread_.join();
  }
  EventLoop loop;

 private:
  std::thread thread_{[this] { loop.run(); }};
};

/// Jobs that hold their thread until they are let go; counts how many do so at once.
class Holding final : public CoroutineOwner {
 public:
  explicit Holding(EventLoop& home) : home_(home) {}
  ~Holding() {
    let_go();
    wait_for_all();
  }

  void begin(WorkerPool& pool, int count) {
    for (int i = 0; i < count; ++i) {
      coroutines_.push_back(Coroutine::create(home_, pool, *this));
      jobs_.push_back(std::make_unique<Held>(*this));
    }
    for (std::size_t i = jobs_.size() - static_cast<std::size_t>(count); i < jobs_.size(); ++i)
      coroutines_[i]->begin_on_pool(*jobs_[i]);
  }
  void wait_for_running(unsigned count) {
    wait_until([this, count] { return running_ == count; });
  }
  void let_go() {
    with_lock([this] { held_ = false; });
  }
  void wait_for_all() {
    wait_until([this] { return ended_ == jobs_.size(); });
  }
  unsigned most_at_once() {
    const std::lock_guard lock(mutex_);
    return most_;
  }

  void coroutine_free(Coroutine&) override {}

 private:
  struct Held final : Job {
    explicit Held(Holding& o) : owner(o) {}
    void run(reqld::reql::Suspender&) override { owner.hold(); }
    void finished() override {
      owner.with_lock([this] { ++owner.ended_; });
    }
    Holding& owner;
  };

  void hold() {
    std::unique_lock lock(mutex_);
    most_ = std::max(most_, ++running_);
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    --running_;
  }
  template <typename F>
  void with_lock(F f) {
    const std::lock_guard lock(mutex_);
    f();
    changed_.notify_all();
  }
  template <typename Condition>
  void wait_until(Condition condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, condition);
  }

  EventLoop& home_;
  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned running_ = 0, most_ = 0;
  std::size_t ended_ = 0;
  bool held_ = true;
  std::vector<std::unique_ptr<Coroutine>> coroutines_;
  std::vector<std::unique_ptr<Held>> jobs_;
};

}  // namespace

TEST_CASE("jobs that touch pages on disk are noticed, and that they no longer do") {
  const ColdFile file;
  DiskWaits waits;
  waits.done(0);  // whatever this thread has waited for until now
  for (int i = 0; i < 100; ++i) waits.done(16);
  CHECK_FALSE(waits.often());

  if (!read_all(file, waits)) return;
  CHECK(waits.often());

  for (std::size_t page = 0; page < 2 * kPages; ++page) {
    CHECK(file.read(page % kPages) == 'x');
    waits.done(1);
  }
  CHECK_FALSE(waits.often());
}

TEST_CASE("a wait now and then is not often") {
  const ColdFile file;
  DiskWaits waits;
  waits.done(0);
  for (std::size_t page = 0; page < kPages; page += 8) {
    CHECK(file.read(page) == 'x');
    waits.done(64);
    CHECK_FALSE(waits.often());
  }
}

TEST_CASE("a pool runs as many jobs as it has threads, and more while they wait for the disk") {
  const ColdFile file;
  LoopThread home;
  WorkerPool pool(2, 6);
  {
    Holding jobs(home.loop);
    jobs.begin(pool, 5);
    jobs.wait_for_running(2);
    jobs.let_go();
    jobs.wait_for_all();
    CHECK(jobs.most_at_once() == 2);
  }
  pool.disk_waits().done(0);
  if (!read_all(file, pool.disk_waits())) return;
  {
    Holding jobs(home.loop);
    jobs.begin(pool, 12);
    jobs.wait_for_running(8);  // hangs when they are fewer
    jobs.let_go();
    jobs.wait_for_all();
    CHECK(jobs.most_at_once() == 8);
  }
}
