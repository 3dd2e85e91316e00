#include "reql/geo/shape.hpp"

#include <s2/mutable_s2shape_index.h>
#include <s2/s2cap.h>
#include <s2/s2cell_union.h>
#include <s2/s2error.h>
#include <s2/s2latlng.h>
#include <s2/s2loop.h>
#include <s2/s2polygon.h>
#include <s2/s2polyline.h>
#include <s2/s2region_coverer.h>
#include <s2/s2shape_index_buffered_region.h>

#include <algorithm>
#include <string>

namespace reqld::reql::geo {

namespace {

// What lies closer than this (64 nm on Earth) is the same place: degrees become unit vectors with errors of about 1e-16.
const S1Angle kTolerance = S1Angle::Radians(1e-14);

[[noreturn]] void fail(const char* message) { throw DatumError(DatumErrorKind::kLogic, message); }

S2Point to_s2(const Position& p) { return S2LatLng::FromDegrees(p.latitude, p.longitude).ToPoint(); }

Position from_s2(const S2Point& p) {
  const S2LatLng at(p);
  return {at.lng().degrees(), at.lat().degrees()};
}

std::vector<S2Point> to_s2(const Positions& positions, std::size_t count) {
  std::vector<S2Point> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) out.push_back(to_s2(positions[i]));
  return out;
}

std::vector<std::uint64_t> cover(const S2Region& region, int max_cells) {
  S2RegionCoverer::Options options;
  options.set_max_cells(max_cells);
  std::vector<std::uint64_t> out;
  for (const S2CellId id : S2RegionCoverer(options).GetCovering(region)) out.push_back(id.id());
  return out;
}

}  // namespace

struct Shape::OnSphere {
  S2Point point;
  std::unique_ptr<S2Polyline> line;
  std::unique_ptr<S2Polygon> polygon;
  bool rings_valid = true;
  bool hole_is_all = false;  ///< nothing of the polygon is left
};

Shape::Shape(const Datum& geometry) : Shape(read_geojson(geometry.geometry_object())) {}

Shape::Shape(Coordinates coordinates) : coordinates_(std::move(coordinates)), sphere_(std::make_unique<OnSphere>()) {
  switch (kind()) {
    case ShapeKind::kPoint: sphere_->point = to_s2(position()); break;
    case ShapeKind::kLine: {
      const Positions& line = coordinates_.rings.front();
      sphere_->line = std::make_unique<S2Polyline>(to_s2(line, line.size()), S2Debug::DISABLE);
      break;
    }
    case ShapeKind::kPolygon: {
      std::vector<std::unique_ptr<S2Loop>> loops;
      for (const Positions& ring : coordinates_.rings) {
        // The last position is the first again.
        auto loop = std::make_unique<S2Loop>(to_s2(ring, ring.size() - 1), S2Debug::DISABLE);
        S2Error error;
        if (loop->FindValidationError(&error)) {
          sphere_->rings_valid = false;
          return;
        }
        // GeoJSON's rings may turn either way: the inside is the smaller part.
        loop->Normalize();
        loops.push_back(std::move(loop));
      }
      if (loops.size() == 2 && loops[0]->BoundaryEquals(*loops[1])) {
        sphere_->hole_is_all = true;
        loops.clear();
      }
      sphere_->polygon = std::make_unique<S2Polygon>();
      sphere_->polygon->set_s2debug_override(S2Debug::DISABLE);
      sphere_->polygon->InitNested(std::move(loops));
      break;
    }
  }
}

Shape::~Shape() = default;
Shape::Shape(Shape&&) noexcept = default;
Shape& Shape::operator=(Shape&&) noexcept = default;

void Shape::validate() const {
  S2Error error;
  if (sphere_->line && sphere_->line->FindValidationError(&error)) {
    fail("Invalid LineString.  Are there antipodal or duplicate vertices?");
  }
  if (kind() != ShapeKind::kPolygon) return;
  if (!sphere_->rings_valid) {
    fail("Invalid LinearRing.  Are there antipodal or duplicate vertices? Is it self-intersecting?");
  }
  if (sphere_->hole_is_all) return;
  bool nested = sphere_->polygon->num_loops() == static_cast<int>(coordinates_.rings.size());
  for (int i = 0; nested && i < sphere_->polygon->num_loops(); ++i) {
    nested = sphere_->polygon->loop(i)->depth() == (i == 0 ? 0 : 1);
  }
  if (!nested || sphere_->polygon->FindValidationError(&error)) {
    fail("Invalid Polygon.  Are there intersecting linear rings?");
  }
}

bool Shape::intersects(const Shape& other) const {
  if (kind() > other.kind()) return other.intersects(*this);
  const OnSphere& a = *sphere_;
  const OnSphere& b = *other.sphere_;
  if (kind() == ShapeKind::kPoint) {
    switch (other.kind()) {
      case ShapeKind::kPoint: return S1Angle(a.point, b.point) <= kTolerance;
      case ShapeKind::kLine: {
        int next = 0;
        return S1Angle(a.point, b.line->Project(a.point, &next)) <= kTolerance;
      }
      case ShapeKind::kPolygon:
        return b.polygon && (b.polygon->Contains(a.point) || b.polygon->GetDistanceToBoundary(a.point) <= kTolerance);
    }
  }
  if (!b.line && !b.polygon) return false;
  if (kind() == ShapeKind::kLine) {
    if (other.kind() == ShapeKind::kLine) return a.line->Intersects(*b.line);
    return !b.polygon->ApproxIntersectWithPolyline(*a.line, kTolerance).empty();
  }
  return a.polygon && b.polygon->Intersects(*a.polygon);
}

bool Shape::includes(const Shape& other) const {
  const OnSphere& a = *sphere_;
  const OnSphere& b = *other.sphere_;
  if (!a.polygon) return false;
  switch (other.kind()) {
    case ShapeKind::kPoint: return intersects(other);
    case ShapeKind::kLine: return a.polygon->ApproxContains(*b.line, kTolerance);
    case ShapeKind::kPolygon: return b.polygon && a.polygon->ApproxContains(*b.polygon, kTolerance);
  }
  return false;
}

bool Shape::contains_exactly(const Shape& other) const {
  return sphere_->polygon && other.sphere_->polygon && sphere_->polygon->Contains(*other.sphere_->polygon);
}

Position Shape::nearest(const Position& from) const {
  const S2Point p = to_s2(from);
  S2Point at = sphere_->point;
  if (sphere_->line) {
    int next = 0;
    at = sphere_->line->Project(p, &next);
  } else if (sphere_->polygon) {
    at = sphere_->polygon->Project(p);
  }
  return from_s2(at);
}

std::vector<std::uint64_t> Shape::covering(int max_cells) const {
  if (kind() == ShapeKind::kPoint) return {S2CellId(sphere_->point).id()};
  if (sphere_->line) return cover(*sphere_->line, max_cells);
  if (sphere_->polygon) return cover(*sphere_->polygon, max_cells);
  return {};
}

std::vector<std::uint64_t> Shape::search_covering(int max_cells) const {
  if (kind() == ShapeKind::kPoint) return cover(S2Cap(sphere_->point, 2 * kTolerance), max_cells);
  if (sphere_->polygon) return cover(S2ShapeIndexBufferedRegion(&sphere_->polygon->index(), 2 * kTolerance), max_cells);
  if (!sphere_->line) return {};
  MutableS2ShapeIndex index;
  index.Add(std::make_unique<S2Polyline::Shape>(sphere_->line.get()));
  return cover(S2ShapeIndexBufferedRegion(&index, 2 * kTolerance), max_cells);
}

Position on_sphere(const Position& p) { return from_s2(to_s2(p)); }

std::vector<std::uint64_t> disk_covering(const Position& center, double angle, int max_cells) {
  const S1Angle radius = S1Angle::Radians(std::min(angle, M_PI)) + 2 * kTolerance;
  return cover(S2Cap(to_s2(center), radius), max_cells);
}

void check_geometry(const Datum& geojson) {
  // Only these make a geometry equal to another of the same shape.
  for (std::size_t i = 0; i < geojson.object_size(); ++i) {
    const std::string_view name = geojson.name_at(i);
    if (name == "type" || name == "coordinates") continue;
    if (name == "crs") {
      if (geojson.value_at(i).is_null()) continue;
      fail(
          "Non-default coordinate reference systems are not supported in GeoJSON objects.  "
          "Make sure the `crs` field of the geometry is null or non-existent.");
    }
    fail(("Unrecognized field `" + std::string(name) + "` found in geometry object.").c_str());
  }
  Shape(read_geojson(geojson)).validate();
}

}  // namespace reqld::reql::geo
