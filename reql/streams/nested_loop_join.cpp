#include <algorithm>

#include "reql/streams/derived.hpp"
#include "reql/streams/join.hpp"

namespace reqld::reql {

namespace {

constexpr std::size_t kReadRows = 256;

class NestedLoopJoinStream : public DerivedStream {
 public:
  NestedLoopJoinStream(Ref<Stream> left, Value right, Ref<Function> condition, JoinKind kind)
      : DerivedStream(std::move(left)), right_(std::move(right)), condition_(std::move(condition)), kind_(kind) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    const std::size_t before = out.size();
    while (out.size() - before < limits.max_rows) {
      if (!right_stream_) {
        if (at_ == left_rows_.size()) {
          if (left_ended_) return false;
          if (out.size() > before) return true;
          read_left(cx, limits);
          if (left_rows_.empty() && !left_ended_) return true;
          continue;
        }
        right_stream_ = open_right(cx);
        right_rows_.clear();
        right_at_ = 0;
        right_ended_ = false;
        matched_ = false;
      }
      if (right_at_ == right_rows_.size() && !right_ended_) {
        cx.check_in();
        right_rows_.clear();
        right_at_ = 0;
        BatchLimits chunk;
        chunk.max_rows = kReadRows;
        right_ended_ = !right_stream_->next(cx, chunk, right_rows_);
      }
      const Datum& left = left_rows_[at_];
      while (right_at_ < right_rows_.size() && out.size() - before < limits.max_rows) {
        const Datum& right = right_rows_[right_at_++];
        const Datum arguments[] = {left, right};
        if (!truth(condition_->call_datum(cx, arguments))) continue;
        matched_ = true;
        out.push_back(pair(left, &right));
      }
      if (right_at_ == right_rows_.size() && right_ended_) {
        if (!matched_ && kind_ == JoinKind::kOuter) out.push_back(pair(left, nullptr));
        right_stream_ = {};
        ++at_;
      }
    }
    return true;
  }
  bool is_ordered() const override { return false; }

 protected:
  bool at_hand() const override { return right_stream_ || at_ < left_rows_.size(); }

 private:
  static Datum pair(const Datum& left, const Datum* right) {
    ObjectBuilder builder;
    builder.set("left", left);
    if (right) builder.set("right", *right);
    return builder.finish();
  }

  void read_left(Context& cx, const BatchLimits& limits) {
    cx.check_in();
    left_rows_.clear();
    at_ = 0;
    BatchLimits chunk = limits;
    chunk.max_rows = std::min(limits.max_rows, kReadRows);
    left_ended_ = !source().next(cx, chunk, left_rows_);
  }

  // Arrays and tables can be read any number of times; what cannot is kept.
  Ref<Stream> open_right(Context& cx) {
    if (right_.is(ValueKind::kSequence) || right_.is(ValueKind::kSelection)) {
      const Ref<Stream> stream = to_stream(cx, right_);
      right_ = Value(to_array(cx, *stream));
    }
    return to_stream(cx, right_);
  }

  Value right_;
  const Ref<Function> condition_;
  const JoinKind kind_;
  Batch left_rows_;
  std::size_t at_ = 0;
  bool left_ended_ = false;
  Ref<Stream> right_stream_;
  Batch right_rows_;
  std::size_t right_at_ = 0;
  bool right_ended_ = false;
  bool matched_ = false;
};

}  // namespace

Ref<Stream> nested_loop_join(Ref<Stream> left, Value right, Ref<Function> condition, JoinKind kind) {
  return make_ref<NestedLoopJoinStream>(std::move(left), std::move(right), std::move(condition), kind);
}

}  // namespace reqld::reql
