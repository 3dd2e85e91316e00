#include "reql/streams/concat.hpp"

#include "reql/feeds/change_source.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <utility>

namespace reqld::reql {

namespace {

template <typename F>
bool any_of(const std::vector<Ref<Stream>>& streams, F&& is) {
  return std::any_of(streams.begin(), streams.end(), [&](const Ref<Stream>& s) { return s && is(*s); });
}

class ConcatStream : public Stream {
 public:
  explicit ConcatStream(std::vector<Ref<Stream>> streams)
      : streams_(std::move(streams)), is_array_(!streams_.empty() && !any_of(streams_, [](const Stream& s) { return !s.is_array(); })) {}

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
  void append(std::vector<Ref<Stream>> more) {
    streams_.erase(streams_.begin(), streams_.begin() + static_cast<std::ptrdiff_t>(std::exchange(at_, 0)));
    std::move(more.begin(), more.end(), std::back_inserter(streams_));
  }
  Ref<Stream> split(Context& cx) override {
    // Some of these may hold rows that were read ahead: there is to be an end to that.
    constexpr std::size_t kMostStreams = 16;
    if (at_ == streams_.size() || streams_.size() - at_ > kMostStreams) return {};
    Ref<Stream> later = streams_.back()->split(cx);
    if (later || at_ + 1 == streams_.size()) return later;
    later = std::move(streams_.back());
    streams_.pop_back();
    return later;
  }
  bool is_array() const override { return is_array_; }
  bool is_infinite() const override { return any_of(streams_, [](const Stream& s) { return s.is_infinite(); }); }
  bool may_revisit() const override { return any_of(streams_, [](const Stream& s) { return s.may_revisit(); }); }
  void expect_at_most(std::size_t rows) override {
    for (const auto& s : streams_) s->expect_at_most(rows);
  }

  ChangeSource change_source() const override {
    ChangeSource all;
    all.kind = ChangeSource::Kind::kUnion;
    for (const auto& s : streams_) all.parts.push_back(s->change_source());
    return all;
  }

 private:
  std::vector<Ref<Stream>> streams_;
  const bool is_array_;
  std::size_t at_ = 0;
};

/// Feeds, and what comes with them: each delivers when it has something.
class FeedUnionStream : public Stream {
 public:
  explicit FeedUnionStream(std::vector<Ref<Stream>> streams) : streams_(std::move(streams)) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    const std::size_t before = out.size();
    for (std::size_t i = 0; i < streams_.size() && out.size() - before < limits.max_rows;) {
      BatchLimits rest = limits;
      rest.max_rows = limits.max_rows - (out.size() - before);
      if (streams_[i]->next(cx, rest, out)) {
        ++i;
      } else {
        streams_.erase(streams_.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    // None is to be heard last every time.
    if (!streams_.empty()) std::rotate(streams_.begin(), streams_.begin() + 1, streams_.end());
    return !streams_.empty();
  }
  bool is_infinite() const override { return true; }
  FeedKind feed_kind() const override {
    if (streams_.empty()) return FeedKind::kStream;
    const FeedKind first = streams_.front()->feed_kind();
    const bool all_alike = !any_of(streams_, [first](const Stream& s) { return s.feed_kind() != first; });
    return all_alike ? first : FeedKind::kUnioned;
  }
  bool includes_states() const override { return any_of(streams_, [](const Stream& s) { return s.includes_states(); }); }
  bool ready(const std::function<void()>& wake) override {
    // Whichever comes first wakes, the others are then late.
    const auto once = std::make_shared<std::atomic<bool>>(false);
    const auto wake_once = [once, wake] {
      if (!once->exchange(true)) wake();
    };
    for (const auto& s : streams_) {
      if (!s->ready(wake_once)) continue;
      if (!once->exchange(true)) return true;
      return false;  // woken already
    }
    return false;
  }

 private:
  std::vector<Ref<Stream>> streams_;
};

}  // namespace

Ref<Stream> concat_streams(std::vector<Ref<Stream>> streams) {
  if (streams.size() == 1) return streams[0];
  if (any_of(streams, [](const Stream& s) { return s.feed_kind() != FeedKind::kNone; })) {
    return make_ref<FeedUnionStream>(std::move(streams));
  }
  return make_ref<ConcatStream>(std::move(streams));
}

Ref<Stream> append_streams(Ref<Stream> first, std::vector<Ref<Stream>> more) {
  if (auto* concat = dynamic_cast<ConcatStream*>(first.get())) {
    concat->append(std::move(more));
    return first;
  }
  more.insert(more.begin(), std::move(first));
  return concat_streams(std::move(more));
}

}  // namespace reqld::reql
