// Geometries: making them, comparing them, finding rows by them.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "datum/json.hpp"
#include "reql/document.hpp"
#include "reql/eval.hpp"
#include "reql/geo/ellipsoid.hpp"
#include "reql/geo/geojson.hpp"
#include "reql/geo/index.hpp"
#include "reql/geo/shape.hpp"
#include "reql/geo/text.hpp"
#include "reql/sequence.hpp"
#include "reql/streams/step.hpp"
#include "reql/table.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

using geo::Ellipsoid;
using geo::Position;
using geo::Positions;
using geo::Shape;
using geo::ShapeKind;

void check_is_geometry(const Datum& d) {
  if (!d.is(Type::kGeometry)) throw_logic("Not a GEOMETRY pseudotype: `" + to_shown_json(d) + "`.");
}

Datum geometry_arg(Args& args, std::size_t i) {
  Datum d = args.datum(i);
  Args::blaming(args.node_of(i), [&] { check_is_geometry(d); });
  return d;
}

void require_kind(const Datum& geometry, ShapeKind wanted) {
  const ShapeKind found = geo::kind_of(geometry);
  if (found == wanted) return;
  throw_logic("Expected geometry of type `" + std::string(geo::shape_name(wanted)) + "` but found `" +
              std::string(geo::shape_name(found)) + "`.");
}

// A point, or a pair of numbers that stands for one.
Position position_of(const Datum& d) {
  if (d.is(Type::kGeometry)) {
    require_kind(d, ShapeKind::kPoint);
    return Shape(d).position();
  }
  const std::size_t n = d.array_size();
  if (n != 2) {
    throw_logic("Expected point coordinate pair.  Got " + std::to_string(n) + " element array instead of a 2 element one.");
  }
  const Position p{d.at(0).as_number(), d.at(1).as_number()};
  geo::check_position(p);
  return p;
}

Positions positions_of(Args& args) {
  Positions out;
  out.reserve(args.size());
  for (std::size_t i = 0; i < args.size(); ++i) out.push_back(position_of(args.datum(i)));
  return out;
}

Datum checked(Datum geometry) {
  Shape(geometry).validate();
  return geometry;
}

// The polygon within `line`, which is closed if it is not.
Datum polygon_within(Positions line) {
  if (line.front() != line.back()) line.push_back(line.front());
  return checked(geo::polygon_geometry({std::move(line)}));
}

double number_field(const Datum& object, std::string_view name) { return get_field(object, name, "get_field").as_number(); }

Ellipsoid ellipsoid_optarg(Args& args) {
  const auto system = args.datum_optarg("geo_system");
  if (!system) return geo::kWgs84;
  return Args::blaming(args.optarg_node("geo_system"), [&]() -> Ellipsoid {
    if (system->is(Type::kObject)) {
      const Ellipsoid custom{number_field(*system, "a"), number_field(*system, "f")};
      if (!(custom.equator_radius > 0)) throw_logic("The equator radius `a` of a geo system must be positive.");
      if (!(custom.flattening < 1)) throw_logic("The flattening `f` of a geo system must be less than 1.");
      return custom;
    }
    const std::string name(system->as_string());
    if (name == "WGS84") return geo::kWgs84;
    if (name == "unit_sphere") return geo::kUnitSphere;
    throw_logic("Unrecognized geo system \"" + name + "\" (valid options: \"WGS84\", \"unit_sphere\").");
  });
}

double unit_optarg(Args& args) {
  const auto unit = args.string_optarg("unit");
  return unit ? geo::metres_per_unit(*unit) : 1.0;
}

Value geojson(Args& args) {
  const Datum object = args.datum(0);
  if (!object.is(Type::kObject)) throw_type_error(type_name(Type::kObject), object.type());
  ObjectBuilder clean;
  clean.set("type", get_field(object, "type", "get_field"));
  clean.set("coordinates", get_field(object, "coordinates", "get_field"));
  if (const auto crs = object.get("crs")) clean.set("crs", *crs);  // null, or it is refused
  geo::check_geometry(object);
  return Value(Datum::geometry(clean.finish()));
}

Value to_geojson(Args& args) { return Value(geometry_arg(args, 0).geometry_object()); }

Value point(Args& args) {
  const double longitude = args.number(0);
  const Position p{longitude, args.number(1)};
  geo::check_position(p);
  return Value(geo::point_geometry(p));
}

Value line(Args& args) { return Value(checked(geo::line_geometry(positions_of(args)))); }

Value polygon(Args& args) { return Value(polygon_within(positions_of(args))); }

Value fill(Args& args) {
  const Datum d = geometry_arg(args, 0);
  require_kind(d, ShapeKind::kLine);
  return Value(polygon_within(Shape(d).coordinates().rings.front()));
}

Value circle(Args& args) {
  const Position center = position_of(args.datum(0));
  double radius = args.number(1);
  const Ellipsoid ellipsoid = ellipsoid_optarg(args);
  const std::int64_t vertices = args.integer_optarg("num_vertices").value_or(32);
  if (vertices <= 0) {
    throw EvalError(ErrorCode::kQueryLogic, "num_vertices must be positive.", args.optarg_node("num_vertices"));
  }
  check_array_size(args.cx(), static_cast<std::size_t>(vertices));
  radius *= unit_optarg(args);
  const bool filled = args.bool_optarg("fill").value_or(true);
  if (!(radius > 0)) throw_logic("Radius must be positive");
  geo::check_radius(radius, ellipsoid);
  Positions ring;
  ring.reserve(static_cast<std::size_t>(vertices) + 1);
  for (std::int64_t i = 0; i < vertices; ++i) {
    const double azimuth = -180.0 + 360.0 * static_cast<double>(i) / static_cast<double>(vertices);
    ring.push_back(geo::geodesic_destination(center, azimuth, radius, ellipsoid));
  }
  ring.push_back(ring.front());
  return Value(filled ? polygon_within(std::move(ring)) : checked(geo::line_geometry(ring)));
}

Datum simple_polygon_arg(Args& args, std::size_t i) {
  Datum d = geometry_arg(args, i);
  Args::blaming(args.node_of(i), [&] {
    const ShapeKind kind = geo::kind_of(d);
    if (kind != ShapeKind::kPolygon) throw_logic("Expected a Polygon but found a " + std::string(geo::shape_name(kind)) + ".");
    if (Shape(d).coordinates().rings.size() != 1) {
      throw_logic("Expected a Polygon with only an outer shell.  This one has holes.");
    }
  });
  return d;
}

Value polygon_sub(Args& args) {
  const Shape outer(simple_polygon_arg(args, 0));
  const Shape hole(simple_polygon_arg(args, 1));
  if (!outer.contains_exactly(hole)) throw_logic("The second argument to `polygon_sub` is not contained in the first one.");
  return Value(checked(geo::polygon_geometry({outer.coordinates().rings.front(), hole.coordinates().rings.front()})));
}

double distance_between(const Position& from, const Shape& to, const Ellipsoid& ellipsoid) {
  return geo::geodesic_distance(geo::on_sphere(from), to.nearest(from), ellipsoid);
}

Value distance(Args& args) {
  const Datum a = geometry_arg(args, 0);
  const Datum b = geometry_arg(args, 1);
  const Ellipsoid ellipsoid = ellipsoid_optarg(args);
  const double unit = unit_optarg(args);
  const bool from_a = geo::kind_of(a) == ShapeKind::kPoint;
  if (!from_a && geo::kind_of(b) != ShapeKind::kPoint) require_kind(a, ShapeKind::kPoint);
  const Shape from(from_a ? a : b);
  const Shape to(from_a ? b : a);
  return Value(Datum::number(distance_between(from.position(), to, ellipsoid) * (1.0 / unit)));
}

using Relation = bool (*)(const Datum& a, const Shape& b);

bool intersect(const Datum& a, const Shape& b) { return Shape(a).intersects(b); }

bool include(const Datum& a, const Shape& b) {
  require_kind(a, ShapeKind::kPolygon);
  return Shape(a).includes(b);
}

/// Keeps the geometries of a sequence that have a relation to another.
class RelationStep : public RowStep {
 public:
  RelationStep(Relation relation, Shape other, const Node* node) : relation_(relation), other_(std::move(other)), node_(node) {}

  void run(Context&, Batch& rows, std::size_t from) override {
    Args::blaming(node_, [&] {
      std::size_t to = from;
      for (std::size_t i = from; i < rows.size(); ++i) {
        check_is_geometry(rows[i]);
        if (relation_(rows[i], other_)) rows[to++] = std::move(rows[i]);
      }
      rows.resize(to);
    });
  }

 private:
  const Relation relation_;
  const Shape other_;
  const Node* const node_;
};

Value related(Args& args, Relation relation, std::string_view name) {
  const Value v = args.value(0);
  const bool single = v.is(ValueKind::kSingleSelection) || (v.is_datum() && !v.raw_datum().is(Type::kArray));
  if (!single) {
    switch (v.kind()) {
      case ValueKind::kDatabase:
      case ValueKind::kFunction:
        throw EvalError(ErrorCode::kQueryLogic,
                        "Cannot perform " + std::string(name) + " on a non-object non-sequence `" + print_value(args.cx(), v) + "`.",
                        args.node_of(0));
      default: break;
    }
    const Sequence sequence = to_sequence(args, v, 0);
    Shape other(geometry_arg(args, 1));
    return sequence.with(step_stream(sequence.stream, make_ref<RelationStep>(relation, std::move(other), &args.node())));
  }
  const Datum first = to_datum(args.cx(), v);
  if (!first.is(Type::kGeometry)) {
    Args::blaming(args.node_of(0), [&] {
      if (first.is(Type::kObject)) check_is_geometry(first);
      throw_not_a_document(name, first);
    });
  }
  return Value(Datum::boolean(relation(first, Shape(geometry_arg(args, 1)))));
}

Value intersects(Args& args) { return related(args, intersect, "intersects"); }
Value includes(Args& args) { return related(args, include, "includes"); }

// The term that reads what `node` makes: as recorded, it is blamed for what turns out only while reading.
const Node* reader_of(const Node* node) {
  while (node->parent && node->position == 0) node = node->parent;
  return node;
}

std::shared_ptr<const storage::IndexInfo> geo_index(Args& args, Table& table, const std::string& term) {
  const auto name = args.string_optarg("index");
  if (!name) throw_logic(term + " requires an index argument.");
  if (*name == table.primary_key()) throw_logic(term + " cannot use the primary index.");
  return Args::blaming(reader_of(&args.node()), [&] {
    lookup_index(table, *name);
    auto index = table.stored()->indexes.at(*name);
    if (!index->geo) {
      throw_logic("Index `" + *name + "` is not a geospatial index.  " + term + " can only be used with a geospatial index.");
    }
    if (!index->ready) {
      throw_op_failed("Index `" + *name + "` on table `" + table.database() + "." + table.name() +
                      "` was accessed before its construction was finished.");
    }
    return index;
  });
}

Value get_intersecting(Args& args) {
  const Ref<Table> table = args.table(0);
  Shape shape(geometry_arg(args, 1));
  const auto index = geo_index(args, *table, "get_intersecting");
  return Value(ValueKind::kSelection,
               make_ref<Selection>(table, geo::intersecting_rows(table->stored(), index, std::move(shape))));
}

struct Neighbour {
  double metres;
  Datum document;
};

// The `wanted` nearest of what lies within `metres`, in order.
std::vector<Neighbour> neighbours_within(Context& cx, Table& table, const std::shared_ptr<const storage::IndexInfo>& index,
                                         const Position& center, const Ellipsoid& ellipsoid, double metres, std::size_t wanted) {
  constexpr int kDiskCells = 16;
  std::vector<Neighbour> out;
  double found_at = 0;
  std::vector<double> distances;
  geo::IndexSearch search(table.stored(), index, geo::disk_covering(center, ellipsoid.largest_angle(metres), kDiskCells),
                          [&](const Datum& geometry) {
                            found_at = distance_between(center, Shape(geometry), ellipsoid);
                            if (found_at > metres) return false;
                            distances.push_back(found_at);
                            return true;
                          });
  std::vector<geo::Found> found;
  const BatchLimits limits{.max_rows = 1024};
  for (bool more = true; more;) {
    found.clear();
    distances.clear();
    more = search.next(cx, limits, found);
    for (std::size_t i = 0; i < found.size(); ++i) out.push_back({distances[i], std::move(found[i].document)});
    // Documents that are too far are not kept, however many there are.
    if (!more || out.size() > 2 * std::max<std::size_t>(wanted, limits.max_rows)) {
      std::stable_sort(out.begin(), out.end(), [](const Neighbour& a, const Neighbour& b) { return a.metres < b.metres; });
      if (out.size() > wanted) out.erase(out.begin() + static_cast<std::ptrdiff_t>(wanted), out.end());
    }
    cx.check_in();
  }
  return out;
}

// RethinkDB searches rings made of polygons with eight corners, which have to be wider than the circle. Tables with fewer results
// than wanted are searched up to `max_dist`, and cannot be when such a polygon has become too large.
void check_searchable(double max_dist, const Ellipsoid& ellipsoid) {
  const double radius =
      max_dist * 1.01 * (ellipsoid.equator_radius / ellipsoid.pole_radius()) / std::cos(std::numbers::pi / 8);
  try {
    geo::check_radius(radius, ellipsoid);
  } catch (const EvalError& e) {
    throw_logic("The distance has become too large for continuing the indexed nearest traversal.  Consider specifying a smaller "
                "`max_dist` parameter.  (" + e.message() + ")");
  }
}

Value get_nearest(Args& args) {
  const Ref<Table> table = args.table(0);
  const Position center = position_of(args.datum(1));
  const std::int64_t max_results = args.integer_optarg("max_results").value_or(100);
  if (max_results <= 0) {
    throw EvalError(ErrorCode::kQueryLogic, "max_results must be positive.", args.optarg_node("max_results"));
  }
  const auto index = geo_index(args, *table, "get_nearest");
  const Ellipsoid ellipsoid = ellipsoid_optarg(args);
  const double unit = unit_optarg(args);
  const auto given_dist = args.number_optarg("max_dist");
  if (given_dist && !(*given_dist > 0)) {
    throw EvalError(ErrorCode::kQueryLogic, "max_dist must be positive.", args.optarg_node("max_dist"));
  }
  const double max_dist = given_dist ? *given_dist * unit : 100000.0;
  const auto wanted = static_cast<std::size_t>(max_results);

  // Growing disks: a small one is enough where rows are dense.
  constexpr double kFirstShare = 1.0 / 256;
  constexpr double kGrowth = 4;
  const double farthest = std::min(max_dist, ellipsoid.largest_circle());
  std::vector<Neighbour> nearest;
  for (double radius = farthest * kFirstShare;; radius = std::min(radius * kGrowth, farthest)) {
    nearest = neighbours_within(args.cx(), *table, index, center, ellipsoid, radius, wanted);
    if (nearest.size() >= wanted || radius >= farthest) break;
  }
  if (nearest.size() < wanted) {
    Args::blaming(reader_of(&args.node()), [&] { check_searchable(max_dist, ellipsoid); });
  }
  check_array_size(args.cx(), nearest.size());
  ArrayBuilder out;
  for (const Neighbour& n : nearest) {
    ObjectBuilder pair;
    pair.set("dist", Datum::number(n.metres * (1.0 / unit)));
    pair.set("doc", n.document);
    out.add(pair.finish());
  }
  return Value(out.finish());
}

constexpr Optarg kCircleOptargs[] = {
    {"num_vertices", "how many corners (32)"},
    {"geo_system", "the Earth as `WGS84` (the default) or `unit_sphere`"},
    {"unit", "`m` (the default), `km`, `mi`, `nm` or `ft`"},
    {"fill", "a polygon (true) or a line"},
};
constexpr Optarg kDistanceOptargs[] = {
    {"geo_system", "the Earth as `WGS84` (the default) or `unit_sphere`"},
    {"unit", "`m` (the default), `km`, `mi`, `nm` or `ft`"},
};
constexpr Optarg kIntersectingOptargs[] = {
    {"index", "the geospatial index; required"},
};
constexpr Optarg kNearestOptargs[] = {
    {"index", "the geospatial index; required"},
    {"max_results", "at most so many rows (100)"},
    {"max_dist", "how far to look (100 km), in `unit`"},
    {"geo_system", "the Earth as `WGS84` (the default) or `unit_sphere`"},
    {"unit", "`m` (the default), `km`, `mi`, `nm` or `ft`"},
};

constexpr Example kGeojsonExamples[] = {
    {"r.geojson({'type': 'Point', 'coordinates': [12.5, 41.9]}).to_geojson()",
     R"([158,[[157,[{"type":"Point","coordinates":[2,[12.5,41.9]]}]]]])",
     R"({"coordinates":[12.5,41.9],"type":"Point"})"},
    {"r.geojson({'type': 'Circle', 'coordinates': []})",
     R"([157,[{"type":"Circle","coordinates":[2,[]]}]])",
     "Unrecognized GeoJSON type `Circle`."},
};
constexpr Example kToGeojsonExamples[] = {
    {"r.line([0, 0], [1, 1]).to_geojson()",
     "[158,[[160,[[2,[0,0]],[2,[1,1]]]]]]",
     R"({"coordinates":[[0,0],[1,1]],"type":"LineString"})"},
};
constexpr Example kPointExamples[] = {
    {"r.point(12.5, 41.9).to_geojson()",
     "[158,[[159,[12.5,41.9]]]]",
     R"({"coordinates":[12.5,41.9],"type":"Point"})"},
    {"r.point(0, 91)", "[159,[0,91]]", "Latitude must be between -90 and 90.  Got 91."},
};
constexpr Example kLineExamples[] = {
    {"r.line([0, 0], [0, 10]).to_geojson()['coordinates']",
     R"([170,[[158,[[160,[[2,[0,0]],[2,[0,10]]]]]],"coordinates"]])",
     "[[0,0],[0,10]]"},
    {"r.line([0, 0], [0, 0])",
     "[160,[[2,[0,0]],[2,[0,0]]]]",
     "Invalid LineString.  Are there antipodal or duplicate vertices?"},
};
constexpr Example kPolygonExamples[] = {
    {"r.polygon([0, 0], [0, 1], [1, 1]).to_geojson()['coordinates']",
     R"([170,[[158,[[161,[[2,[0,0]],[2,[0,1]],[2,[1,1]]]]]],"coordinates"]])",
     "[[[0,0],[0,1],[1,1],[0,0]]]"},
};
constexpr Example kDistanceExamples[] = {
    {"r.point(7.4, 46.9).distance(r.point(12.5, 41.9), unit='km').round()",
     R"([185,[[162,[[159,[7.4,46.9]],[159,[12.5,41.9]]],{"unit":"km"}]]])",
     "688"},
    {"r.point(0, 0).distance(r.point(0, 1), geo_system='unit_sphere').mul(180).div(3.141592653589793).round()",
     R"([185,[[27,[[26,[[162,[[159,[0,0]],[159,[0,1]]],{"geo_system":"unit_sphere"}],180]],3.141592653589793]]]])",
     "1"},
};
constexpr Example kIntersectsExamples[] = {
    {"r.line([-1, 0], [1, 0]).intersects(r.line([0, -1], [0, 1]))",
     "[163,[[160,[[2,[-1,0]],[2,[1,0]]]],[160,[[2,[0,-1]],[2,[0,1]]]]]]",
     "true"},
    {"r.expr([r.point(0, 0), r.point(9, 9)]).intersects(r.circle([0, 0], 1000)).count()",
     "[43,[[163,[[2,[[159,[0,0]],[159,[9,9]]]],[165,[[2,[0,0]],1000]]]]]]",
     "1"},
};
constexpr Example kIncludesExamples[] = {
    {"r.circle([0, 0], 1000).includes(r.point(0, 0.001))",
     "[164,[[165,[[2,[0,0]],1000]],[159,[0,0.001]]]]",
     "true"},
    {"r.point(0, 0).includes(r.point(0, 0))",
     "[164,[[159,[0,0]],[159,[0,0]]]]",
     "Expected geometry of type `Polygon` but found `Point`."},
};
constexpr Example kCircleExamples[] = {
    {"r.circle([0, 0], 10, num_vertices=4).to_geojson()['coordinates'][0].count()",
     R"([43,[[170,[[170,[[158,[[165,[[2,[0,0]],10],{"num_vertices":4}]]],"coordinates"]],0]]]])",
     "5"},
    {"r.circle([0, 0], 1, unit='km', fill=False).to_geojson()['type']",
     R"([170,[[158,[[165,[[2,[0,0]],1],{"unit":"km","fill":false}]]],"type"]])",
     R"("LineString")"},
    {"r.circle([0, 0], -1)", "[165,[[2,[0,0]],-1]]", "Radius must be positive"},
};
constexpr Example kGetIntersectingExamples[] = {
    {"r.table('places').get_intersecting(r.circle([12, 42], 100, unit='km'), index='at')['id']",
     R"([170,[[166,[[15,["places"]],[165,[[2,[12,42]],100],{"unit":"km"}]],{"index":"at"}],"id"]])",
     R"(["Rome"])"},
};
constexpr Example kFillExamples[] = {
    {"r.line([0, 0], [0, 1], [1, 1]).fill().to_geojson()['type']",
     R"([170,[[158,[[167,[[160,[[2,[0,0]],[2,[0,1]],[2,[1,1]]]]]]]],"type"]])",
     R"("Polygon")"},
};
constexpr Example kGetNearestExamples[] = {
    {"r.table('places').get_nearest(r.point(8, 46), index='at', max_dist=500, unit='km').map(lambda found: found['doc']['id'])",
     R"([38,[[168,[[15,["places"]],[159,[8,46]]],{"index":"at","max_dist":500,"unit":"km"}],[69,[[2,[1]],[170,[[170,[[10,[1]],"doc"]],"id"]]]]]])",
     R"(["Bern"])"},
};
constexpr Example kPolygonSubExamples[] = {
    {"r.polygon([0, 0], [0, 4], [4, 4], [4, 0]).polygon_sub(r.polygon([1, 1], [1, 2], [2, 2], [2, 1])).includes(r.point(1.5, 1.5))",
     "[164,[[171,[[161,[[2,[0,0]],[2,[0,4]],[2,[4,4]],[2,[4,0]]]],[161,[[2,[1,1]],[2,[1,2]],[2,[2,2]],[2,[2,1]]]]]],[159,[1.5,1.5]]]]",
     "false"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kGeojson, .name = "geojson", .arity = exactly(1), .eval = geojson,
     .signature = "r.geojson(object) → geometry",
     .doc = "The geometry of a GeoJSON object.",
     .examples = kGeojsonExamples},
    {.type = TermType::kToGeojson, .name = "to_geojson", .arity = exactly(1), .eval = to_geojson,
     .signature = "geometry.to_geojson() → object",
     .doc = "The GeoJSON object of a geometry.",
     .examples = kToGeojsonExamples},
    {.type = TermType::kPoint, .name = "point", .arity = exactly(2), .eval = point,
     .signature = "r.point(longitude, latitude) → point",
     .doc = "A point: longitude and latitude in degrees.",
     .examples = kPointExamples},
    {.type = TermType::kLine, .name = "line", .arity = at_least(2), .flags = kConstantInQuery, .eval = line,
     .signature = "r.line(point, point, …) → line",
     .doc = "A line through points.",
     .examples = kLineExamples},
    {.type = TermType::kPolygon, .name = "polygon", .arity = at_least(3), .flags = kConstantInQuery, .eval = polygon,
     .signature = "r.polygon(point, point, point, …) → polygon",
     .doc = "A polygon by its corners.",
     .examples = kPolygonExamples},
    {.type = TermType::kDistance, .name = "distance", .arity = exactly(2), .flags = kConstantInQuery, .eval = distance,
     .optargs = kDistanceOptargs,
     .signature = "geometry.distance(geometry) → number",
     .doc = "The distance between a point and another geometry.",
     .examples = kDistanceExamples},
    {.type = TermType::kIntersects, .name = "intersects", .arity = exactly(2), .flags = kConstantInQuery, .eval = intersects,
     .signature = "geometry.intersects(geometry) → bool\nsequence.intersects(geometry) → sequence",
     .doc = "Whether two geometries intersect; of a sequence, those that do.",
     .examples = kIntersectsExamples},
    {.type = TermType::kIncludes, .name = "includes", .arity = exactly(2), .flags = kConstantInQuery, .eval = includes,
     .signature = "polygon.includes(geometry) → bool\nsequence.includes(geometry) → sequence",
     .doc = "Whether a geometry lies completely within a polygon; of a sequence of polygons, those that include it.",
     .examples = kIncludesExamples},
    {.type = TermType::kCircle, .name = "circle", .arity = exactly(2), .flags = kConstantInQuery, .eval = circle,
     .optargs = kCircleOptargs,
     .signature = "r.circle(point, radius) → polygon or line",
     .doc = "A polygon or line that approximates a circle.",
     .examples = kCircleExamples},
    {.type = TermType::kGetIntersecting, .name = "get_intersecting", .arity = exactly(2), .flags = kReadsTable,
     .eval = get_intersecting, .optargs = kIntersectingOptargs,
     .signature = "table.get_intersecting(geometry, index=name) → selection",
     .doc = "The rows that a geospatial index has in a geometry.",
     .examples = kGetIntersectingExamples},
    {.type = TermType::kFill, .name = "fill", .arity = exactly(1), .flags = kConstantInQuery, .eval = fill,
     .signature = "line.fill() → polygon",
     .doc = "The polygon within a line.",
     .examples = kFillExamples},
    {.type = TermType::kGetNearest, .name = "get_nearest", .arity = exactly(2), .flags = kReadsTable, .eval = get_nearest,
     .optargs = kNearestOptargs,
     .signature = "table.get_nearest(point, index=name) → array",
     .doc = "The rows nearest to a point by a geospatial index, with their distances.",
     .examples = kGetNearestExamples},
    {.type = TermType::kPolygonSub, .name = "polygon_sub", .arity = exactly(2), .flags = kConstantInQuery, .eval = polygon_sub,
     .signature = "polygon.polygon_sub(polygon) → polygon",
     .doc = "A polygon with a hole in the form of another.",
     .examples = kPolygonSubExamples},
};

}  // namespace

std::span<const TermDef> geo_terms() {
  // The registry asks once, before the first query.
  set_geometry_check(geo::check_geometry);
  return kTerms;
}

}  // namespace reqld::reql
