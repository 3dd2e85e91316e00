#include "reql/feeds/hub.hpp"

#include <algorithm>

namespace reqld::reql {

void Subscription::notify(std::unique_lock<std::mutex>& lock) {
  if (!wake_) return;
  const std::function<void()> wake = std::move(wake_);
  wake_ = nullptr;
  lock.unlock();
  wake();
}

void Subscription::push(FeedEvent event) {
  std::unique_lock lock(mutex_);
  if (events_.size() >= capacity_) {
    // As recorded: what could not be kept is dropped with all that waits, and counted.
    skipped_ += events_.size() + 1;
    events_.clear();
  } else {
    events_.push_back(std::move(event));
  }
  notify(lock);
}

void Subscription::abort() {
  std::unique_lock lock(mutex_);
  aborted_ = true;
  notify(lock);
}

bool Subscription::take(std::deque<FeedEvent>& out, std::size_t& skipped) {
  const std::lock_guard lock(mutex_);
  skipped = std::exchange(skipped_, 0);
  if (out.empty()) {
    out.swap(events_);
  } else {
    for (FeedEvent& event : events_) out.push_back(std::move(event));
    events_.clear();
  }
  return !aborted_;
}

bool Subscription::ready(const std::function<void()>& wake) {
  const std::lock_guard lock(mutex_);
  if (!events_.empty() || skipped_ > 0 || aborted_) return true;
  wake_ = wake;
  return false;
}

FeedHub::FeedHub(storage::Database& database) : database_(database) { database_.add_listener(this); }

FeedHub::~FeedHub() { database_.remove_listener(this); }

FeedHub::Handle::~Handle() { hub_.remove(table_, key_, subscription_); }

std::unique_ptr<FeedHub::Handle> FeedHub::subscribe(const storage::TableInfo& table, const std::optional<std::string>& key,
                                                    std::size_t capacity) {
  auto subscription = std::make_shared<Subscription>(capacity);
  {
    const std::unique_lock lock(mutex_);
    TableFeeds& feeds = feeds_[table.id];
    (key ? feeds.by_key[*key] : feeds.all).push_back(subscription);
    tables_watched_ = feeds_.size();
  }
  return std::make_unique<Handle>(*this, table.id, key.value_or(std::string()), std::move(subscription));
}

std::unique_ptr<FeedHub::Handle> FeedHub::subscribe_catalog(std::size_t capacity) {
  auto subscription = std::make_shared<Subscription>(capacity);
  {
    const std::unique_lock lock(mutex_);
    catalog_.push_back(subscription);
  }
  return std::make_unique<Handle>(*this, std::string(), std::string(), std::move(subscription));
}

void FeedHub::remove(const std::string& table, const std::string& key, const std::shared_ptr<Subscription>& subscription) {
  const auto erase = [&](Subscribers& from) { std::erase(from, subscription); };
  const std::unique_lock lock(mutex_);
  if (table.empty()) return erase(catalog_);
  const auto at = feeds_.find(table);
  if (at == feeds_.end()) return;
  TableFeeds& feeds = at->second;
  if (key.empty()) {
    erase(feeds.all);
  } else if (const auto row = feeds.by_key.find(key); row != feeds.by_key.end()) {
    erase(row->second);
    if (row->second.empty()) feeds.by_key.erase(row);
  }
  if (feeds.empty()) feeds_.erase(at);
  tables_watched_ = feeds_.size();
}

bool FeedHub::wants(const storage::TableInfo& table) {
  if (tables_watched_.load(std::memory_order_acquire) == 0) return false;
  const std::shared_lock lock(mutex_);
  return feeds_.contains(table.id);
}

void FeedHub::on_changes(const std::vector<storage::RowChange>& changes) {
  const std::shared_lock lock(mutex_);
  for (const storage::RowChange& change : changes) {
    const auto at = feeds_.find(change.table->id);
    if (at == feeds_.end()) continue;
    const FeedEvent event{change.sequence, change.key, change.old_row, change.new_row};
    for (const auto& subscription : at->second.all) subscription->push(event);
    if (at->second.by_key.empty()) continue;
    const auto row = at->second.by_key.find(change.key);
    if (row == at->second.by_key.end()) continue;
    for (const auto& subscription : row->second) subscription->push(event);
  }
}

void FeedHub::system_table_changed() {
  FeedEvent event;
  event.catalog = true;
  const std::shared_lock lock(mutex_);
  for (const auto& subscription : catalog_) subscription->push(event);
}

void FeedHub::on_catalog(const storage::CatalogChange& change) {
  const std::shared_lock lock(mutex_);
  FeedEvent event;
  event.sequence = change.sequence;
  event.catalog = true;
  for (const auto& subscription : catalog_) subscription->push(event);
  if (feeds_.empty()) return;
  for (const auto& [id, feeds] : feeds_) {
    if (change.after->tables_by_id.contains(id)) continue;
    for (const auto& subscription : feeds.all) subscription->abort();
    for (const auto& [key, row] : feeds.by_key) {
      for (const auto& subscription : row) subscription->abort();
    }
  }
}

}  // namespace reqld::reql
