// Geometries on the sphere: what they cover, and how they lie to each other.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "datum/datum.hpp"
#include "reql/geo/ellipsoid.hpp"
#include "reql/geo/geojson.hpp"

namespace reqld::reql::geo {

/// One geometry. Edges are the shortest ways on the sphere. Not thread-safe.
class Shape {
 public:
  /// Of a geometry value. Throws DatumError when it is malformed; values that were checked when they came to be are.
  explicit Shape(const Datum& geometry);
  explicit Shape(Coordinates coordinates);
  ~Shape();
  Shape(Shape&&) noexcept;
  Shape& operator=(Shape&&) noexcept;

  ShapeKind kind() const { return coordinates_.kind; }
  const Coordinates& coordinates() const { return coordinates_; }
  /// Of a point.
  const Position& position() const { return coordinates_.rings.front().front(); }

  /// Throws "Invalid LineString.  Are there …" when it is none.
  void validate() const;
  /// Whether they have something in common. A line or polygon that only touches a polygon has not.
  bool intersects(const Shape& other) const;
  /// Whether no part of `other` lies outside. Requires a polygon.
  bool includes(const Shape& other) const;
  /// As polygon_sub asks it: exactly, without tolerance. Requires two polygons.
  bool contains_exactly(const Shape& other) const;
  /// The position in this that is nearest to `from`, as from on_sphere; that of `from` when it is inside.
  Position nearest(const Position& from) const;

  /// Ids of at most `max_cells` cells (or a few more) that cover this.
  std::vector<std::uint64_t> covering(int max_cells) const;
  /// The same with a margin as wide as the tolerance of intersects, for searches.
  std::vector<std::uint64_t> search_covering(int max_cells) const;

 private:
  struct OnSphere;
  Coordinates coordinates_;
  std::unique_ptr<OnSphere> sphere_;
};

/// `p` on its way through a unit vector, which may change the last digits: distances are between such positions.
Position on_sphere(const Position& p);

/// Ids of cells that cover everything within `angle` (radians) of a position.
std::vector<std::uint64_t> disk_covering(const Position& center, double angle, int max_cells);

/// Throws DatumError unless `geojson` can be a geometry: for set_geometry_check.
void check_geometry(const Datum& geojson);

}  // namespace reqld::reql::geo
