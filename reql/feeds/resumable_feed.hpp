// A feed that another can go on after, by the change logs of its tables.
#pragma once

#include "reql/feeds/change_source.hpp"
#include "reql/feeds/feed_part.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

/// Throws when a table keeps no change log, or `source` is of a kind that cannot be resumed. See
/// docs/changefeeds.md.
Ref<Stream> make_resumable_feed(Context& cx, ChangeSource source, const FeedOptions& options);

}  // namespace reqld::reql
