// One source of changes inside a feed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "reql/context.hpp"
#include "reql/feeds/change_source.hpp"
#include "reql/feeds/hub.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

struct FeedOptions {
  bool include_initial = false;
  bool include_states = false;
  bool include_types = false;
  bool include_offsets = false;
  bool squash = false;
  std::size_t queue_size = 100000;
};

/// Subscribes when it is made. Used by the feed's query, one thread at a time.
class FeedPart {
 public:
  virtual ~FeedPart() = default;
  /// Appends some of the initial values; true when that was the last of them. Called until then before any `drain`, also by
  /// feeds that show no initial values (with `show` false): they start to count from there.
  virtual bool initial(Context& cx, bool show, Batch& out) = 0;
  /// Appends what has changed since.
  virtual void drain(Context& cx, Batch& out) = 0;
  /// Whether drain() would have something to do; see Query::ready.
  virtual bool ready(const std::function<void()>& wake) = 0;
};

std::unique_ptr<FeedPart> make_range_part(Context& cx, ChangeSource source, const FeedOptions& options);
std::unique_ptr<FeedPart> make_point_part(Context& cx, ChangeSource source, const FeedOptions& options);
std::unique_ptr<FeedPart> make_limit_part(Context& cx, ChangeSource source, const FeedOptions& options);
std::unique_ptr<FeedPart> make_system_part(Context& cx, ChangeSource source, const FeedOptions& options);

/// What becomes of a row in `steps`; null when it is filtered out, or lacks a field that a step asks for.
Datum run_steps(Context& cx, const std::vector<Ref<RowStep>>& steps, const Datum& row);

/// Elements of a feed, as drivers get them.
void emit_initial(const FeedOptions& options, const Datum& value, Batch& out, std::optional<std::size_t> offset = {});
void emit_change(const FeedOptions& options, const Datum& old_val, const Datum& new_val, Batch& out,
                 std::optional<std::size_t> old_offset = {}, std::optional<std::size_t> new_offset = {});
void emit_skipped(std::size_t skipped, Batch& out);
[[noreturn]] void throw_feed_aborted();

/// Waits until every write that may have missed a new subscription is committed. Call between subscribing and reading.
void settle_subscription(Context& cx);

/// Takes events from a subscription: throws when the table is gone, shows what was skipped, squashes where that is wanted.
std::deque<FeedEvent> take_events(FeedHub::Handle& handle, const FeedOptions& options, Batch& out);

}  // namespace reqld::reql
