#include "reql/streams/concat.hpp"

namespace reqld::reql {

namespace {

class ConcatStream : public Stream {
 public:
  explicit ConcatStream(std::vector<Ref<Stream>> streams) : streams_(std::move(streams)) {}
  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    const std::size_t before = out.size();
    while (at_ < streams_.size()) {
      if (out.size() - before >= limits.max_rows) return true;
      BatchLimits rest = limits;
      rest.max_rows = limits.max_rows - (out.size() - before);
      if (streams_[at_]->next(cx, rest, out)) return true;
      streams_[at_++] = {};
    }
    return false;
  }
  bool is_infinite() const override {
    for (const auto& s : streams_) {
      if (s && s->is_infinite()) return true;
    }
    return false;
  }
  bool may_revisit() const override {
    for (const auto& s : streams_) {
      if (s && s->may_revisit()) return true;
    }
    return false;
  }

 private:
  std::vector<Ref<Stream>> streams_;
  std::size_t at_ = 0;
};

}  // namespace

Ref<Stream> concat_streams(std::vector<Ref<Stream>> streams) {
  if (streams.size() == 1) return streams[0];
  return make_ref<ConcatStream>(std::move(streams));
}

}  // namespace reqld::reql
