// The present rows of what a feed watches, and which changes they hold already.
#pragma once

#include <string>
#include <vector>

#include "reql/feeds/feed_part.hpp"

namespace reqld::reql {

/// Read step by step, each in a snapshot of its own. Used by the feed's query.
class InitialRows {
 public:
  explicit InitialRows(const ChangeSource& source)
      : source_(source), rows_(watched_rows(source)), next_(rows_.range.lower) {}

  /// Nothing is to be read: changes count from the newest commit.
  void skip(Context& cx);
  /// Appends some; true when that was the last of them.
  bool read(Context& cx, const FeedOptions& options, FeedOutput& out);

  /// Whether a change is part of what was read, or will be read yet.
  bool hold(const FeedChange& change) const;
  /// The newest commit that some of the rows were read at.
  storage::Sequence last_sequence() const { return last_; }
  bool done() const { return done_; }

 private:
  // What is read up to here (exclusive) holds every change up to this commit.
  struct ReadUntil {
    std::string key;
    storage::Sequence sequence;
  };

  void read_point(storage::Reader& reader, Context& cx, const FeedOptions& options, FeedOutput& out);
  void read_step(storage::Reader& reader, Context& cx, const FeedOptions& options, FeedOutput& out);
  void read_index(storage::Reader& reader, Context& cx, const FeedOptions& options, FeedOutput& out);
  void show(Context& cx, const FeedOptions& options, const Datum& row, FeedOutput& out);

  const ChangeSource& source_;
  const WatchedRows rows_;
  std::string next_;
  std::vector<ReadUntil> read_until_;  // by key; of an index one, for all keys
  storage::Sequence last_ = 0;
  bool done_ = false;
};

}  // namespace reqld::reql
