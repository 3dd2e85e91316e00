// Which of many ranges of keys contain a key.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine.hpp"

namespace reqld::reql {

/// A set of (range, T). Looking up costs O(log n) and what is found; the first lookup after a change O(n log
/// n). Not thread-safe but for lookups after prepare().
template <typename T>
class RangeLookup {
 public:
  void add(const storage::KeyRange& range, T value) {
    items_.push_back({range, value});
    prepared_ = false;
  }
  void remove(const T& value) {
    std::erase_if(items_, [&](const Item& item) { return item.value == value; });
    prepared_ = false;
  }
  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  bool prepared() const { return prepared_; }

  void prepare() {
    std::sort(items_.begin(), items_.end(),
              [](const Item& a, const Item& b) { return a.range.lower < b.range.lower; });
    highest_.assign(items_.size(), nullptr);
    measure(0, items_.size());
    prepared_ = true;
  }

  /// Calls `f(value)` for each range with lower <= key < upper. Requires prepared().
  template <typename F>
  void find(std::string_view key, F f) const {
    search(0, items_.size(), key, f);
  }

  template <typename F>
  void for_each(F f) const {
    for (const Item& item : items_) f(item.value);
  }

 private:
  struct Item {
    storage::KeyRange range;
    T value;
  };

  // The sorted items are a tree: the middle one is the root, halves are its subtrees; each root knows the
  // highest upper bound.
  const std::string* measure(std::size_t from, std::size_t to) {
    if (from == to) return nullptr;
    const std::size_t middle = from + (to - from) / 2;
    const std::string* highest = &items_[middle].range.upper;
    for (const std::string* below : {measure(from, middle), measure(middle + 1, to)}) {
      if (below && *below > *highest) highest = below;
    }
    return highest_[middle] = highest;
  }

  template <typename F>
  void search(std::size_t from, std::size_t to, std::string_view key, F& f) const {
    while (from < to) {
      const std::size_t middle = from + (to - from) / 2;
      if (key.compare(*highest_[middle]) >= 0) return;
      search(from, middle, key, f);
      if (key.compare(items_[middle].range.lower) < 0) return;
      if (key.compare(items_[middle].range.upper) < 0) f(items_[middle].value);
      from = middle + 1;
    }
  }

  std::vector<Item> items_;
  std::vector<const std::string*> highest_;
  bool prepared_ = true;
};

}  // namespace reqld::reql
