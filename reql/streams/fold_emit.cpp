#include "reql/streams/fold_emit.hpp"

#include <algorithm>

#include "reql/eval.hpp"
#include "reql/stack.hpp"
#include "reql/streams/derived.hpp"

namespace reqld::reql {

namespace {

constexpr std::size_t kReadRows = 256;

class FoldEmitStream : public DerivedStream {
 public:
  FoldEmitStream(Ref<Stream> source, Datum base, FoldFunctions functions, const Node* node)
      : DerivedStream(std::move(source)), accumulator_(std::move(base)), functions_(std::move(functions)), node_(node) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    const std::size_t before = out.size();
    while (out.size() - before < limits.max_rows) {
      if (pending_at_ < pending_.size()) {
        out.push_back(std::move(pending_[pending_at_++]));
        continue;
      }
      pending_.clear();
      pending_at_ = 0;
      if (at_ < rows_.size()) {
        step(cx, rows_[at_++]);
      } else if (!ended_) {
        if (out.size() > before) return true;
        cx.check_in();
        rows_.clear();
        at_ = 0;
        BatchLimits chunk = limits;
        chunk.max_rows = std::min(limits.max_rows, kReadRows);
        ended_ = !source().next(cx, chunk, rows_);
        if (rows_.empty() && !ended_) return true;
      } else if (!finished_) {
        finished_ = true;
        if (functions_.final_emit) emit(functions_.final_emit->call1(cx, accumulator_));
      } else {
        return false;
      }
    }
    return true;
  }

 protected:
  bool at_hand() const override {
    return pending_at_ < pending_.size() || at_ < rows_.size() || (ended_ && !finished_);
  }

 private:
  void step(Context& cx, const Datum& row) {
    Datum following = functions_.combine->call2(cx, accumulator_, row);
    check_nesting(following);
    const Datum arguments[] = {accumulator_, row, following};
    emit(functions_.emit->call_datum(cx, arguments));
    accumulator_ = std::move(following);
  }
  void emit(const Datum& rows) {
    Args::blaming(node_, [&] {
      const std::size_t size = rows.array_size();
      for (std::size_t i = 0; i < size; ++i) pending_.push_back(rows.at(i));
    });
  }

  Datum accumulator_;
  const FoldFunctions functions_;
  const Node* const node_;
  Batch rows_;
  std::size_t at_ = 0;
  Batch pending_;
  std::size_t pending_at_ = 0;
  bool ended_ = false;
  bool finished_ = false;
};

}  // namespace

Ref<Stream> fold_emit_stream(Ref<Stream> source, Datum base, FoldFunctions functions, const Node* node) {
  return make_ref<FoldEmitStream>(std::move(source), std::move(base), std::move(functions), node);
}

}  // namespace reqld::reql
