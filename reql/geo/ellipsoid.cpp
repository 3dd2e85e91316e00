#include "reql/geo/ellipsoid.hpp"

#include <GeographicLib/Geodesic.hpp>
#include <GeographicLib/Math.hpp>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "reql/error.hpp"
#include "reql/geo/text.hpp"

namespace reqld::reql::geo {

namespace {

struct Unit {
  std::string_view name;
  double metres;
};
constexpr Unit kUnits[] = {{"m", 1.0}, {"km", 1000.0}, {"mi", 1609.344}, {"nm", 1852.0}, {"ft", 0.3048}};

}  // namespace

double Ellipsoid::largest_circle() const { return std::numbers::pi / 2 * std::min(equator_radius, pole_radius()); }

double Ellipsoid::largest_angle(double metres) const {
  // The smallest radius of curvature there is: along the meridian at the equator, or at the poles of a prolate one.
  const double a = equator_radius;
  const double b = pole_radius();
  return metres / std::min({a, b, b * b / a, a * a / b});
}

double metres_per_unit(std::string_view unit) {
  for (const Unit& u : kUnits) {
    if (u.name == unit) return u.metres;
  }
  throw_logic("Unrecognized distance unit `" + std::string(unit) + "`.");
}

double geodesic_distance(const Position& a, const Position& b, const Ellipsoid& ellipsoid) {
  // The difference of longitudes is rounded as GeographicLib once did it, so that short distances come out as recorded.
  using GeographicLib::Math;
  const double longitude = Math::AngRound(Math::AngDiff(a.longitude, b.longitude));
  double metres = 0;
  GeographicLib::Geodesic(ellipsoid.equator_radius, ellipsoid.flattening).Inverse(a.latitude, 0.0, b.latitude, longitude, metres);
  return metres;
}

Position geodesic_destination(const Position& from, double azimuth, double metres, const Ellipsoid& ellipsoid) {
  Position to{};
  GeographicLib::Geodesic(ellipsoid.equator_radius, ellipsoid.flattening)
      .Direct(from.latitude, from.longitude, azimuth, metres, to.latitude, to.longitude);
  return to;
}

void check_radius(double metres, const Ellipsoid& ellipsoid) {
  const double limit = ellipsoid.largest_circle();
  if (metres < limit) return;
  throw_logic("Radius must be smaller than a quarter of the circumference along the minor axis of the reference ellipsoid.  Got " +
              digits(metres) + "m, but must be smaller than " + digits(limit) + "m.");
}

}  // namespace reqld::reql::geo
