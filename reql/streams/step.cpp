#include "reql/streams/step.hpp"

#include <algorithm>
#include <iterator>

#include "reql/feeds/change_source.hpp"
#include "reql/streams/derived.hpp"

namespace reqld::reql {

namespace {

// Rows worked on at a time: the batch stays in the cache.
constexpr std::size_t kMaxChunk = 1000;

class StepStream : public DerivedStream {
 public:
  StepStream(Ref<Stream> source, Ref<RowStep> step) : DerivedStream(std::move(source)), step_(std::move(step)) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    if (!surplus_.empty()) {
      const std::size_t take = std::min(limits.max_rows, surplus_.size());
      const auto end = surplus_.begin() + static_cast<std::ptrdiff_t>(take);
      out.insert(out.end(), std::make_move_iterator(surplus_.begin()), std::make_move_iterator(end));
      surplus_.erase(surplus_.begin(), end);
      return !surplus_.empty() || !ended_;
    }
    if (ended_) return false;
    const std::size_t wanted = std::min(limits.max_rows, kMaxChunk);
    BatchLimits chunk = limits;
    chunk.max_rows = std::max(wanted, read_ahead_);
    const bool direct = chunk.max_rows <= limits.max_rows;
    Batch& rows = direct ? out : surplus_;
    const std::size_t before = rows.size();
    ended_ = !source().next(cx, chunk, rows);
    const bool any = rows.size() > before;
    step_->run(cx, rows, before);
    // Where most rows are dropped, asking for the few that are wanted would mean a read for each.
    if (any) read_ahead_ = rows.size() > before ? 0 : std::min(kMaxChunk, std::max<std::size_t>(16, chunk.max_rows * 2));
    if (!direct && !surplus_.empty()) return next(cx, limits, out);
    return !ended_;
  }
  Ref<Stream> split(Context& cx) override {
    Ref<RowStep> step = step_->copy();
    Ref<Stream> later = step ? source().split(cx) : Ref<Stream>();
    return later ? step_stream(std::move(later), std::move(step)) : later;
  }
  ChangeSource change_source() const override {
    if (!step_->is_stateless()) return Stream::change_source();
    ChangeSource watched = source().change_source();
    (watched.kind == ChangeSource::Kind::kLimit ? watched.later_steps : watched.steps).push_back(step_);
    return watched;
  }
  void expect_at_most(std::size_t rows) override {
    if (step_->is_one_to_one()) source().expect_at_most(rows);
  }

 protected:
  bool at_hand() const override { return !surplus_.empty(); }

 private:
  const Ref<RowStep> step_;
  Batch surplus_;
  std::size_t read_ahead_ = 0;
  bool ended_ = false;
};

}  // namespace

Ref<Stream> step_stream(Ref<Stream> source, Ref<RowStep> step) {
  return make_ref<StepStream>(std::move(source), std::move(step));
}

}  // namespace reqld::reql
