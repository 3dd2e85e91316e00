#include "reql/streams/sort.hpp"

#include <algorithm>

#include "reql/parallel.hpp"
#include "reql/profile.hpp"
#include "reql/streams/derived.hpp"

namespace reqld::reql {

namespace {

constexpr std::size_t kReadRows = 1000;

class Sorter : public MergingFold {
 public:
  Sorter(std::vector<OrderKey> keys, const Node* node) : keys_(std::move(keys)), node_(node) {}

  /// Of all rows only the first so many in their order are wanted.
  void keep(std::size_t rows) { keep_ = rows; }
  std::size_t keep() const { return keep_; }

  void add(Context& cx, OrderedRow row) {
    if (trimmed_ && !is_before(cx, row, rows_[keep_ - 1])) return;
    rows_.push_back(std::move(row));
    if (rows_.size() > keep_) {
      // Twice as many as wanted are sorted at a time: so each row is looked at a few times only.
      if (rows_.size() >= 2 * keep_ + kReadRows) {
        sort(cx);
        rows_.resize(keep_);
        trimmed_ = keep_ > 0;
      }
    } else {
      check_size(cx);
      charge_.add(sizeof(OrderedRow));
    }
  }
  void add(Context& cx, Batch& rows) override {
    for (Datum& row : rows) add(cx, OrderedRow(std::move(row)));
  }
  std::unique_ptr<Fold> split() const override {
    for (const OrderKey& key : keys_) {
      if (!key.function->deterministic()) return nullptr;
    }
    auto later = std::make_unique<Sorter>(keys_, node_);
    later->keep(keep_);
    return later;
  }
  void merge(Context& cx, Fold& later) override {
    for (OrderedRow& row : static_cast<Sorter&>(later).rows_) add(cx, std::move(row));
  }

  std::size_t size() const { return rows_.size(); }

  /// Hands over the rows, last first: they are taken from the end.
  std::vector<OrderedRow> finish(Context& cx) {
    sort(cx);
    if (rows_.size() > keep_) rows_.resize(keep_);
    std::reverse(rows_.begin(), rows_.end());
    charge_.clear();
    trimmed_ = false;
    return std::exchange(rows_, {});
  }

 private:
  void check_size(Context& cx) {
    if (rows_.size() > cx.options.array_limit) Args::blaming(node_, [&] { check_array_size(cx, rows_.size()); });
  }
  bool is_before(Context& cx, const OrderedRow& a, const OrderedRow& b) const {
    return Args::blaming(node_, [&] { return OrderedRow::compare(cx, keys_, a, b) < 0; });
  }
  void sort(Context& cx) {
    const ProfiledTask task(cx.profile, "Sorting in-memory.");
    Args::blaming(node_, [&] {
      std::stable_sort(rows_.begin(), rows_.end(),
                       [&](const OrderedRow& a, const OrderedRow& b) { return OrderedRow::compare(cx, keys_, a, b) < 0; });
    });
  }

  const std::vector<OrderKey> keys_;
  const Node* const node_;
  std::size_t keep_ = SIZE_MAX / 4;
  std::vector<OrderedRow> rows_;
  bool trimmed_ = false;  ///< the first `keep_` rows are in order: who is not before the last of them is not wanted
  MemoryCharge charge_;
};

// Rows are in reverse order. False when none are left.
bool pop_rows(std::vector<OrderedRow>& rows, const BatchLimits& limits, Batch& out) {
  std::size_t bytes = 0;
  for (std::size_t n = 0; !rows.empty() && n < limits.max_rows && bytes < limits.max_bytes; ++n) {
    out.push_back(rows.back().take());
    rows.pop_back();
    bytes += out.back().encoded_size();
  }
  return !rows.empty();
}

class SortStream : public DerivedStream {
 public:
  SortStream(Ref<Stream> source, std::vector<OrderKey> keys, const Node* node)
      : DerivedStream(std::move(source)), sorter_(std::move(keys), node) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    if (!read_) {
      fold_rows(cx, source(), sorter_);
      rows_ = sorter_.finish(cx);
      read_ = true;
    }
    return pop_rows(rows_, limits, out);
  }
  bool is_array() const override { return true; }
  bool is_ordered() const override { return true; }
  // Everything has been read before the first row is handed out.
  bool may_revisit() const override { return false; }
  void expect_at_most(std::size_t rows) override { sorter_.keep(std::min(sorter_.keep(), rows)); }

 private:
  Sorter sorter_;
  std::vector<OrderedRow> rows_;
  bool read_ = false;
};

class SortWithinIndexStream : public Stream {
 public:
  SortWithinIndexStream(Ref<IndexCursor> entries, std::vector<OrderKey> keys, const Node* node)
      : entries_(std::move(entries)), sorter_(std::move(keys), node) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    while (ready_.empty() && !(ended_ && at_ == read_.size() && sorter_.size() == 0)) gather(cx, limits);
    const bool more = pop_rows(ready_, limits, out);
    return more || !ended_ || at_ < read_.size() || sorter_.size() > 0;
  }
  bool is_ordered() const override { return true; }
  bool may_revisit() const override { return true; }

 private:
  // Collects the rows of one index value, up to and without the first of the next.
  void gather(Context& cx, const BatchLimits& limits) {
    for (;;) {
      for (; at_ < read_.size(); ++at_) {
        if (sorter_.size() > 0 && !(read_[at_].value == value_)) break;
        value_ = read_[at_].value;
        sorter_.add(cx, OrderedRow(std::move(read_[at_].document)));
      }
      if (at_ < read_.size() || ended_) break;
      read_.clear();
      at_ = 0;
      cx.check_in();
      BatchLimits chunk = limits;
      chunk.max_rows = std::min(kReadRows, std::max<std::size_t>(limits.max_rows + 1, 16));
      ended_ = !entries_->next(cx, chunk, read_);
    }
    ready_ = sorter_.finish(cx);
  }

  const Ref<IndexCursor> entries_;
  Sorter sorter_;
  std::vector<IndexEntry> read_;
  std::size_t at_ = 0;
  bool ended_ = false;
  Datum value_;
  std::vector<OrderedRow> ready_;
};

}  // namespace

Ref<Stream> sort_stream(Ref<Stream> source, std::vector<OrderKey> keys, const Node* node) {
  return make_ref<SortStream>(std::move(source), std::move(keys), node);
}

Ref<Stream> sort_within_index(Ref<IndexCursor> entries, std::vector<OrderKey> keys, const Node* node) {
  return make_ref<SortWithinIndexStream>(std::move(entries), std::move(keys), node);
}

}  // namespace reqld::reql
