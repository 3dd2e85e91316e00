#include "reql/streams/range.hpp"

#include <algorithm>

namespace reqld::reql {

namespace {

constexpr std::size_t kMaxRows = 1000;

class RangeStream : public Stream {
 public:
  RangeStream(std::int64_t start, std::optional<std::int64_t> end) : at_(start), end_(end) {}

  bool next(Context&, const BatchLimits& limits, Batch& out) override {
    std::size_t rows = std::min(limits.max_rows, kMaxRows);
    if (end_) rows = std::min<std::size_t>(rows, static_cast<std::size_t>(std::max<std::int64_t>(0, *end_ - at_)));
    out.reserve(out.size() + rows);
    for (std::size_t i = 0; i < rows; ++i) out.push_back(Datum::integer(at_++));
    return !end_ || at_ < *end_;
  }
  bool is_infinite() const override { return !end_; }
  bool is_ordered() const override { return true; }

 private:
  std::int64_t at_;
  const std::optional<std::int64_t> end_;
};

}  // namespace

Ref<Stream> range_stream(std::int64_t start, std::optional<std::int64_t> end) {
  return make_ref<RangeStream>(start, end);
}

}  // namespace reqld::reql
