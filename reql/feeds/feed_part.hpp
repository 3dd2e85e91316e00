// One source of changes inside a feed.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "reql/context.hpp"
#include "reql/feeds/change_source.hpp"
#include "reql/feeds/feed_output.hpp"
#include "reql/feeds/hub.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

struct FeedOptions {
  bool include_initial = false;
  bool include_states = false;
  bool include_types = false;
  bool include_offsets = false;
  bool squash = false;
  std::chrono::microseconds squash_delay{0};  ///< how long changes are gathered
  std::size_t queue_size = 100000;
  /// Where this is not empty, feeds of the same text have the same elements for each change.
  std::string alike;
  bool resumable = false;
  std::optional<std::string> resume_token;
};

/// Subscribes when it is made. Used by the feed's query, one thread at a time.
class FeedPart {
 public:
  virtual ~FeedPart() = default;
  /// Appends some of the initial values; true when that was the last of them. Called until then before any
  /// `drain`, also by feeds that show no initial values (with `show` false): they start to count from there.
  virtual bool initial(Context& cx, bool show, FeedOutput& out) = 0;
  /// Appends what has changed since.
  virtual void drain(Context& cx, FeedOutput& out) = 0;
  /// Whether drain() would have something to do; see Query::ready.
  virtual bool ready(const std::function<void()>& wake) = 0;
};

std::unique_ptr<FeedPart> make_rows_part(Context& cx, ChangeSource source, const FeedOptions& options);
std::unique_ptr<FeedPart> make_limit_part(Context& cx, ChangeSource source, const FeedOptions& options);
std::unique_ptr<FeedPart> make_system_part(Context& cx, ChangeSource source, const FeedOptions& options);

/// What a source of rows (kRange, kPoint, kLimit) is to be told.
WatchedRows watched_rows(const ChangeSource& source);

/// What becomes of a row in `steps`; null when it is filtered out, or lacks a field that a step asks for.
Datum run_steps(Context& cx, const std::vector<Ref<RowStep>>& steps, const Datum& row);

/// Elements of a feed, as drivers get them.
Datum initial_element(const FeedOptions& options, const Datum& value, std::optional<std::size_t> offset = {});
/// Null when both are.
Datum change_element(const FeedOptions& options, const Datum& old_val, const Datum& new_val,
                     std::optional<std::size_t> old_offset = {}, std::optional<std::size_t> new_offset = {});
/// What a source of rows shows of a change; null when that is nothing.
Datum change_element(Context& cx, const ChangeSource& source, const FeedOptions& options,
                     const FeedChange& change);
Datum skipped_element(std::size_t skipped);
[[noreturn]] void throw_feed_aborted();

/// Waits until every write that may have missed a new subscription is committed. Call between subscribing and
/// reading.
void settle_subscription(Context& cx);

/// Takes changes from a subscription, but for those that are `known` already: throws when the table is gone,
/// shows what was skipped, squashes where that is wanted.
std::deque<FeedChangeRef> take_changes(FeedHub::Handle& handle, const FeedOptions& options, FeedOutput& out,
                                       const std::function<bool(const FeedChange&)>& known);

}  // namespace reqld::reql
