// GeoJSON objects as positions, and back.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "datum/datum.hpp"
#include "reql/geo/ellipsoid.hpp"

namespace reqld::reql::geo {

enum class ShapeKind : std::uint8_t { kPoint, kLine, kPolygon };
/// "Point", "LineString", "Polygon".
std::string_view shape_name(ShapeKind kind);

using Positions = std::vector<Position>;

/// The positions of a GeoJSON object.
struct Coordinates {
  ShapeKind kind = ShapeKind::kPoint;
  std::vector<Positions> rings;  ///< one of one position for a point, one for a line, shell and holes for a polygon
};

/// Reads a GeoJSON object: its type, and how many positions there are and where. Throws the recorded errors.
Coordinates read_geojson(const Datum& object);
/// The kind of a geometry alone.
ShapeKind kind_of(const Datum& geometry);

/// Throws unless longitude and latitude are within their ranges.
void check_position(const Position& p);

// Geometry values. Nothing is checked.
Datum point_geometry(const Position& p);
Datum line_geometry(const Positions& line);
Datum polygon_geometry(const std::vector<Positions>& rings);

}  // namespace reqld::reql::geo
