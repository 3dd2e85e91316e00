#include "reql/stream.hpp"

#include <algorithm>
#include <functional>

#include "reql/error.hpp"
#include "reql/feeds/change_source.hpp"

namespace reqld::reql {

void check_array_size(const Context& cx, std::size_t size) {
  if (size <= cx.options.array_limit) return;
  throw_resource("Array over size limit `" + std::to_string(cx.options.array_limit) +
                 "`.  To raise the number of allowed elements, modify the `array_limit` option to `.run` (not available in the "
                 "Data Explorer), or use an index.");
}

bool Stream::skip(Context& cx, const BatchLimits& limits, std::size_t& skipped) {
  Batch rows;
  const bool more = next(cx, limits, rows);
  skipped += rows.size();
  return more;
}

ChangeSource Stream::change_source() const { throw_logic("Cannot call `changes` on an eager stream."); }

bool StreamReader::next(Context& cx, Datum& row) {
  while (at_ == batch_.size()) {
    if (ended_) return false;
    batch_.clear();
    at_ = 0;
    cx.check_in();
    BatchLimits limits;
    limits.max_rows = rows_;
    ended_ = !stream_->next(cx, limits, batch_);
  }
  row = std::move(batch_[at_++]);
  return true;
}

namespace {

class ArrayStream : public Stream {
 public:
  explicit ArrayStream(Datum array) : array_(std::move(array)), size_(array_.array_size()) {}
  bool next(Context&, const BatchLimits& limits, Batch& out) override {
    std::size_t bytes = 0;
    for (std::size_t rows = 0; at_ < size_ && rows < limits.max_rows && bytes < limits.max_bytes; ++rows) {
      out.push_back(array_.at(at_++));
      bytes += out.back().encoded_size();
    }
    return at_ < size_;
  }
  bool is_array() const override { return true; }
  bool is_ordered() const override { return true; }

 private:
  const Datum array_;
  const std::size_t size_;
  std::size_t at_ = 0;
};

class RowsStream : public Stream {
 public:
  RowsStream(std::vector<Datum> rows, bool is_array) : rows_(std::move(rows)), is_array_(is_array) {}
  bool next(Context&, const BatchLimits& limits, Batch& out) override {
    std::size_t bytes = 0;
    for (std::size_t n = 0; at_ < rows_.size() && n < limits.max_rows && bytes < limits.max_bytes; ++n) {
      bytes += rows_[at_].encoded_size();
      out.push_back(std::move(rows_[at_++]));
    }
    return at_ < rows_.size();
  }
  bool is_array() const override { return is_array_; }

 private:
  std::vector<Datum> rows_;
  const bool is_array_;
  std::size_t at_ = 0;
};

}  // namespace

Ref<Stream> stream_of_array(const Datum& array) { return make_ref<ArrayStream>(array); }

Ref<Stream> stream_of_rows(std::vector<Datum> rows, bool is_array) {
  return make_ref<RowsStream>(std::move(rows), is_array);
}

void refuse_infinite(const Stream& stream) {
  if (stream.feed_kind() != FeedKind::kNone) {
    throw_logic("Cannot call a terminal (`reduce`, `count`, etc.) on an infinite stream (such as a changefeed).");
  }
  if (stream.is_infinite()) {
    throw_logic(
        "Cannot use an infinite stream with an aggregation function (`reduce`, `count`, etc.) or coerce it to an array.");
  }
}

namespace {

void read_batches(Context& cx, Stream& stream, const std::function<bool(Batch&)>& each) {
  Batch batch;
  BatchLimits limits;
  limits.max_rows = 1000;
  bool more = true;
  while (more) {
    batch.clear();
    cx.check_in();
    more = stream.next(cx, limits, batch);
    if (!each(batch)) return;
  }
}

}  // namespace

void for_each_row(Context& cx, Stream& stream, const std::function<bool(Datum&)>& each, bool allow_infinite) {
  if (!allow_infinite) refuse_infinite(stream);
  read_batches(cx, stream, [&](Batch& batch) { return std::all_of(batch.begin(), batch.end(), std::ref(each)); });
}

void for_each_batch(Context& cx, Stream& stream, const std::function<bool(Batch&)>& each) {
  refuse_infinite(stream);
  read_batches(cx, stream, each);
}

Datum to_array(Context& cx, Stream& stream) {
  ArrayBuilder builder;
  for_each_row(cx, stream, [&](Datum& row) {
    check_array_size(cx, builder.size() + 1);
    builder.add(row);
    return true;
  });
  return builder.finish();
}

}  // namespace reqld::reql
