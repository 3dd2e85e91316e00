#include "reql/feeds/feed_stream.hpp"

#include "reql/feeds/resumable_feed.hpp"

namespace reqld::reql {

namespace {

class LiveFeed : public FeedStream {
 public:
  LiveFeed(FeedKind kind, const FeedOptions& options, std::vector<std::unique_ptr<FeedPart>> parts)
      : FeedStream(kind, options), parts_(std::move(parts)) {}

  bool ready(const std::function<void()>& wake) override {
    if (!output_.empty() || initialized_ < parts_.size() || (!said_ready_ && options_.include_states))
      return true;
    return any_ready(parts_, wake, [](const auto& part, const auto& w) { return part->ready(w); });
  }

 private:
  void fill(Context& cx) override {
    if (!said_ready_) {
      if (options_.include_initial) say("initializing", said_initializing_);
      // There may be none: the feed of get_all() of no keys.
      while (initialized_ < parts_.size()) {
        if (parts_[initialized_]->initial(cx, options_.include_initial, output_)) ++initialized_;
        if (output_.size() > kEnough) return;
      }
      say("ready", said_ready_);
      if (!output_.empty()) return;
    }
    for (const auto& part : parts_) part->drain(cx, output_);
  }

  void say(std::string_view state, bool& said) {
    if (said) return;
    said = true;
    if (options_.include_states) output_.push(state_element(state).finish());
  }

  const std::vector<std::unique_ptr<FeedPart>> parts_;
  std::size_t initialized_ = 0;
  bool said_initializing_ = false;
  bool said_ready_ = false;
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
  return make_ref<LiveFeed>(kind, options, std::move(parts));
}

}  // namespace reqld::reql
