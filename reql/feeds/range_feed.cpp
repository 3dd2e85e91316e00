// Changes of the rows within bounds of an index, and of single rows.

#include <algorithm>

#include "datum/key_codec.hpp"
#include "reql/error.hpp"
#include "reql/feeds/feed_part.hpp"

namespace reqld::reql {

namespace {

constexpr storage::Reader::Limits kInitialStep{500, 1u << 20};

class RangePart : public FeedPart {
 public:
  RangePart(Context& cx, ChangeSource source, const FeedOptions& options)
      : source_(std::move(source)),
        options_(options),
        range_(key_range(source_.bounds)),
        next_(range_.lower),
        handle_(cx.engine().feeds().subscribe(*source_.table, std::nullopt, options.queue_size)) {
    if (!source_.index.empty() && source_.index != source_.table->primary_key) index_ = source_.table->indexes.at(source_.index);
  }

  bool initial(Context& cx, bool show, Batch& out) override {
    if (!settled_) {
      settle_subscription(cx);
      settled_ = true;
      if (!show) {
        read_until_.push_back({range_.upper, cx.database().reader()->sequence()});
        return done_ = true;
      }
    }
    done_ = index_ ? read_index(cx, out) : read_step(cx, out);
    // Changes of what was read already belong behind it; the rest will be read with them.
    if (!done_) drain(cx, out);
    return done_;
  }

  void drain(Context& cx, Batch& out) override {
    for (const FeedEvent& event : take_events(*handle_, options_, out)) {
      if (is_read_already(event)) continue;
      const Datum old_val = value(cx, event, event.old_row);
      const Datum new_val = value(cx, event, event.new_row);
      if (!(old_val == new_val)) emit_change(options_, old_val, new_val, out);
    }
  }

  bool ready(const std::function<void()>& wake) override { return handle_->queue().ready(wake); }

 private:
  // What is read up to here (exclusive) holds every change up to this commit.
  struct ReadUntil {
    std::string key;
    storage::Sequence sequence;
  };

  bool read_step(Context& cx, Batch& out) {
    const auto reader = cx.database().reader();
    std::vector<storage::Row> rows;
    auto resume = reader->scan(*source_.table, {next_, range_.upper}, storage::Direction::kForward, kInitialStep, rows);
    for (const storage::Row& row : rows) show(cx, row.document, out);
    next_ = resume ? *resume : range_.upper;
    read_until_.push_back({next_, reader->sequence()});
    return !resume;
  }

  // Rows may move along a secondary index between two steps: read it in one snapshot.
  bool read_index(Context& cx, Batch& out) {
    const auto reader = cx.database().reader();
    std::optional<std::string> resume;
    std::vector<storage::Row> rows;
    do {
      rows.clear();
      resume = reader->scan_index(*source_.table, *index_, {range_}, storage::Direction::kForward, resume, kInitialStep, true, rows);
      for (const storage::Row& row : rows) show(cx, row.document, out);
    } while (resume);
    read_until_.push_back({std::string(), reader->sequence()});
    return true;
  }

  void show(Context& cx, const Datum& row, Batch& out) {
    const Datum v = run_steps(cx, source_.steps, row);
    if (!v.is_null()) emit_initial(options_, v, out);
  }

  bool is_read_already(const FeedEvent& event) {
    if (read_until_.empty()) return true;  // it will be read yet
    if (index_) return event.sequence <= read_until_.front().sequence;
    const auto at = std::upper_bound(read_until_.begin(), read_until_.end(), event.key,
                                     [](const std::string& key, const ReadUntil& r) { return key < r.key; });
    if (at != read_until_.end()) return event.sequence <= at->sequence;
    return !done_;
  }

  // The row as the feed shows it; null outside the bounds or filtered out.
  Datum value(Context& cx, const FeedEvent& event, const Datum& row) {
    if (row.is_null() || !within(event, row)) return Datum();
    return run_steps(cx, source_.steps, row);
  }

  bool within(const FeedEvent& event, const Datum& row) {
    if (!index_) return event.key >= range_.lower && event.key < range_.upper;
    values_.clear();
    index_->function->keys(row, values_);
    return std::any_of(values_.begin(), values_.end(), [&](const Datum& v) {
      const std::string key = to_key(v);
      return key >= range_.lower && key < range_.upper;
    });
  }

  const ChangeSource source_;
  const FeedOptions options_;
  const storage::KeyRange range_;
  std::shared_ptr<const storage::IndexInfo> index_;
  std::string next_;
  std::vector<ReadUntil> read_until_;
  std::vector<Datum> values_;
  bool settled_ = false;
  bool done_ = false;
  std::unique_ptr<FeedHub::Handle> handle_;
};

class PointPart : public FeedPart {
 public:
  PointPart(Context& cx, ChangeSource source, const FeedOptions& options)
      : source_(std::move(source)),
        options_(options),
        key_(to_primary_key(source_.key)),
        handle_(cx.engine().feeds().subscribe(*source_.table, key_, options.queue_size)) {}

  bool initial(Context& cx, bool show, Batch& out) override {
    settle_subscription(cx);
    const auto reader = cx.database().reader();
    read_at_ = reader->sequence();
    if (!show) return true;
    const auto row = reader->get(*source_.table, key_);
    const Datum value = run_steps(cx, source_.steps, row.value_or(Datum()));
    emit_initial(options_, value, out);
    return true;
  }

  void drain(Context& cx, Batch& out) override {
    for (const FeedEvent& event : take_events(*handle_, options_, out)) {
      if (event.sequence <= read_at_) continue;
      const Datum old_val = run_steps(cx, source_.steps, event.old_row);
      const Datum new_val = run_steps(cx, source_.steps, event.new_row);
      if (!(old_val == new_val)) emit_change(options_, old_val, new_val, out);
    }
  }

  bool ready(const std::function<void()>& wake) override { return handle_->queue().ready(wake); }

 private:
  const ChangeSource source_;
  const FeedOptions options_;
  const std::string key_;
  storage::Sequence read_at_ = 0;
  std::unique_ptr<FeedHub::Handle> handle_;
};

}  // namespace

std::unique_ptr<FeedPart> make_range_part(Context& cx, ChangeSource source, const FeedOptions& options) {
  return std::make_unique<RangePart>(cx, std::move(source), options);
}

std::unique_ptr<FeedPart> make_point_part(Context& cx, ChangeSource source, const FeedOptions& options) {
  return std::make_unique<PointPart>(cx, std::move(source), options);
}

}  // namespace reqld::reql
