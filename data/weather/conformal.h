// Conformal maps of the Earth: cones (Lambert, and the polar stereographic map as their limit) and the
// cylinder (Mercator). Degrees and metres.
// Source: J. P. Snyder, Map Projections - A Working Manual (USGS Professional Paper 1395), 1987,
// equations 7-7 and 7-9, 14-15, 15-1 to 15-11, 21-33 to 21-40.
#pragma once

#include <numbers>

namespace py4cast {

constexpr double radians_per_degree = std::numbers::pi / 180;

struct Ellipsoid {
  double major = 6371229, minor = 6371229;  // semi-axes
};

struct MapPoint {
  double x = 0, y = 0;
};
struct EarthPoint {
  double latitude = 0, longitude = 0;  // longitude within 180 degrees of the map's middle
};

// With e the eccentricity, t(phi) = tan(pi/4 - phi/2) / ((1 - e sin phi) / (1 + e sin phi))^(e/2) and
// m(phi) = cos phi / sqrt(1 - e^2 sin^2 phi):
//   cone:     rho(phi) = a F t^n;  x = rho sin(n dlambda),  y = rho(origin) - rho cos(n dlambda)
//   cylinder: x = a m(true) dlambda,  y = -a m(true) ln t
class ConformalMap {
 public:
  // True to scale on two parallels (which may be the same); y is 0 at the latitude `origin`.
  static ConformalMap lambert(const Ellipsoid& earth, double parallel_1, double parallel_2,
                              double origin, double longitude);
  // y is 0 at the pole of the hemisphere; true to scale on a parallel.
  static ConformalMap polar_stereographic(const Ellipsoid& earth, bool south, double parallel,
                                          double longitude);
  // y is 0 at the equator.
  static ConformalMap mercator(const Ellipsoid& earth, double parallel, double longitude);

  MapPoint map(const EarthPoint& point) const;
  EarthPoint earth(const MapPoint& point) const;

 private:
  ConformalMap(const Ellipsoid& earth, double longitude);
  double m(double latitude) const;
  double t(double latitude) const;
  double latitude_of(double t_value) const;

  double major_, eccentricity_, longitude_;
  double n_ = 0;              // of the cone; 0: a cylinder
  double factor_ = 1;         // a F, or a m(true)
  double rho_of_origin_ = 0;  // of the cone
};

}  // namespace py4cast
