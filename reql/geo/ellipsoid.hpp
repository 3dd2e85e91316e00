// Distances on the reference ellipsoid, and their units.
#pragma once

#include <string_view>

namespace reqld::reql::geo {

/// A position in degrees.
struct Position {
  double longitude;
  double latitude;
  bool operator==(const Position&) const = default;
};

/// An ellipsoid of revolution; lengths in metres.
struct Ellipsoid {
  double equator_radius;
  double flattening;

  double pole_radius() const { return equator_radius * (1.0 - flattening); }
  /// Circles have to be smaller: a quarter of the circumference along the minor axis.
  double largest_circle() const;
  /// Positions `metres` apart are at most this angle (radians) apart on the sphere that has the same latitudes.
  double largest_angle(double metres) const;
};

inline constexpr Ellipsoid kWgs84{6378137.0, 1.0 / 298.257223563};
inline constexpr Ellipsoid kUnitSphere{1.0, 0.0};

/// Metres in a unit: "m", "km", "mi", "nm", "ft". Throws "Unrecognized distance unit `x`."
double metres_per_unit(std::string_view unit);

/// Length in metres of the shortest way between two positions.
double geodesic_distance(const Position& a, const Position& b, const Ellipsoid& ellipsoid);
/// Where one gets from `from` in direction `azimuth` (degrees clockwise from north) after `metres`.
Position geodesic_destination(const Position& from, double azimuth, double metres, const Ellipsoid& ellipsoid);

/// Throws "Radius must be smaller than a quarter of …" unless circles of this radius (in metres) exist.
void check_radius(double metres, const Ellipsoid& ellipsoid);

}  // namespace reqld::reql::geo
