#include "reql/feeds/feed_stream.hpp"

#include <atomic>

#include "reql/feeds/resumable_feed.hpp"

namespace reqld::reql {

namespace {

class FeedStream : public Stream {
 public:
  FeedStream(FeedKind kind, const FeedOptions& options, std::vector<std::unique_ptr<FeedPart>> parts)
      : kind_(kind), options_(options), parts_(std::move(parts)) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    if (pending_.empty()) fill(cx);
    pending_.take(limits.max_rows, out);
    return true;
  }
  std::optional<std::size_t> next_json(Context& cx, const BatchLimits& limits, std::string& out) override {
    if (pending_.empty()) fill(cx);
    return pending_.take_json(limits.max_rows, limits.max_bytes, out);
  }
  bool is_infinite() const override { return true; }
  FeedKind feed_kind() const override { return kind_; }
  bool includes_states() const override { return options_.include_states; }
  bool ready(const std::function<void()>& wake) override {
    if (!pending_.empty() || initialized_ < parts_.size() || (!said_ready_ && options_.include_states))
      return true;
    if (parts_.size() == 1) return parts_[0]->ready(wake);
    // Whichever part is first wakes; the others are then late.
    const auto woken = std::make_shared<std::atomic<bool>>(false);
    const auto once = [woken, wake] {
      if (!woken->exchange(true)) wake();
    };
    for (const auto& part : parts_) {
      if (part->ready(once)) return !woken->exchange(true);
    }
    return false;
  }

 private:
  void fill(Context& cx) {
    if (initialized_ < parts_.size()) {
      if (options_.include_initial) say("initializing", said_initializing_);
      while (initialized_ < parts_.size()) {
        if (parts_[initialized_]->initial(cx, options_.include_initial, pending_)) ++initialized_;
        if (pending_.size() > kEnough) return;
      }
    }
    if (!said_ready_) {
      say("ready", said_ready_);
      if (!pending_.empty()) return;
    }
    for (const auto& part : parts_) part->drain(cx, pending_);
  }

  void say(std::string_view state, bool& said) {
    if (said) return;
    said = true;
    if (!options_.include_states) return;
    ObjectBuilder element;
    element.set("state", Datum::string(state));
    if (options_.include_types) element.set("type", Datum::string("state"));
    pending_.push(element.finish());
  }

  static constexpr std::size_t kEnough = 200;

  const FeedKind kind_;
  const FeedOptions options_;
  const std::vector<std::unique_ptr<FeedPart>> parts_;
  std::size_t initialized_ = 0;
  bool said_initializing_ = false;
  bool said_ready_ = false;
  FeedOutput pending_;
};

}  // namespace

FeedKind kind_of(const ChangeSource& source) {
  switch (source.kind) {
    case ChangeSource::Kind::kPoint:
      return FeedKind::kPoint;
    case ChangeSource::Kind::kLimit:
      return FeedKind::kOrderByLimit;
    case ChangeSource::Kind::kSystem:
      return source.key.is_null() ? FeedKind::kStream : FeedKind::kPoint;
    default:
      return FeedKind::kStream;
  }
}

namespace {

void add_parts(Context& cx, ChangeSource source, const FeedOptions& options,
               std::vector<std::unique_ptr<FeedPart>>& out) {
  switch (source.kind) {
    case ChangeSource::Kind::kRange:
    case ChangeSource::Kind::kPoint: {
      FeedOptions of_part = options;
      if (!of_part.alike.empty()) of_part.alike += "#" + std::to_string(out.size());
      out.push_back(make_rows_part(cx, std::move(source), of_part));
      break;
    }
    case ChangeSource::Kind::kLimit:
      out.push_back(make_limit_part(cx, std::move(source), options));
      break;
    case ChangeSource::Kind::kSystem:
      out.push_back(make_system_part(cx, std::move(source), options));
      break;
    case ChangeSource::Kind::kUnion:
      for (ChangeSource& part : source.parts) {
        // What is done to the union is done to each part.
        part.steps.insert(part.steps.end(), source.steps.begin(), source.steps.end());
        add_parts(cx, std::move(part), options, out);
      }
  }
}

}  // namespace

Ref<Stream> make_feed(Context& cx, ChangeSource source, const FeedOptions& options) {
  if (options.resumable) return make_resumable_feed(cx, std::move(source), options);
  const FeedKind kind = kind_of(source);
  std::vector<std::unique_ptr<FeedPart>> parts;
  add_parts(cx, std::move(source), options, parts);
  return make_ref<FeedStream>(kind, options, std::move(parts));
}

}  // namespace reqld::reql
