#include "reql/streams/slice.hpp"

#include <algorithm>

#include "reql/error.hpp"
#include "reql/feeds/change_source.hpp"
#include "reql/streams/derived.hpp"

namespace reqld::reql {

namespace {

constexpr std::uint64_t kSkipRows = 1000;

class SliceStream : public DerivedStream {
 public:
  SliceStream(Ref<Stream> s, std::uint64_t from, std::uint64_t to) : DerivedStream(std::move(s)), from_(from), to_(to > from ? to : 0) {
    if (to != kToTheEnd) source().expect_at_most(to_);
  }

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    if (at_ < from_ && to_ > 0) skip(cx, limits);
    if (ended_ || at_ >= to_) return false;
    BatchLimits rest = limits;
    rest.max_rows = static_cast<std::size_t>(std::min<std::uint64_t>(limits.max_rows, to_ - at_));
    const std::size_t before = out.size();
    ended_ = !source().next(cx, rest, out);
    at_ += out.size() - before;
    return !ended_ && at_ < to_;
  }
  // A feed stays one: it ends after so many changes, but nobody knows when.
  bool is_infinite() const override { return to_ == kToTheEnd && DerivedStream::is_infinite(); }
  // As recorded: a feed cut short is not announced as one with states.
  bool includes_states() const override { return false; }
  ChangeSource change_source() const override {
    ChangeSource watched = source().change_source();
    if (from_ > 0) return Stream::change_source();
    if (watched.order == Order::kNone || watched.kind != ChangeSource::Kind::kRange) {
      EvalError error(ErrorCode::kQueryLogic, "Cannot get changes on the first elements of an unordered stream.");
      error.detach();
      throw error;
    }
    watched.kind = ChangeSource::Kind::kLimit;
    watched.limit = static_cast<std::size_t>(to_);
    return watched;
  }
  void expect_at_most(std::size_t rows) override {
    if (rows < kToTheEnd - from_) source().expect_at_most(from_ + rows);
  }

 protected:
  bool at_hand() const override { return at_ >= to_; }

 private:
  void skip(Context& cx, const BatchLimits& limits) {
    while (!ended_ && at_ < from_) {
      cx.check_in();
      BatchLimits chunk = limits;
      chunk.max_bytes = BatchLimits().max_bytes;
      chunk.max_rows = static_cast<std::size_t>(std::min(from_ - at_, kSkipRows));
      std::size_t skipped = 0;
      ended_ = !source().skip(cx, chunk, skipped);
      at_ += skipped;
      if (skipped == 0 && source().feed_kind() != FeedKind::kNone) return;
    }
  }

  const std::uint64_t from_;
  const std::uint64_t to_;
  std::uint64_t at_ = 0;
  bool ended_ = false;
};

}  // namespace

Ref<Stream> slice_of_stream(Ref<Stream> source, std::uint64_t from, std::uint64_t to) {
  return make_ref<SliceStream>(std::move(source), from, to);
}

}  // namespace reqld::reql
