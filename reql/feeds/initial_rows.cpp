#include "reql/feeds/initial_rows.hpp"

#include <algorithm>

namespace reqld::reql {

namespace {
constexpr storage::Reader::Limits kStep{500, 1u << 20};
}  // namespace

void InitialRows::skip(Context& cx) {
  last_ = cx.database().reader()->sequence();
  read_until_.push_back({rows_.range.upper, last_});
  done_ = true;
}

bool InitialRows::read(Context& cx, const FeedOptions& options, FeedOutput& out) {
  const auto reader = cx.database().reader();
  last_ = reader->sequence();
  if (source_.kind == ChangeSource::Kind::kPoint) {
    read_point(*reader, cx, options, out);
  } else if (rows_.index) {
    read_index(*reader, cx, options, out);
  } else {
    read_step(*reader, cx, options, out);
  }
  return done_;
}

bool InitialRows::hold(const FeedChange& change) const {
  if (read_until_.empty()) return true;
  if (rows_.index) return change.at.sequence <= read_until_.front().sequence;
  const auto at = std::upper_bound(read_until_.begin(), read_until_.end(), change.key,
                                   [](const std::string& key, const ReadUntil& r) { return key < r.key; });
  if (at != read_until_.end()) return change.at.sequence <= at->sequence;
  return !done_;
}

void InitialRows::read_point(storage::Reader& reader, Context& cx, const FeedOptions& options,
                             FeedOutput& out) {
  const auto row = reader.get(*source_.table, rows_.range.lower);
  out.push(initial_element(options, run_steps(cx, source_.steps, row.value_or(Datum()))));
  read_until_.push_back({rows_.range.upper, last_});
  done_ = true;
}

void InitialRows::read_step(storage::Reader& reader, Context& cx, const FeedOptions& options,
                            FeedOutput& out) {
  std::vector<storage::Row> rows;
  auto resume =
      reader.scan(*source_.table, {next_, rows_.range.upper}, storage::Direction::kForward, kStep, rows);
  for (const storage::Row& row : rows) show(cx, options, row.document, out);
  next_ = resume ? *resume : rows_.range.upper;
  read_until_.push_back({next_, last_});
  done_ = !resume;
}

// Rows may move along a secondary index between two steps: read it in one snapshot.
void InitialRows::read_index(storage::Reader& reader, Context& cx, const FeedOptions& options,
                             FeedOutput& out) {
  std::optional<std::string> resume;
  std::vector<storage::Row> rows;
  do {
    rows.clear();
    resume = reader.scan_index(*source_.table, *rows_.index, {rows_.range}, storage::Direction::kForward,
                               resume, kStep, true, rows);
    for (const storage::Row& row : rows) show(cx, options, row.document, out);
  } while (resume);
  read_until_.push_back({std::string(), last_});
  done_ = true;
}

void InitialRows::show(Context& cx, const FeedOptions& options, const Datum& row, FeedOutput& out) {
  const Datum v = run_steps(cx, source_.steps, row);
  if (!v.is_null()) out.push(initial_element(options, v));
}

}  // namespace reqld::reql
