// Geospatial indexes: what their entries are, and how rows are found by them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "datum/datum.hpp"
#include "reql/geo/shape.hpp"
#include "reql/stream.hpp"
#include "storage/database.hpp"

namespace reqld::reql::geo {

/// Appends the index values of one geometry of a row: strings of a cell's id (16 hexadecimal digits, so that a cell's parts lie
/// next to each other), a dot, and which of the row's geometries it is. See docs/storage_format.md.
void append_index_values(const Datum& geometry, std::size_t ordinal, std::vector<Datum>& out);

/// The geometries of a row as an index has them; their places are the ordinals.
std::vector<Datum> indexed_geometries(const storage::IndexInfo& index, const Datum& row);

/// One geometry of a row that a search met.
struct Found {
  Datum document;
  Datum geometry;
};

/// A search of a geospatial index for cells. Used on the thread that runs its query; holds no snapshot between two calls of `next`.
class IndexSearch {
 public:
  /// Whether a geometry is wanted.
  using Wanted = std::function<bool(const Datum& geometry)>;

  /// For everything that may lie in `cells` and is `wanted`.
  IndexSearch(std::shared_ptr<const storage::TableInfo> table, std::shared_ptr<const storage::IndexInfo> index,
              const std::vector<std::uint64_t>& cells, Wanted wanted);
  ~IndexSearch();

  /// Appends what it finds, each (row, geometry) once, within `limits`; false when there is no more.
  bool next(Context& cx, const BatchLimits& limits, std::vector<Found>& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The rows of which a geometry intersects `shape`: once per such geometry.
Ref<Stream> intersecting_rows(std::shared_ptr<const storage::TableInfo> table, std::shared_ptr<const storage::IndexInfo> index,
                              Shape shape);

}  // namespace reqld::reql::geo
