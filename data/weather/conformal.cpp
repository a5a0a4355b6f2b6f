#include "data/weather/conformal.h"

#include <cmath>

namespace py4cast {

ConformalMap::ConformalMap(const Ellipsoid& earth, double longitude)
    : major_(earth.major),
      eccentricity_(std::sqrt(1 - (earth.minor / earth.major) * (earth.minor / earth.major))),
      longitude_(longitude) {}

double ConformalMap::m(double latitude) const {
  const double sine = std::sin(latitude * radians_per_degree);
  return std::cos(latitude * radians_per_degree) /
         std::sqrt(1 - eccentricity_ * eccentricity_ * sine * sine);
}

double ConformalMap::t(double latitude) const {
  const double sine = eccentricity_ * std::sin(latitude * radians_per_degree);
  return std::tan((45 - latitude / 2) * radians_per_degree) /
         std::pow((1 - sine) / (1 + sine), eccentricity_ / 2);
}

// The equation for the latitude contracts by the square of the eccentricity in each turn.
double ConformalMap::latitude_of(double t_value) const {
  double latitude = 90 - 2 * std::atan(t_value) / radians_per_degree;
  for (int turn = 0; turn < 12; ++turn) {
    const double sine = eccentricity_ * std::sin(latitude * radians_per_degree);
    latitude = 90 - 2 * std::atan(t_value * std::pow((1 - sine) / (1 + sine), eccentricity_ / 2)) /
                        radians_per_degree;
  }
  return latitude;
}

ConformalMap ConformalMap::lambert(const Ellipsoid& earth, double parallel_1, double parallel_2,
                                   double origin, double longitude) {
  ConformalMap result(earth, longitude);
  const double m1 = result.m(parallel_1), t1 = result.t(parallel_1);
  result.n_ = std::abs(parallel_1 - parallel_2) < 1e-9
                  ? std::sin(parallel_1 * radians_per_degree)
                  : std::log(m1 / result.m(parallel_2)) / std::log(t1 / result.t(parallel_2));
  result.factor_ = result.major_ * m1 / (result.n_ * std::pow(t1, result.n_));
  result.rho_of_origin_ = result.factor_ * std::pow(result.t(origin), result.n_);
  return result;
}

ConformalMap ConformalMap::polar_stereographic(const Ellipsoid& earth, bool south, double parallel,
                                               double longitude) {
  ConformalMap result(earth, longitude);
  result.n_ = south ? -1 : 1;
  // At a pole m / t has a limit, which is taken a little beside it.
  const double limit = 90 - 1e-6, beside = std::fmin(std::fmax(parallel, -limit), limit);
  result.factor_ =
      result.major_ * result.m(beside) / (result.n_ * std::pow(result.t(beside), result.n_));
  return result;
}

ConformalMap ConformalMap::mercator(const Ellipsoid& earth, double parallel, double longitude) {
  ConformalMap result(earth, longitude);
  result.factor_ = result.major_ * result.m(parallel);
  return result;
}

MapPoint ConformalMap::map(const EarthPoint& point) const {
  const double lambda = std::remainder(point.longitude - longitude_, 360) * radians_per_degree;
  const double t_value = t(point.latitude);
  if (n_ == 0) return {factor_ * lambda, -factor_ * std::log(t_value)};
  const double rho = factor_ * std::pow(t_value, n_);
  return {rho * std::sin(n_ * lambda), rho_of_origin_ - rho * std::cos(n_ * lambda)};
}

EarthPoint ConformalMap::earth(const MapPoint& point) const {
  if (n_ == 0)
    return {latitude_of(std::exp(-point.y / factor_)),
            longitude_ + point.x / factor_ / radians_per_degree};
  const double sign = n_ < 0 ? -1 : 1, height = rho_of_origin_ - point.y;
  const double rho = sign * std::hypot(point.x, height);
  const double angle = std::atan2(sign * point.x, sign * height);
  return {latitude_of(std::pow(rho / factor_, 1 / n_)),
          longitude_ + angle / n_ / radians_per_degree};
}

}  // namespace py4cast
