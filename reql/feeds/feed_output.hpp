// What a feed has to deliver next.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "datum/json.hpp"
#include "reql/feeds/feed_change.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

/// A queue of elements: its own, and those that a change shares with all who show it. Used by the feed's
/// query.
class FeedOutput {
 public:
  void push(Datum element) { items_.push_back({{}, nullptr, std::move(element)}); }
  /// `element` belongs to `change`.
  void push(FeedChangeRef change, const FeedElement& element) {
    items_.push_back({std::move(change), &element, Datum()});
  }

  std::size_t size() const { return items_.size() - at_; }
  bool empty() const { return size() == 0; }

  /// Ends with the element that makes it `max_bytes`, encoded.
  void take(std::size_t max_rows, std::size_t max_bytes, Batch& out) {
    std::size_t bytes = 0;
    for (std::size_t n = std::min(max_rows, size()); n > 0 && bytes < max_bytes; --n, ++at_) {
      Item& item = items_[at_];
      out.push_back(item.shared ? item.shared->datum() : std::move(item.own));
      bytes += out.back().encoded_size();
    }
    tidy();
  }

  /// Appends JSON with commas between; answers how many elements. Ends when `out` has `max_bytes`.
  std::size_t take_json(std::size_t max_rows, std::size_t max_bytes, std::string& out) {
    std::size_t taken = 0;
    for (; taken < max_rows && !empty() && (taken == 0 || out.size() < max_bytes); ++taken, ++at_) {
      if (!out.empty()) out += ',';
      const Item& item = items_[at_];
      if (item.shared) {
        out += item.shared->json();
      } else {
        append_json(item.own, out);
      }
    }
    tidy();
    return taken;
  }

 private:
  struct Item {
    FeedChangeRef change;
    const FeedElement* shared;
    Datum own;
  };

  void tidy() {
    if (!empty()) return;
    items_.clear();
    at_ = 0;
  }

  std::vector<Item> items_;
  std::size_t at_ = 0;
};

}  // namespace reqld::reql
