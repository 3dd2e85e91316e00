// An Engine in memory, for tests only: a std::map that each commit copies. Slow, simple, and strict about
// views and key sizes.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "storage/engine.hpp"

namespace reqld::storage {

class MemoryEngine final : public Engine {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;
  /// What survives the engine: pass it to the next one to reopen.
  struct Disk {
    std::shared_ptr<const Map> map = std::make_shared<const Map>();
    Sequence sequence = 0;
  };

  explicit MemoryEngine(std::shared_ptr<Disk> disk) : disk_(std::move(disk)), thread_([this] { run(); }) {}
  ~MemoryEngine() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  /// The next `n` batches are run once for nothing before they count, as when the map grows.
  void rerun_batches(int n) {
    std::lock_guard lock(mutex_);
    reruns_ = n;
  }

  std::unique_ptr<Snapshot> snapshot() override {
    std::lock_guard lock(mutex_);
    return std::make_unique<MemorySnapshot>(disk_->map, disk_->sequence);
  }
  using Engine::submit;
  void submit(EngineRequest& request) override {
    {
      std::lock_guard lock(mutex_);
      queue_.push_back(&request);
    }
    changed_.notify_all();
  }
  void sync(Done done) override { done(last_sequence()); }
  void set_commit_listener(CommitListener listener) override {
    std::lock_guard lock(mutex_);
    listener_ = std::move(listener);
  }
  std::size_t max_key_size() const override { return 511; }
  Sequence last_sequence() const override {
    std::lock_guard lock(mutex_);
    return disk_->sequence;
  }
  Sequence durable_sequence() const override { return last_sequence(); }
  std::optional<Error> failure() const override { return std::nullopt; }
  Stats stats() const override { return {}; }

 private:
  class MapCursor final : public Cursor {
   public:
    MapCursor(const Map& map, const KeyRange& range, Direction direction)
        : map_(map), range_(range), direction_(direction) {
      if (direction == Direction::kForward)
        seek(range.lower);
      else
        seek_back(range.upper.empty() ? map.end() : map.lower_bound(range.upper));
    }
    bool valid() const override { return valid_; }
    std::string_view key() const override { return at_->first; }
    std::string_view value() const override { return at_->second; }
    void next() override {
      if (direction_ == Direction::kBackward) return seek_back(at_);
      ++at_;
      check();
    }
    void seek(std::string_view key) override {
      if (direction_ == Direction::kBackward) {
        const bool beyond = !range_.upper.empty() && key > range_.upper;
        return seek_back(map_.lower_bound(beyond ? std::string_view(range_.upper) : key));
      }
      at_ = map_.lower_bound(std::max<std::string_view>(key, range_.lower));
      check();
    }

   private:
    void seek_back(Map::const_iterator end) {
      valid_ = end != map_.begin();
      if (!valid_) return;
      at_ = std::prev(end);
      check();
    }
    void check() {
      valid_ = at_ != map_.end() && at_->first >= range_.lower &&
               (range_.upper.empty() || at_->first < range_.upper);
    }
    const Map& map_;
    const KeyRange range_;
    const Direction direction_;
    Map::const_iterator at_;
    bool valid_ = false;
  };

  class MemorySnapshot final : public Snapshot {
   public:
    MemorySnapshot(std::shared_ptr<const Map> map, Sequence sequence)
        : map_(std::move(map)), sequence_(sequence) {}
    Sequence sequence() const override { return sequence_; }
    std::optional<std::string_view> get(std::string_view key) override {
      const auto it = map_->find(key);
      if (it == map_->end()) return std::nullopt;
      return it->second;
    }
    std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction) override {
      return std::make_unique<MapCursor>(*map_, range, direction);
    }

   private:
    std::shared_ptr<const Map> map_;
    Sequence sequence_;
  };

  class MemoryTxn final : public WriteTxn {
   public:
    MemoryTxn(Map& map, Sequence sequence) : map_(map), sequence_(sequence) {}
    Sequence sequence() const override { return sequence_; }
    std::optional<std::string_view> get(std::string_view key) override {
      const auto it = map_.find(key);
      if (it == map_.end()) return std::nullopt;
      return it->second;
    }
    std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction) override {
      return std::make_unique<MapCursor>(map_, range, direction);
    }
    void put(std::string_view key, std::string_view value) override {
      if (key.empty() || key.size() > 511) throw std::length_error("key size");
      remember(key);
      map_.insert_or_assign(std::string(key), std::string(value));
    }
    void del(std::string_view key) override {
      remember(key);
      if (const auto it = map_.find(key); it != map_.end()) map_.erase(it);
    }
    void undo() {
      for (auto it = before_.rbegin(); it != before_.rend(); ++it) {
        if (it->second)
          map_.insert_or_assign(it->first, *it->second);
        else
          map_.erase(it->first);
      }
    }

   private:
    void remember(std::string_view key) {
      const auto it = map_.find(key);
      before_.emplace_back(key, it == map_.end() ? std::nullopt : std::optional(it->second));
    }
    Map& map_;
    Sequence sequence_;
    std::vector<std::pair<std::string, std::optional<std::string>>> before_;
  };

  static Result<void> run_job(EngineRequest& request, Map& map, Sequence sequence) {
    MemoryTxn txn(map, sequence);
    Result<void> result;
    try {
      result = request.run(txn);
    } catch (const std::exception& e) {
      result = Error{ErrorKind::kInvalid, e.what()};
    }
    if (!result) txn.undo();
    return result;
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      std::deque<EngineRequest*> batch;
      batch.swap(queue_);
      const bool rerun = reruns_ > 0;
      if (rerun) --reruns_;
      const std::shared_ptr<const Map> base = disk_->map;
      const Sequence sequence = disk_->sequence + 1;
      const CommitListener listener = listener_;
      lock.unlock();
      if (rerun) {
        Map thrown_away = *base;
        for (EngineRequest* request : batch) (void)run_job(*request, thrown_away, sequence);
      }
      auto next = std::make_shared<Map>(*base);
      std::vector<Result<void>> results;
      for (EngineRequest* request : batch) results.push_back(run_job(*request, *next, sequence));
      lock.lock();
      disk_->map = std::move(next);
      disk_->sequence = sequence;
      lock.unlock();
      if (listener) listener(sequence);
      for (std::size_t i = 0; i < batch.size(); ++i)
        batch[i]->finished(results[i] ? Result<Sequence>(sequence) : Result<Sequence>(results[i].error()));
      batch.clear();
      lock.lock();
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Disk> disk_;
  std::deque<EngineRequest*> queue_;
  CommitListener listener_;
  int reruns_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace reqld::storage
