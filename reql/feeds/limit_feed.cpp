// Changes of the first rows of an ordered range: order_by(index).limit(n), min and max.

#include <algorithm>
#include <optional>

#include "datum/key_codec.hpp"
#include "reql/error.hpp"
#include "reql/feeds/feed_part.hpp"

namespace reqld::reql {

namespace {

// As recorded: along the primary key, what one write does to a row twice counts once.
WatchedRows limited_rows(const ChangeSource& source) {
  WatchedRows rows = watched_rows(source);
  rows.net = !rows.index;
  return rows;
}

class LimitPart : public FeedPart {
 public:
  LimitPart(Context& cx, ChangeSource source, const FeedOptions& options)
      : source_(std::move(source)),
        options_(options),
        watched_(limited_rows(source_)),
        range_(watched_.range),
        index_(watched_.index),
        handle_(cx.engine().feeds().subscribe(watched_, options.queue_size, options.squash_delay)) {}

  bool initial(Context& cx, bool show, FeedOutput& out) override {
    settle_subscription(cx);
    window_ = read_window(cx);
    if (!show) return true;
    for (std::size_t i = 0; i < window_.size(); ++i) {
      const Datum v = run_steps(cx, source_.later_steps, window_[i].value);
      if (!v.is_null()) out.push(initial_element(options_, v, i));
    }
    return true;
  }

  void drain(Context& cx, FeedOutput& out) override {
    const std::size_t before = out.size();
    const std::deque<FeedChangeRef> changes = take_changes(
        *handle_, options_, out, [this](const FeedChange& c) { return c.at.sequence <= read_at_; });
    if (out.size() > before) {
      // Some were skipped: what the window has become can only be read.
      std::vector<Item> next = read_window(cx);
      emit_difference(cx, window_, next, out);
      window_ = std::move(next);
    }
    for (const FeedChangeRef& change : changes) {
      // The window may have been read anew since.
      if (change->at.sequence <= read_at_) continue;
      std::vector<Item> next = after(cx, *change);
      emit_difference(cx, window_, next, out);
      window_ = std::move(next);
    }
  }

  bool ready(const std::function<void()>& wake) override { return handle_->queue().ready(wake); }

 private:
  struct Item {
    std::string position;  ///< index key, then primary key: what the window is sorted by
    std::string key;
    Datum value;  ///< the row after the steps before the limit
  };

  bool before(const Item& a, const Item& b) const {
    return source_.order == Order::kDescending ? b.position < a.position : a.position < b.position;
  }

  void sort(std::vector<Item>& items) const {
    std::sort(items.begin(), items.end(), [this](const Item& a, const Item& b) { return before(a, b); });
    if (items.size() > source_.limit) items.resize(source_.limit);
  }

  // Adds the places that `row` has in the range.
  void add_items(Context& cx, const std::string& key, const Datum& row, std::vector<Item>& out) {
    if (row.is_null()) return;
    const Datum value = run_steps(cx, source_.steps, row);
    if (value.is_null()) return;
    values_.clear();
    if (index_) {
      index_->function->keys(row, values_);
    } else {
      values_.push_back(*row.get(source_.table->primary_key));
    }
    for (const Datum& v : values_) {
      std::string position = to_key(v);
      if (position < range_.lower || position >= range_.upper) continue;
      out.push_back({position + key, key, value});
    }
  }

  std::vector<Item> read_window(Context& cx) {
    const auto reader = cx.database().reader();
    read_at_ = reader->sequence();
    const auto direction =
        source_.order == Order::kDescending ? storage::Direction::kBackward : storage::Direction::kForward;
    std::vector<Item> items;
    std::vector<storage::Row> rows;
    const storage::Reader::Limits limits{std::min<std::size_t>(source_.limit + 1, 1000), 1u << 20};
    if (index_) {
      std::optional<std::string> resume;
      do {
        rows.clear();
        resume = reader->scan_index(*source_.table, *index_, {range_}, direction, resume, limits, true, rows);
        for (const storage::Row& row : rows) {
          const Datum value = run_steps(cx, source_.steps, row.document);
          if (!value.is_null()) items.push_back({to_key(row.index_value) + row.key, row.key, value});
        }
      } while (resume && items.size() < source_.limit);
    } else {
      storage::KeyRange rest = range_;
      for (bool more = true; more && items.size() < source_.limit;) {
        rows.clear();
        const auto resume = reader->scan(*source_.table, rest, direction, limits, rows);
        for (const storage::Row& row : rows) add_items(cx, row.key, row.document, items);
        more = resume.has_value();
        if (more) (direction == storage::Direction::kForward ? rest.lower : rest.upper) = *resume;
      }
    }
    sort(items);
    return items;
  }

  // The window after a change. What leaves a full one makes room for a row that only the index knows.
  std::vector<Item> after(Context& cx, const FeedChange& event) {
    const bool full = window_.size() >= source_.limit;
    std::vector<Item> items;
    for (const Item& item : window_) {
      if (item.key != event.key) items.push_back(item);
    }
    const bool left = items.size() < window_.size();
    std::vector<Item> fresh;
    add_items(cx, event.key, event.new_row, fresh);
    if (full && left) {
      // Still among the first as far as these are known: then no other row has come in.
      const bool stays =
          fresh.size() == window_.size() - items.size() &&
          std::all_of(fresh.begin(), fresh.end(), [&](const Item& f) { return !before(window_.back(), f); });
      if (!stays) return read_window(cx);
    }
    items.insert(items.end(), fresh.begin(), fresh.end());
    sort(items);
    return items;
  }

  // What a client must do, one step after the other, to turn `from` into `to`: offsets are those in what it has by then.
  void emit_difference(Context& cx, const std::vector<Item>& from, const std::vector<Item>& to, FeedOutput& out) {
    std::vector<const Item*> state;
    for (const Item& item : from) state.push_back(&item);
    const auto replace = [&](const Item* old_item, const Item* new_item) {
      std::optional<std::size_t> old_offset, new_offset;
      if (old_item != nullptr) {
        const auto at = std::find(state.begin(), state.end(), old_item);
        old_offset = static_cast<std::size_t>(at - state.begin());
        state.erase(at);
      }
      if (new_item != nullptr) {
        const auto at = std::upper_bound(state.begin(), state.end(), new_item,
                                         [this](const Item* a, const Item* b) { return before(*a, *b); });
        new_offset = static_cast<std::size_t>(at - state.begin());
        state.insert(at, new_item);
      }
      emit(cx, old_item, old_offset, new_item, new_offset, out);
    };

    // Both are in the same order, and no two items have the same position.
    std::vector<const Item*> removed, added;
    for (std::size_t i = 0, j = 0; i < from.size() || j < to.size();) {
      if (j == to.size() || (i < from.size() && before(from[i], to[j]))) {
        removed.push_back(&from[i++]);
      } else if (i == from.size() || before(to[j], from[i])) {
        added.push_back(&to[j++]);
      } else {
        if (!(from[i].value == to[j].value)) replace(&from[i], &to[j]);
        ++i, ++j;
      }
    }
    // A row that has moved.
    for (const Item*& old_item : removed) {
      const auto moved =
          std::find_if(added.begin(), added.end(), [&](const Item* item) { return item->key == old_item->key; });
      if (moved == added.end()) continue;
      replace(old_item, *moved);
      added.erase(moved);
      old_item = nullptr;
    }
    std::erase(removed, nullptr);
    for (std::size_t i = 0; i < std::max(removed.size(), added.size()); ++i)
      replace(i < removed.size() ? removed[i] : nullptr, i < added.size() ? added[i] : nullptr);
  }

  void emit(Context& cx, const Item* old_item, std::optional<std::size_t> old_offset, const Item* new_item,
            std::optional<std::size_t> new_offset, FeedOutput& out) {
    const Datum old_val = old_item ? run_steps(cx, source_.later_steps, old_item->value) : Datum();
    const Datum new_val = new_item ? run_steps(cx, source_.later_steps, new_item->value) : Datum();
    if (old_val == new_val && !(options_.include_offsets && old_offset != new_offset)) return;
    out.push(change_element(options_, old_val, new_val, old_offset, new_offset));
  }

  const ChangeSource source_;
  const FeedOptions options_;
  const WatchedRows watched_;
  const storage::KeyRange& range_;
  const std::shared_ptr<const storage::IndexInfo>& index_;
  std::vector<Item> window_;
  storage::Sequence read_at_ = 0;
  std::vector<Datum> values_;
  std::unique_ptr<FeedHub::Handle> handle_;
};

}  // namespace

std::unique_ptr<FeedPart> make_limit_part(Context& cx, ChangeSource source, const FeedOptions& options) {
  return std::make_unique<LimitPart>(cx, std::move(source), options);
}

}  // namespace reqld::reql
