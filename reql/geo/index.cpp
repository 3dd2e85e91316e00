#include "reql/geo/index.hpp"

#include <s2/s2cell_id.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <unordered_set>
#include <utility>

#include "reql/feeds/change_source.hpp"
#include "reql/index_definition.hpp"
#include "reql/profile.hpp"
#include "reql/streams/step.hpp"
#include "reql/suspend.hpp"
#include "reql/table.hpp"

namespace reqld::reql::geo {

namespace {

// Cells per geometry: more make searches exact and writes slow.
constexpr int kEntryCells = 8;
constexpr int kSearchCells = 12;
// A search this long is worth a thread of its own.
constexpr std::size_t kRowsInline = 200;
constexpr std::size_t kIdDigits = 16;

std::string hex(std::uint64_t id) {
  char text[kIdDigits + 1];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(id));
  return text;
}

std::size_t ordinal_of(const Datum& index_value) {
  return std::stoul(std::string(index_value.as_string().substr(kIdDigits + 1)));
}

// Every entry of the cells with these ids, which are next to each other. '/' follows '.'.
storage::KeyRange entries_of(std::uint64_t first, std::uint64_t last) {
  return key_range({Datum::string(hex(first)), Datum::string(hex(last) + "/"), false, false});
}

// What has something in common with one of `cells`: their parts, and the cells around them.
std::vector<storage::KeyRange> ranges_of(const std::vector<std::uint64_t>& cells) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const std::uint64_t cell : cells) {
    const S2CellId id(cell);
    ranges.emplace(id.range_min().id(), id.range_max().id());
    for (int level = id.level() - 1; level >= 0; --level) {
      const std::uint64_t around = id.parent(level).id();
      // Those further out were added together with it.
      if (!ranges.emplace(around, around).second) break;
    }
  }
  std::vector<storage::KeyRange> out;
  out.reserve(ranges.size());
  for (const auto& [first, last] : ranges) out.push_back(entries_of(first, last));
  return out;
}

}  // namespace

void append_index_values(const Datum& geometry, std::size_t ordinal, std::vector<Datum>& out) {
  const std::string tail = "." + std::to_string(ordinal);
  for (const std::uint64_t cell : Shape(geometry).covering(kEntryCells)) out.push_back(Datum::string(hex(cell) + tail));
}

std::vector<Datum> indexed_geometries(const storage::IndexInfo& index, const Datum& row) {
  return index_geometries(*index.function, row);
}

struct IndexSearch::State {
  std::shared_ptr<const storage::TableInfo> table;
  std::shared_ptr<const storage::IndexInfo> index;
  std::vector<storage::KeyRange> ranges;
  Wanted wanted;
  std::size_t at = 0;  // in ranges
  std::optional<std::string> resume;
  std::size_t read = 0;
  std::vector<storage::Row> rows;
  // Key and ordinal of geometries that have several entries, so that they may be met again.
  std::unordered_set<std::string> met;

  void judge(storage::Row& row, std::vector<Found>& out) {
    const std::size_t ordinal = ordinal_of(row.index_value);
    const std::vector<Datum> geometries = indexed_geometries(*index, row.document);
    if (ordinal >= geometries.size()) return;
    const Datum& geometry = geometries[ordinal];
    if (kind_of(geometry) != ShapeKind::kPoint && !met.insert(row.key + "." + std::to_string(ordinal)).second) return;
    if (wanted(geometry)) out.push_back({std::move(row.document), geometry});
  }
};

IndexSearch::IndexSearch(std::shared_ptr<const storage::TableInfo> table, std::shared_ptr<const storage::IndexInfo> index,
                         const std::vector<std::uint64_t>& cells, Wanted wanted)
    : state_(std::make_unique<State>(
          State{std::move(table), std::move(index), ranges_of(cells), std::move(wanted), 0, {}, 0, {}, {}})) {}

IndexSearch::~IndexSearch() = default;

bool IndexSearch::next(Context& cx, const BatchLimits& limits, std::vector<Found>& out) {
  State& s = *state_;
  const std::size_t enough = out.size() + std::max<std::size_t>(limits.max_rows, 1);
  const auto reader = cx.database().reader();
  std::size_t read = 0;
  // Bounded: a reader pins a snapshot.
  while (s.at < s.ranges.size() && out.size() < enough && read < 4096) {
    s.rows.clear();
    const storage::Reader::Limits chunk{std::min<std::size_t>(enough - out.size(), 1000),
                                        std::min<std::size_t>(limits.max_bytes, 1u << 20)};
    const ProfiledTask task(cx.profile, "Do range scan on geospatial index.");
    s.resume = reader->scan_index(*s.table, *s.index, storage::IndexRange{s.ranges[s.at]}, storage::Direction::kForward, s.resume,
                                  chunk, true, s.rows);
    for (storage::Row& row : s.rows) s.judge(row, out);
    read += s.rows.size();
    if (!s.resume) ++s.at;
  }
  s.read += read;
  if (s.read > kRowsInline && cx.suspender) cx.suspender->move_to_pool();
  return s.at < s.ranges.size();
}

namespace {

/// Keeps the rows of which a geometry intersects: what a feed does to each row.
class IntersectingStep : public RowStep {
 public:
  IntersectingStep(std::shared_ptr<const storage::IndexInfo> index, std::shared_ptr<const Shape> shape)
      : index_(std::move(index)), shape_(std::move(shape)) {}

  void run(Context&, Batch& rows, std::size_t from) override {
    const auto gone = std::remove_if(rows.begin() + static_cast<std::ptrdiff_t>(from), rows.end(), [&](const Datum& row) {
      for (const Datum& geometry : indexed_geometries(*index_, row)) {
        if (shape_->intersects(Shape(geometry))) return false;
      }
      return true;
    });
    rows.erase(gone, rows.end());
  }

 private:
  const std::shared_ptr<const storage::IndexInfo> index_;
  const std::shared_ptr<const Shape> shape_;
};

class IntersectingStream : public Stream {
 public:
  IntersectingStream(std::shared_ptr<const storage::TableInfo> table, std::shared_ptr<const storage::IndexInfo> index,
                     std::shared_ptr<const Shape> shape)
      : table_(std::move(table)),
        index_(std::move(index)),
        shape_(std::move(shape)),
        search_(table_, index_, shape_->search_covering(kSearchCells),
                [shape = shape_](const Datum& geometry) { return shape->intersects(Shape(geometry)); }) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    found_.clear();
    const bool more = search_.next(cx, limits, found_);
    for (Found& f : found_) out.push_back(std::move(f.document));
    return more;
  }
  bool may_revisit() const override { return true; }
  // A feed looks at every row of the table: whether its geometry intersects is cheap to tell.
  ChangeSource change_source() const override {
    ChangeSource watched;
    watched.table = table_;
    watched.steps.push_back(make_ref<IntersectingStep>(index_, shape_));
    return watched;
  }

 private:
  const std::shared_ptr<const storage::TableInfo> table_;
  const std::shared_ptr<const storage::IndexInfo> index_;
  const std::shared_ptr<const Shape> shape_;
  IndexSearch search_;
  std::vector<Found> found_;
};

}  // namespace

Ref<Stream> intersecting_rows(std::shared_ptr<const storage::TableInfo> table, std::shared_ptr<const storage::IndexInfo> index,
                              Shape shape) {
  return make_ref<IntersectingStream>(std::move(table), std::move(index), std::make_shared<const Shape>(std::move(shape)));
}

}  // namespace reqld::reql::geo
