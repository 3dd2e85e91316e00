#include "reql/streams/concat_map.hpp"

#include <algorithm>

#include "reql/eval.hpp"
#include "reql/streams/derived.hpp"

namespace reqld::reql {

namespace {

constexpr std::size_t kReadRows = 256;

class ConcatMapStream : public DerivedStream {
 public:
  ConcatMapStream(Ref<Stream> source, Ref<Function> function, const Node* node)
      : DerivedStream(std::move(source)), function_(std::move(function)), node_(node) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    const std::size_t before = out.size();
    for (;;) {
      while (current_ || at_ < rows_.size()) {
        const std::size_t made = out.size() - before;
        if (made >= limits.max_rows) return true;
        if (!current_) current_ = open(cx, rows_[at_++]);
        BatchLimits rest = limits;
        rest.max_rows = limits.max_rows - made;
        const std::size_t size = out.size();
        if (!current_->next(cx, rest, out)) {
          current_ = {};
        } else if (out.size() > size) {
          return true;  // it goes on when more is wanted
        }
      }
      if (ended_) return false;
      if (out.size() > before) return true;
      cx.check_in();
      rows_.clear();
      at_ = 0;
      BatchLimits chunk = limits;
      chunk.max_rows = std::min(limits.max_rows, kReadRows);
      ended_ = !source().next(cx, chunk, rows_);
      if (rows_.empty() && !ended_) return true;
    }
  }

 protected:
  bool at_hand() const override { return current_ || at_ < rows_.size(); }

 private:
  Ref<Stream> open(Context& cx, const Datum& row) {
    const Value made = function_->call(cx, std::span<const Datum>(&row, 1));
    return Args::blaming(node_, [&] { return to_stream(cx, made); });
  }

  const Ref<Function> function_;
  const Node* const node_;
  Batch rows_;
  std::size_t at_ = 0;
  bool ended_ = false;
  Ref<Stream> current_;
};

class ConcatMapStep : public RowStep {
 public:
  ConcatMapStep(Ref<Function> function, const Node* node) : function_(std::move(function)), node_(node) {}
  bool is_stateless() const override { return false; }
  void run(Context& cx, Batch& rows, std::size_t from) override {
    Batch sources(std::make_move_iterator(rows.begin() + static_cast<std::ptrdiff_t>(from)), std::make_move_iterator(rows.end()));
    rows.resize(from);
    for (const Datum& row : sources) {
      const Value made = function_->call(cx, std::span<const Datum>(&row, 1));
      const Ref<Stream> stream = Args::blaming(node_, [&] { return to_stream(cx, made); });
      for_each_batch(cx, *stream, [&](Batch& batch) {
        rows.insert(rows.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
        return true;
      });
    }
  }

 private:
  const Ref<Function> function_;
  const Node* const node_;
};

}  // namespace

Ref<Stream> concat_map_stream(Ref<Stream> source, Ref<Function> function, const Node* node) {
  return make_ref<ConcatMapStream>(std::move(source), std::move(function), node);
}

Ref<RowStep> concat_map_step(Ref<Function> function, const Node* node) {
  return make_ref<ConcatMapStep>(std::move(function), node);
}

}  // namespace reqld::reql
