// Carries committed changes from storage to the feeds that want them.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "datum/datum.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

/// What a feed is told: a changed row, or that the catalog changed.
struct FeedEvent {
  storage::Sequence sequence = 0;
  std::string key;  ///< encoded primary key
  Datum old_row;
  Datum new_row;
  bool catalog = false;  ///< no row: something about databases and tables
};

/// The queue of one feed. Filled on the writer thread, emptied on the feed's query.
class Subscription {
 public:
  explicit Subscription(std::size_t capacity) : capacity_(capacity) {}

  /// Writer thread. Past the capacity events are dropped and counted.
  void push(FeedEvent event);
  /// Writer thread: the table is gone.
  void abort();

  /// Moves what has come into `out`; `skipped` gets the number of events lost before those. False: the table is gone.
  bool take(std::deque<FeedEvent>& out, std::size_t& skipped);
  /// Whether take() has something to tell. When not, `wake` is called once as soon as it has.
  bool ready(const std::function<void()>& wake);

 private:
  void notify(std::unique_lock<std::mutex>& lock);

  const std::size_t capacity_;
  std::mutex mutex_;
  std::deque<FeedEvent> events_;
  std::size_t skipped_ = 0;
  bool aborted_ = false;
  std::function<void()> wake_;
};

/// One per Engine. Listens to the database; costs a write nothing where nobody watches its table.
class FeedHub : public storage::ChangeListener {
 public:
  explicit FeedHub(storage::Database& database);
  ~FeedHub() override;

  /// Where a subscription stands. Dropping it unsubscribes.
  class Handle {
   public:
    Handle(FeedHub& hub, std::string table, std::string key, std::shared_ptr<Subscription> subscription)
        : hub_(hub), table_(std::move(table)), key_(std::move(key)), subscription_(std::move(subscription)) {}
    ~Handle();
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    Subscription& queue() { return *subscription_; }

   private:
    FeedHub& hub_;
    const std::string table_;
    const std::string key_;
    const std::shared_ptr<Subscription> subscription_;
  };

  /// All changes of a table; with a key only those of that row.
  std::unique_ptr<Handle> subscribe(const storage::TableInfo& table, const std::optional<std::string>& key, std::size_t capacity);
  /// Changes of the catalog.
  std::unique_ptr<Handle> subscribe_catalog(std::size_t capacity);

  /// For what changes a system table and is no change of the catalog (users, permissions …). Any thread.
  void system_table_changed();

  bool wants(const storage::TableInfo& table) override;
  void on_changes(const std::vector<storage::RowChange>& changes) override;
  void on_catalog(const storage::CatalogChange& change) override;

 private:
  using Subscribers = std::vector<std::shared_ptr<Subscription>>;
  struct TableFeeds {
    Subscribers all;
    std::unordered_map<std::string, Subscribers> by_key;
    bool empty() const { return all.empty() && by_key.empty(); }
  };
  void remove(const std::string& table, const std::string& key, const std::shared_ptr<Subscription>& subscription);

  storage::Database& database_;
  std::atomic<std::size_t> tables_watched_{0};
  std::shared_mutex mutex_;
  std::unordered_map<std::string, TableFeeds> feeds_;  // by table id
  Subscribers catalog_;
};

}  // namespace reqld::reql
