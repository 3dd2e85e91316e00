// Lazy sequences.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datum/datum.hpp"
#include "reql/context.hpp"
#include "reql/object.hpp"

namespace reqld::reql {

using Batch = std::vector<Datum>;

struct ChangeSource;

/// What kind of changes a stream that is a feed delivers; the notes of a reply tell the client.
enum class FeedKind : std::uint8_t { kNone, kStream, kPoint, kOrderByLimit, kUnioned };

/// A lazy sequence of datums, read once. Not thread-safe; used on the thread that runs its query. Holds no snapshot
/// between two calls of `next`.
class Stream : public Object {
 public:
  /// Appends rows to `out`, within `limits` (one row may exceed the bytes). Returns false when the sequence has ended: no row
  /// comes after those appended. May append nothing and return true. Throws EvalError and DatumError.
  virtual bool next(Context& cx, const BatchLimits& limits, Batch& out) = 0;

  /// Passes rows by, within `limits`: as if next() had appended them, but adds their number to `skipped`. For streams that
  /// know a shorter way than making them.
  virtual bool skip(Context& cx, const BatchLimits& limits, std::size_t& skipped);

  /// For streams whose rows are at hand as JSON: what next() would append, with commas between, and how many rows that are.
  /// nullopt: this is none.
  virtual std::optional<std::size_t> next_json(Context& /*cx*/, const BatchLimits& /*limits*/, std::string& /*out*/) {
    return std::nullopt;
  }

  /// Takes some of the rows that are still to come away, the last ones, and answers a stream of them, which may be read on
  /// another thread at the same time. Null: there is nothing to split. Between two calls of next().
  virtual Ref<Stream> split(Context& /*cx*/) { return {}; }

  /// Made from an array: it is an ARRAY to type_of, and comes out of a query as one.
  virtual bool is_array() const { return false; }
  /// Has no end (range(), feeds): cannot become an array or be aggregated.
  virtual bool is_infinite() const { return false; }
  virtual FeedKind feed_kind() const { return FeedKind::kNone; }
  /// Notes for the reply (`n`) beyond those of the feed kind: INCLUDES_STATES is 5.
  virtual bool includes_states() const { return false; }
  /// For feeds: see Query::ready.
  virtual bool ready(const std::function<void()>& /*wake*/) { return true; }
  /// Rows come in the order of an index or sort (so that `ordered` unions, feeds, limits can rely on it).
  virtual bool is_ordered() const { return false; }
  /// Rows are found by something that a write to them may change (a secondary index), so a row might be met again. Streams
  /// over another stream pass its answer on.
  virtual bool may_revisit() const { return false; }
  /// What a changefeed on these rows watches. Throws "Cannot call `changes` on an eager stream." when there is no such thing.
  virtual ChangeSource change_source() const;
  /// A promise that no more than `rows` rows will be asked for, made before any was: a sort need not keep the others.
  virtual void expect_at_most(std::size_t /*rows*/) {}
};

/// Reads a stream row by row, a batch at a time.
class StreamReader {
 public:
  explicit StreamReader(Ref<Stream> stream, std::size_t batch_rows = 256) : stream_(std::move(stream)), rows_(batch_rows) {}
  /// The next row; false at the end.
  bool next(Context& cx, Datum& row);

 private:
  Ref<Stream> stream_;
  std::size_t rows_;
  Batch batch_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

/// A stream over the elements of `array`.
Ref<Stream> stream_of_array(const Datum& array);
/// A stream over rows at hand; `is_array` as in Stream.
Ref<Stream> stream_of_rows(std::vector<Datum> rows, bool is_array);
/// All rows as an array datum. Enforces array_limit; refuses infinite streams.
Datum to_array(Context& cx, Stream& stream);
/// Calls `each` for every row until the end, or until it returns false. Refuses infinite streams unless `allow_infinite`.
void for_each_row(Context& cx, Stream& stream, const std::function<bool(Datum&)>& each, bool allow_infinite = false);
/// Calls `each` with one batch after the other until the end, or until it returns false. Refuses infinite streams.
void for_each_batch(Context& cx, Stream& stream, const std::function<bool(Batch&)>& each);
/// Throws the recorded error when `stream` is infinite.
void refuse_infinite(const Stream& stream);

}  // namespace reqld::reql
