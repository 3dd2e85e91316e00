#include "reql/geo/geojson.hpp"

#include <string>

#include "reql/geo/text.hpp"

namespace reqld::reql::geo {

namespace {

[[noreturn]] void fail(std::string message) { throw DatumError(DatumErrorKind::kLogic, message); }

Position read_position(const Datum& d) {
  const std::size_t n = d.array_size();
  if (n < 2) fail("Too few coordinates.  Need at least longitude and latitude.");
  if (n > 3) fail("Too many coordinates.  Need at most longitude, latitude and altitude.");
  const Position p{d.at(0).as_number(), d.at(1).as_number()};
  if (n > 2) fail("A third altitude coordinate in GeoJSON positions was found, but is not supported.");
  check_position(p);
  return p;
}

Positions read_positions(const Datum& d) {
  Positions out;
  const std::size_t n = d.array_size();
  out.reserve(n);
  for (std::size_t i = 0; i < n; ++i) out.push_back(read_position(d.at(i)));
  return out;
}

Positions read_ring(const Datum& d) {
  Positions ring = read_positions(d);
  if (ring.size() < 4) fail("GeoJSON LinearRing must have at least four positions.");
  if (ring.front() != ring.back()) fail("First and last vertex of GeoJSON LinearRing must be identical.");
  return ring;
}

ShapeKind read_kind(std::string_view type) {
  for (const ShapeKind kind : {ShapeKind::kPoint, ShapeKind::kLine, ShapeKind::kPolygon}) {
    if (type == shape_name(kind)) return kind;
  }
  for (const std::string_view known :
       {"MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection", "Feature", "FeatureCollection"}) {
    if (type == known) fail("GeoJSON type `" + std::string(type) + "` is not supported.");
  }
  fail("Unrecognized GeoJSON type `" + std::string(type) + "`.");
}

Datum position_datum(const Position& p) {
  ArrayBuilder pair;
  pair.add(Datum::number(p.longitude));
  pair.add(Datum::number(p.latitude));
  return pair.finish();
}

Datum positions_datum(const Positions& positions) {
  ArrayBuilder out;
  out.reserve(positions.size());
  for (const Position& p : positions) out.add(position_datum(p));
  return out.finish();
}

Datum geometry(ShapeKind kind, Datum coordinates) {
  ObjectBuilder out;
  out.set("type", Datum::string(shape_name(kind)));
  out.set("coordinates", std::move(coordinates));
  return Datum::geometry(out.finish());
}

}  // namespace

std::string_view shape_name(ShapeKind kind) {
  constexpr std::string_view kNames[] = {"Point", "LineString", "Polygon"};
  return kNames[static_cast<int>(kind)];
}

Coordinates read_geojson(const Datum& object) {
  const Datum type = *object.get("type");
  const Datum coordinates = *object.get("coordinates");
  (void)coordinates.array_size();  // whatever the type is, they are an array
  Coordinates out;
  out.kind = read_kind(type.as_string());
  switch (out.kind) {
    case ShapeKind::kPoint: out.rings.push_back({read_position(coordinates)}); break;
    case ShapeKind::kLine:
      out.rings.push_back(read_positions(coordinates));
      if (out.rings.front().size() < 2) fail("GeoJSON LineString must have at least two positions.");
      break;
    case ShapeKind::kPolygon:
      for (std::size_t i = 0; i < coordinates.array_size(); ++i) out.rings.push_back(read_ring(coordinates.at(i)));
      if (out.rings.empty()) fail("GeoJSON Polygon must have at least one LinearRing.");
      break;
  }
  return out;
}

ShapeKind kind_of(const Datum& geometry) {
  const Datum type = *geometry.geometry_object().get("type");
  return read_kind(type.as_string());
}

void check_position(const Position& p) {
  if (!(p.longitude >= -180 && p.longitude <= 180)) {
    fail("Longitude must be between -180 and 180.  Got " + digits(p.longitude) + ".");
  }
  if (!(p.latitude >= -90 && p.latitude <= 90)) fail("Latitude must be between -90 and 90.  Got " + digits(p.latitude) + ".");
}

Datum point_geometry(const Position& p) { return geometry(ShapeKind::kPoint, position_datum(p)); }
Datum line_geometry(const Positions& line) { return geometry(ShapeKind::kLine, positions_datum(line)); }

Datum polygon_geometry(const std::vector<Positions>& rings) {
  ArrayBuilder out;
  for (const Positions& ring : rings) out.add(positions_datum(ring));
  return geometry(ShapeKind::kPolygon, out.finish());
}

}  // namespace reqld::reql::geo
