#include "reql/streams/distinct_values.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace reqld::reql {

namespace {

// Reading on costs a tenth of looking for the next value, and most indexes have few entries of each.
constexpr std::size_t kFirstRun = 16;
constexpr std::size_t kLongestRun = 1024;

class DistinctValues : public Stream {
 public:
  DistinctValues(Context& cx, Ref<Table> table, std::string index, const Bounds& bounds)
      : table_(std::move(table)), index_(std::move(index)), rest_(bounds), cursor_(open(cx)) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    if (!cursor_) return false;
    entries_.clear();
    BatchLimits run = limits;
    run.max_rows = std::min(limits.max_rows, run_);
    const bool more = cursor_->next(cx, run, entries_);
    std::size_t repeated = 0;  // at the end of this run
    for (IndexEntry& entry : entries_) {
      if (last_ && *last_ == entry.value) {
        ++repeated;
        continue;
      }
      repeated = 0;
      last_ = entry.value;
      out.push_back(std::move(entry.value));
    }
    if (!more) {
      cursor_ = {};
      return false;
    }
    if (!entries_.empty() && repeated + 1 >= entries_.size()) {
      rest_.lower = *last_;
      rest_.lower_open = true;
      cursor_ = open(cx);
      run_ = kFirstRun;
    } else {
      run_ = std::min(2 * run_, kLongestRun);
    }
    return true;
  }
  bool is_ordered() const override { return true; }
  bool may_revisit() const override { return true; }

 private:
  Ref<IndexCursor> open(Context& cx) const {
    return table_->index_cursor(cx, index_, rest_, Order::kAscending, IndexRead::kValues);
  }

  const Ref<Table> table_;
  const std::string index_;
  Bounds rest_;
  Ref<IndexCursor> cursor_;
  std::size_t run_ = kFirstRun;
  std::optional<Datum> last_;
  std::vector<IndexEntry> entries_;
};

}  // namespace

Ref<Stream> distinct_values(Context& cx, Ref<Table> table, std::string index, const Bounds& bounds) {
  return make_ref<DistinctValues>(cx, std::move(table), std::move(index), bounds);
}

}  // namespace reqld::reql
