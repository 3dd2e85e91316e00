#include "reql/streams/merge_ordered.hpp"

#include <algorithm>
#include <memory>

namespace reqld::reql {

namespace {

class MergeOrderedStream : public Stream {
 public:
  MergeOrderedStream(std::vector<Ref<Stream>> sources, std::vector<OrderKey> keys, const Node* node)
      : sources_(std::move(sources)), keys_(std::move(keys)), node_(node) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    start(cx);
    const auto later = [&](std::size_t a, std::size_t b) {
      const int order = OrderedRow::compare(cx, keys_, inputs_[a].head, inputs_[b].head);
      return order != 0 ? order > 0 : a > b;
    };
    std::size_t bytes = 0;
    for (std::size_t n = 0; !heap_.empty() && n < limits.max_rows && bytes < limits.max_bytes; ++n) {
      std::pop_heap(heap_.begin(), heap_.end(), later);
      const std::size_t i = heap_.back();
      out.push_back(inputs_[i].head.row());
      bytes += out.back().encoded_size();
      if (advance(cx, inputs_[i])) {
        std::push_heap(heap_.begin(), heap_.end(), later);
      } else {
        heap_.pop_back();
      }
    }
    return !heap_.empty();
  }
  bool is_array() const override {
    return std::all_of(sources_.begin(), sources_.end(), [](const auto& s) { return s->is_array(); });
  }
  bool is_infinite() const override {
    return std::any_of(sources_.begin(), sources_.end(), [](const auto& s) { return s->is_infinite(); });
  }
  bool is_ordered() const override { return true; }
  bool may_revisit() const override {
    return std::any_of(sources_.begin(), sources_.end(), [](const auto& s) { return s->may_revisit(); });
  }

 private:
  struct Input {
    explicit Input(Ref<Stream> s) : reader(std::move(s), 32) {}
    StreamReader reader;
    OrderedRow head;
  };

  void start(Context& cx) {
    if (started_) return;
    started_ = true;
    inputs_.reserve(sources_.size());
    for (const auto& s : sources_) inputs_.emplace_back(s);
    const auto later = [&](std::size_t a, std::size_t b) {
      const int order = OrderedRow::compare(cx, keys_, inputs_[a].head, inputs_[b].head);
      return order != 0 ? order > 0 : a > b;
    };
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      Datum row;
      if (!inputs_[i].reader.next(cx, row)) continue;
      inputs_[i].head = OrderedRow(std::move(row));
      heap_.push_back(i);
    }
    std::make_heap(heap_.begin(), heap_.end(), later);
  }

  bool advance(Context& cx, Input& input) {
    Datum row;
    if (!input.reader.next(cx, row)) return false;
    OrderedRow following(std::move(row));
    if (OrderedRow::compare(cx, keys_, input.head, following) > 0) {
      throw EvalError(ErrorCode::kQueryLogic, "The streams given as arguments are not ordered by given ordering.", node_);
    }
    input.head = std::move(following);
    return true;
  }

  const std::vector<Ref<Stream>> sources_;
  const std::vector<OrderKey> keys_;
  const Node* const node_;
  std::vector<Input> inputs_;
  std::vector<std::size_t> heap_;  // indexes of inputs that have a head; the first is the one to come
  bool started_ = false;
};

}  // namespace

Ref<Stream> merge_ordered(std::vector<Ref<Stream>> sources, std::vector<OrderKey> keys, const Node* node) {
  return make_ref<MergeOrderedStream>(std::move(sources), std::move(keys), node);
}

}  // namespace reqld::reql
