// Carries committed changes from storage to the feeds that want them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "reql/feeds/feed_change.hpp"
#include "reql/feeds/range_lookup.hpp"
#include "reql/feeds/subscription.hpp"
#include "reql/feeds/system_change.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

/// Which changes of a table a feed is told.
struct WatchedRows {
  std::shared_ptr<const storage::TableInfo> table;
  std::shared_ptr<const storage::IndexInfo> index;  ///< null: the primary key
  storage::KeyRange range;                          ///< of keys of rows or values of the index
  bool everything = false;                          ///< all rows: no range
  bool net = false;                                 ///< of what one job does to a row, only the last
  /// Feeds that watch the same rows and have the same text show changes alike, so one of them looks at a
  /// change for all. Empty: this feed is like no other.
  std::string alike;
};

/// One per Engine. Costs a write nothing where nobody watches its table. The writer hands over what is more
/// than a little work to a thread of the hub's own.
class FeedHub : public storage::ChangeListener {
  struct Watch;

 public:
  explicit FeedHub(storage::Database& database);
  ~FeedHub() override;

  /// Where a subscription stands. Dropping it unsubscribes.
  class Handle {
   public:
    Handle(FeedHub& hub, std::shared_ptr<Watch> watch, std::shared_ptr<Subscription> queue)
        : hub_(hub), watch_(std::move(watch)), queue_(std::move(queue)) {}
    ~Handle();
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    Subscription& queue() { return *queue_; }
    /// Has the feed's query woken at `when`, even if nothing comes.
    void wake_at(Subscription::Clock::time_point when);

   private:
    FeedHub& hub_;
    const std::shared_ptr<Watch> watch_;  ///< null: system tables
    const std::shared_ptr<Subscription> queue_;
  };

  std::unique_ptr<Handle> subscribe(const WatchedRows& rows, std::size_t capacity,
                                    std::chrono::microseconds delay = {});
  /// For a feed on system tables that change so: it is told that they may have changed. Nothing is told of
  /// time.
  std::unique_ptr<Handle> subscribe_system(SystemChange change, std::size_t capacity);

  /// All changes of the commits up to this are in the queues of whoever subscribed before them.
  storage::Sequence delivered() const { return delivered_.load(std::memory_order_acquire); }

  /// For what changes a system table and is no change of the catalog (users, permissions, the log …). Any
  /// thread.
  void system_table_changed(SystemChange change = SystemChange::kRecords);

  bool wants(const storage::TableInfo& table) override;
  void on_changes(const std::vector<storage::RowChange>& changes) override;
  void on_catalog(const storage::CatalogChange& change) override;

 private:
  using Clock = Subscription::Clock;
  using Subscribers = std::vector<std::shared_ptr<Subscription>>;

  // Feeds that are alike.
  struct Watch {
    WatchedRows rows;
    Subscribers subscribers;
  };
  // Watches by one kind of key.
  struct Lookup {
    std::vector<Watch*> everything;
    std::unordered_map<std::string, std::vector<Watch*>> points;  // ranges of one key
    RangeLookup<Watch*> ranges;
    bool empty() const { return everything.empty() && points.empty() && ranges.empty(); }
    template <typename F>
    void find(const std::string& key, F f) const;
    template <typename F>
    void for_each(F f) const;
  };
  struct IndexLookup {
    std::shared_ptr<const storage::IndexInfo> index;
    Lookup lookup;
  };
  struct TableWatches {
    std::unordered_map<std::string, std::shared_ptr<Watch>> alike;  // by their texts and rows
    Lookup primary;
    std::map<storage::Uuid, IndexLookup> secondary;
    std::size_t broad = 0;  // subscriptions that are no points of the primary key
    std::size_t net = 0;    // subscriptions to net changes
    bool empty() const { return primary.empty() && secondary.empty(); }
  };
  using Touched = std::vector<std::shared_ptr<Subscription>>;  // has something to be told
  struct Work {
    std::vector<storage::RowChange> changes;
    std::optional<storage::CatalogChange> catalog;
    std::map<storage::Uuid, std::size_t> lost;  // changes of tables that were not delivered
    storage::Sequence lost_until = 0;
  };
  struct Alarm {
    Clock::time_point at;
    std::weak_ptr<Subscription> queue;
    bool operator<(const Alarm& other) const { return at > other.at; }
  };

  Lookup& lookup_of(TableWatches& watches, const WatchedRows& rows);
  void remove(const std::shared_ptr<Watch>& watch, const std::shared_ptr<Subscription>& queue);
  bool is_little_work(const std::vector<storage::RowChange>& changes);
  void distribute(const std::vector<storage::RowChange>& changes);
  void distribute(const TableWatches& watches, const storage::RowChange& change, bool superseded,
                  Touched& touched);
  bool is_prepared(const std::vector<storage::RowChange>& changes) const;
  void prepare(const std::vector<storage::RowChange>& changes);
  void push(const Watch& watch, const storage::RowChange& change, bool old_within, bool new_within,
            Touched& touched);
  void catalog_changed(const storage::CatalogChange& change);
  void hand_over(Work work);
  void give_up_waiting(Work& work);
  void tell_lost(const Work& work);
  void announce(storage::Sequence delivered, const Touched& touched);
  void set_alarm(Clock::time_point at, const std::shared_ptr<Subscription>& queue);
  void run();

  storage::Database& database_;
  std::atomic<std::size_t> tables_watched_{0};
  std::atomic<storage::Sequence> delivered_{0};
  std::shared_mutex mutex_;
  std::unordered_map<std::string, TableWatches> tables_;  // by table id
  std::map<SystemChange, Subscribers> system_;

  // The thread's.
  std::mutex work_mutex_;
  std::condition_variable work_came_;
  std::deque<Work> work_;
  std::size_t changes_waiting_ = 0;
  std::atomic<std::size_t> work_left_{0};  // what waits or is being done
  std::priority_queue<Alarm> alarms_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace reqld::reql
