// A changefeed as a stream.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "reql/feeds/change_source.hpp"
#include "reql/feeds/feed_output.hpp"
#include "reql/feeds/feed_part.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

/// What every feed is as a stream: it never ends, and gives out what fill() has put into its output.
class FeedStream : public Stream {
 public:
  bool next(Context& cx, const BatchLimits& limits, Batch& out) final {
    if (output_.empty()) fill(cx);
    output_.take(limits.max_rows, limits.max_bytes, out);
    return true;
  }
  std::optional<std::size_t> next_json(Context& cx, const BatchLimits& limits, std::string& out) final {
    if (output_.empty()) fill(cx);
    return output_.take_json(limits.max_rows, limits.max_bytes, out);
  }
  bool is_infinite() const final { return true; }
  FeedKind feed_kind() const final { return kind_; }
  bool includes_states() const final { return options_.include_states; }

 protected:
  /// An output of so many elements is given out before more is done.
  static constexpr std::size_t kEnough = 200;

  FeedStream(FeedKind kind, const FeedOptions& options) : options_(options), kind_(kind) {}

  /// Appends what there is by now, if anything.
  virtual void fill(Context& cx) = 0;

  ObjectBuilder state_element(std::string_view state) const {
    ObjectBuilder element;
    element.set("state", Datum::string(state));
    if (options_.include_types) element.set("type", Datum::string("state"));
    return element;
  }

  /// Stream::ready for several parts: `is_ready(part, wake)` is that of one.
  template <typename Parts, typename IsReady>
  static bool any_ready(const Parts& parts, const std::function<void()>& wake, IsReady is_ready) {
    if (parts.size() == 1) return is_ready(parts[0], wake);
    // Whichever part is first wakes; the others are then late.
    const auto woken = std::make_shared<std::atomic<bool>>(false);
    const auto once = [woken, wake] {
      if (!woken->exchange(true)) wake();
    };
    for (const auto& part : parts) {
      if (is_ready(part, once)) return !woken->exchange(true);
    }
    return false;
  }

  const FeedOptions options_;
  FeedOutput output_;

 private:
  const FeedKind kind_;
};

/// As what a feed of this is announced.
FeedKind kind_of(const ChangeSource& source);

/// Subscribes at once. Requires a context that may wait.
Ref<Stream> make_feed(Context& cx, ChangeSource source, const FeedOptions& options);

}  // namespace reqld::reql
