#include "reql/feeds/hub.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "datum/key_codec.hpp"

namespace reqld::reql {

namespace {

// Queues that the writer itself fills after a commit. Each costs it a tenth of a microsecond or, with
// somebody to wake, two.
constexpr std::size_t kLittleWork = 64;

// Changes that wait for the thread.
constexpr std::size_t kMaxWaiting = 100'000;

bool is_one_key(const storage::KeyRange& range) {
  return range.upper.size() == range.lower.size() + 1 && range.upper.back() == '\0' &&
         range.upper.starts_with(range.lower);
}

// Whether the same job changes the row again.
bool is_superseded(const std::vector<storage::RowChange>& changes, std::size_t i) {
  const storage::RowChange& change = changes[i];
  for (std::size_t later = i + 1; later < changes.size() && changes[later].job == change.job; ++later) {
    if (changes[later].key == change.key && changes[later].table == change.table) return true;
  }
  return false;
}

std::string identity(const WatchedRows& rows) {
  std::string out = rows.index ? rows.index->id : std::string();
  for (const std::string* part : {&rows.range.lower, &rows.range.upper}) {
    out += std::to_string(part->size());
    out += ':';
    out += *part;
  }
  return out + rows.alike;
}

}  // namespace

template <typename F>
void FeedHub::Lookup::find(const std::string& key, F f) const {
  for (Watch* watch : everything) f(*watch);
  if (!points.empty()) {
    if (const auto at = points.find(key); at != points.end()) {
      for (Watch* watch : at->second) f(*watch);
    }
  }
  if (!ranges.empty()) ranges.find(key, [&](Watch* watch) { f(*watch); });
}

template <typename F>
void FeedHub::Lookup::for_each(F f) const {
  for (Watch* watch : everything) f(*watch);
  for (const auto& [key, watches] : points) {
    for (Watch* watch : watches) f(*watch);
  }
  ranges.for_each([&](Watch* watch) { f(*watch); });
}

FeedHub::FeedHub(storage::Database& database) : database_(database), thread_([this] { run(); }) {
  database_.add_listener(this);
}

FeedHub::~FeedHub() {
  database_.remove_listener(this);
  {
    const std::lock_guard lock(work_mutex_);
    stopping_ = true;
  }
  work_came_.notify_one();
  thread_.join();
}

FeedHub::Handle::~Handle() {
  hub_.remove(watch_, queue_);
}

void FeedHub::Handle::wake_at(Clock::time_point when) {
  if (queue_->wake_at(when)) hub_.set_alarm(when, queue_);
}

FeedHub::Lookup& FeedHub::lookup_of(TableWatches& watches, const WatchedRows& rows) {
  if (!rows.index) return watches.primary;
  IndexLookup& by_index = watches.secondary[rows.index->id];
  by_index.index = rows.index;
  return by_index.lookup;
}

std::unique_ptr<FeedHub::Handle> FeedHub::subscribe(const WatchedRows& rows, std::size_t capacity,
                                                    std::chrono::microseconds delay) {
  auto queue = std::make_shared<Subscription>(capacity, delay);
  std::shared_ptr<Watch> watch;
  const std::unique_lock lock(mutex_);
  TableWatches& watches = tables_[rows.table->id];
  tables_watched_ = tables_.size();
  const std::string id = rows.alike.empty() ? std::string() : identity(rows);
  if (!id.empty()) watch = watches.alike[id];
  if (!watch) {
    watch = std::make_shared<Watch>();
    watch->rows = rows;
    if (!id.empty()) watches.alike[id] = watch;
    Lookup& lookup = lookup_of(watches, rows);
    if (rows.everything) {
      lookup.everything.push_back(watch.get());
    } else if (is_one_key(rows.range)) {
      lookup.points[rows.range.lower].push_back(watch.get());
    } else {
      lookup.ranges.add(rows.range, watch.get());
    }
  }
  watch->subscribers.push_back(queue);
  watches.net += rows.net;
  if (rows.index || rows.everything || !is_one_key(rows.range)) ++watches.broad;
  return std::make_unique<Handle>(*this, std::move(watch), std::move(queue));
}

std::unique_ptr<FeedHub::Handle> FeedHub::subscribe_system(SystemChange change, std::size_t capacity) {
  auto queue = std::make_shared<Subscription>(capacity, std::chrono::microseconds(0));
  const std::unique_lock lock(mutex_);
  system_[change].push_back(queue);
  return std::make_unique<Handle>(*this, nullptr, std::move(queue));
}

void FeedHub::remove(const std::shared_ptr<Watch>& watch, const std::shared_ptr<Subscription>& queue) {
  const auto drop = [&](Subscribers& from) {
    // The last comes in its place: a thousand feeds of a connection end at once.
    const auto at = std::find(from.begin(), from.end(), queue);
    if (at == from.end()) return;
    std::swap(*at, from.back());
    from.pop_back();
  };
  const std::unique_lock lock(mutex_);
  if (!watch) {
    for (auto& [change, queues] : system_) drop(queues);
    return;
  }
  drop(watch->subscribers);
  const WatchedRows& rows = watch->rows;
  const auto table = tables_.find(rows.table->id);
  if (table == tables_.end()) return;
  TableWatches& watches = table->second;
  watches.net -= rows.net;
  if (rows.index || rows.everything || !is_one_key(rows.range)) --watches.broad;
  if (!watch->subscribers.empty()) return;
  if (!rows.alike.empty()) watches.alike.erase(identity(rows));
  Lookup& lookup = lookup_of(watches, rows);
  if (rows.everything) {
    std::erase(lookup.everything, watch.get());
  } else if (is_one_key(rows.range)) {
    const auto at = lookup.points.find(rows.range.lower);
    std::erase(at->second, watch.get());
    if (at->second.empty()) lookup.points.erase(at);
  } else {
    lookup.ranges.remove(watch.get());
  }
  if (rows.index && lookup.empty()) watches.secondary.erase(rows.index->id);
  if (watches.empty()) tables_.erase(table);
  tables_watched_ = tables_.size();
}

bool FeedHub::wants(const storage::TableInfo& table) {
  if (tables_watched_.load(std::memory_order_acquire) == 0) return false;
  const std::shared_lock lock(mutex_);
  return tables_.contains(table.id);
}

bool FeedHub::is_little_work(const std::vector<storage::RowChange>& changes) {
  if (changes.size() > kLittleWork) return false;
  const std::shared_lock lock(mutex_);
  std::size_t queues = 0;
  for (const storage::RowChange& change : changes) {
    const auto at = tables_.find(change.table->id);
    if (at == tables_.end()) continue;
    if (!at->second.secondary.empty()) return false;
    queues += 1 + at->second.broad;
    if (queues > kLittleWork) return false;
  }
  return true;
}

void FeedHub::on_changes(const std::vector<storage::RowChange>& changes) {
  // Nothing may overtake what the thread has yet to do.
  if (work_left_.load(std::memory_order_acquire) == 0 && is_little_work(changes)) return distribute(changes);
  hand_over({.changes = changes});
}

void FeedHub::on_catalog(const storage::CatalogChange& change) {
  if (work_left_.load(std::memory_order_acquire) == 0) return catalog_changed(change);
  hand_over({.catalog = change});
}

void FeedHub::hand_over(Work work) {
  {
    const std::lock_guard lock(work_mutex_);
    changes_waiting_ += work.changes.size();
    if (changes_waiting_ > kMaxWaiting) give_up_waiting(work);
    work_left_.fetch_add(1, std::memory_order_relaxed);
    work_.push_back(std::move(work));
  }
  work_came_.notify_one();
}

// The thread cannot keep up with the writer: every feed of the tables concerned is told that it lost so much.
void FeedHub::give_up_waiting(Work& work) {
  const auto count = [&](Work& of) {
    for (const storage::RowChange& change : of.changes) ++work.lost[change.table->id];
    for (const auto& [table, changes] : of.lost) {
      if (&of != &work) work.lost[table] += changes;
    }
    if (!of.changes.empty()) work.lost_until = std::max(work.lost_until, of.changes.back().at.sequence);
    of.changes.clear();
  };
  for (Work& earlier : work_) {
    count(earlier);
    earlier.lost.clear();
  }
  count(work);
  changes_waiting_ = 0;
}

void FeedHub::tell_lost(const Work& work) {
  Touched touched;
  std::shared_lock lock(mutex_);
  for (const auto& [table, changes] : work.lost) {
    const auto at = tables_.find(table);
    if (at == tables_.end()) continue;
    const auto tell = [&touched, lost = changes](const Watch& watch) {
      for (const auto& queue : watch.subscribers) {
        queue->lose(lost);
        touched.push_back(queue);
      }
    };
    at->second.primary.for_each(tell);
    for (const auto& [id, by_index] : at->second.secondary) by_index.lookup.for_each(tell);
  }
  lock.unlock();
  announce(work.lost_until, touched);
}

// Told when everything is there, so that each is told once, and finds it delivered.
void FeedHub::announce(storage::Sequence delivered, const Touched& touched) {
  delivered_.store(delivered, std::memory_order_release);
  for (const auto& queue : touched) {
    if (const auto due = queue->announce()) set_alarm(*due, queue);
  }
}

void FeedHub::set_alarm(Clock::time_point at, const std::shared_ptr<Subscription>& queue) {
  {
    const std::lock_guard lock(work_mutex_);
    alarms_.push({at, queue});
  }
  work_came_.notify_one();
}

void FeedHub::run() {
  std::unique_lock lock(work_mutex_);
  while (!stopping_) {
    if (!work_.empty()) {
      const Work work = std::move(work_.front());
      work_.pop_front();
      changes_waiting_ -= work.changes.size();
      lock.unlock();
      if (work.catalog) catalog_changed(*work.catalog);
      if (!work.lost.empty()) tell_lost(work);
      if (!work.changes.empty()) distribute(work.changes);
      work_left_.fetch_sub(1, std::memory_order_release);
      lock.lock();
      continue;
    }
    const auto now = Clock::now();
    if (!alarms_.empty() && alarms_.top().at <= now) {
      const auto queue = alarms_.top().queue.lock();
      alarms_.pop();
      lock.unlock();
      const auto again = queue ? queue->alarm(now) : std::nullopt;
      lock.lock();
      if (again) alarms_.push({*again, queue});
      continue;
    }
    if (alarms_.empty()) {
      work_came_.wait(lock);
    } else {
      // A copy: others set alarms meanwhile.
      const auto next = alarms_.top().at;
      work_came_.wait_until(lock, next);
    }
  }
}

// Lookups of ranges are built when they are first needed: a thousand feeds may come and go between two
// changes.
bool FeedHub::is_prepared(const std::vector<storage::RowChange>& changes) const {
  return std::all_of(changes.begin(), changes.end(), [&](const storage::RowChange& change) {
    const auto at = tables_.find(change.table->id);
    if (at == tables_.end()) return true;
    return at->second.primary.ranges.prepared() &&
           std::all_of(at->second.secondary.begin(), at->second.secondary.end(),
                       [](const auto& s) { return s.second.lookup.ranges.prepared(); });
  });
}

void FeedHub::prepare(const std::vector<storage::RowChange>& changes) {
  for (const storage::RowChange& change : changes) {
    const auto at = tables_.find(change.table->id);
    if (at == tables_.end()) continue;
    if (!at->second.primary.ranges.prepared()) at->second.primary.ranges.prepare();
    for (auto& [id, by_index] : at->second.secondary) {
      if (!by_index.lookup.ranges.prepared()) by_index.lookup.ranges.prepare();
    }
  }
}

void FeedHub::distribute(const std::vector<storage::RowChange>& changes) {
  Touched touched;
  const auto all = [&] {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto at = tables_.find(changes[i].table->id);
      if (at != tables_.end())
        distribute(at->second, changes[i], at->second.net > 0 && is_superseded(changes, i), touched);
    }
  };
  std::shared_lock lock(mutex_);
  if (is_prepared(changes)) {
    all();
  } else {
    lock.unlock();
    const std::unique_lock alone(mutex_);
    prepare(changes);
    all();
  }
  if (lock.owns_lock()) lock.unlock();
  announce(changes.back().at.sequence, touched);
}

void FeedHub::distribute(const TableWatches& watches, const storage::RowChange& change, bool superseded,
                         Touched& touched) {
  watches.primary.find(change.key, [&](const Watch& watch) {
    if (superseded && watch.rows.net) return;
    push(watch, change, !change.old_row.is_null(), !change.new_row.is_null(), touched);
  });
  if (watches.secondary.empty()) return;
  std::vector<Datum> values;
  struct Met {
    const Watch* watch;
    bool old_within, new_within;
  };
  std::vector<Met> met;
  for (const auto& [id, by_index] : watches.secondary) {
    met.clear();
    for (const bool is_new : {false, true}) {
      const Datum& row = is_new ? change.new_row : change.old_row;
      if (row.is_null() || !by_index.index->function) continue;
      values.clear();
      by_index.index->function->keys(row, values);
      for (const Datum& value : values) {
        by_index.lookup.find(to_key(value), [&](const Watch& watch) {
          met.push_back({&watch, !is_new, is_new});
        });
      }
    }
    std::stable_sort(met.begin(), met.end(), [](const Met& a, const Met& b) { return a.watch < b.watch; });
    for (std::size_t i = 0; i < met.size();) {
      Met all = met[i];
      for (++i; i < met.size() && met[i].watch == all.watch; ++i) {
        all.old_within |= met[i].old_within;
        all.new_within |= met[i].new_within;
      }
      push(*all.watch, change, all.old_within, all.new_within, touched);
    }
  }
}

void FeedHub::push(const Watch& watch, const storage::RowChange& change, bool old_within, bool new_within,
                   Touched& touched) {
  const auto shared = std::make_shared<const FeedChange>(change, old_within, new_within);
  for (const auto& queue : watch.subscribers) {
    if (queue->push(shared)) touched.push_back(queue);
  }
}

void FeedHub::system_table_changed(SystemChange change) {
  const auto told = std::make_shared<const FeedChange>();
  const std::shared_lock lock(mutex_);
  const auto queues = system_.find(change);
  if (queues == system_.end()) return;
  for (const auto& queue : queues->second) {
    queue->push(told);
    queue->announce();
  }
}

void FeedHub::catalog_changed(const storage::CatalogChange& change) {
  system_table_changed();
  const std::shared_lock lock(mutex_);
  for (const auto& [id, watches] : tables_) {
    const auto table = change.after->tables.by_id(id);
    const auto abort = [](const Watch& watch) {
      for (const auto& queue : watch.subscribers) queue->abort();
    };
    if (!table) watches.primary.for_each(abort);
    for (const auto& [index_id, by_index] : watches.secondary) {
      const bool there =
          table != nullptr &&
          std::any_of(table->indexes.begin(), table->indexes.end(),
                      [&, &wanted = index_id](const auto& index) { return index.second->id == wanted; });
      if (!there) by_index.lookup.for_each(abort);
    }
  }
}

}  // namespace reqld::reql
