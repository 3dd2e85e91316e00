#include "reql/streams/map_many.hpp"

#include <algorithm>

namespace reqld::reql {

namespace {

constexpr std::size_t kMaxRows = 1000;

class MapManyStream : public Stream {
 public:
  MapManyStream(std::vector<Ref<Stream>> sources, Ref<Function> function) : function_(std::move(function)) {
    for (auto& s : sources) inputs_.push_back({std::move(s), {}, 0, false});
  }

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    const std::size_t most = std::min(limits.max_rows, kMaxRows);
    std::size_t rows = most;
    for (Input& input : inputs_) {
      // A feed begins with the first look at it, whether the others have rows or not.
      fill(cx, input, input.stream->feed_kind() == FeedKind::kNone ? rows : most, limits);
      rows = std::min(rows, input.rows.size() - input.at);
    }
    Batch arguments(inputs_.size());
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t k = 0; k < inputs_.size(); ++k) arguments[k] = std::move(inputs_[k].rows[inputs_[k].at++]);
      out.push_back(function_->call_datum(cx, arguments));
    }
    return std::none_of(inputs_.begin(), inputs_.end(), [](const Input& i) { return i.ended && i.at == i.rows.size(); });
  }
  bool is_array() const override {
    return std::all_of(inputs_.begin(), inputs_.end(), [](const Input& i) { return i.stream->is_array(); });
  }
  bool is_infinite() const override {
    return std::all_of(inputs_.begin(), inputs_.end(), [](const Input& i) { return i.stream->is_infinite(); });
  }
  FeedKind feed_kind() const override {
    for (const Input& i : inputs_) {
      if (i.stream->feed_kind() != FeedKind::kNone) return i.stream->feed_kind();
    }
    return FeedKind::kNone;
  }
  bool ready(const std::function<void()>& wake) override {
    // One after the other: rows are made when all have come.
    return std::all_of(inputs_.begin(), inputs_.end(),
                       [&](const Input& i) { return i.at < i.rows.size() || i.ended || i.stream->ready(wake); });
  }
  bool may_revisit() const override {
    return std::any_of(inputs_.begin(), inputs_.end(), [](const Input& i) { return i.stream->may_revisit(); });
  }
  void expect_at_most(std::size_t rows) override {
    for (Input& i : inputs_) i.stream->expect_at_most(rows);
  }

 private:
  struct Input {
    Ref<Stream> stream;
    Batch rows;
    std::size_t at;
    bool ended;
  };

  // Sees to it that a row is there, unless the input ended; asks for `wanted`.
  static void fill(Context& cx, Input& input, std::size_t wanted, const BatchLimits& limits) {
    if (input.at < input.rows.size() || input.ended || wanted == 0) return;
    input.rows.clear();
    input.at = 0;
    BatchLimits chunk = limits;
    chunk.max_rows = wanted;
    input.ended = !input.stream->next(cx, chunk, input.rows);
  }

  std::vector<Input> inputs_;
  const Ref<Function> function_;
};

}  // namespace

Ref<Stream> map_many_stream(std::vector<Ref<Stream>> sources, Ref<Function> function) {
  return make_ref<MapManyStream>(std::move(sources), std::move(function));
}

}  // namespace reqld::reql
