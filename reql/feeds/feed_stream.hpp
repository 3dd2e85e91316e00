// A changefeed as a stream.
#pragma once

#include "reql/feeds/change_source.hpp"
#include "reql/feeds/feed_part.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

/// As what a feed of this is announced.
FeedKind kind_of(const ChangeSource& source);

/// Subscribes at once. Requires a context that may wait.
Ref<Stream> make_feed(Context& cx, ChangeSource source, const FeedOptions& options);

}  // namespace reqld::reql
