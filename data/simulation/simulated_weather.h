// The simulated weather as it goes on: a layer of fluid with temperature and moisture.
#pragma once

#include <vector>

#include "data/simulation/shallow_water.h"
#include "data/simulation/simulated_climate.h"
#include "data/weather/source.h"

namespace py4cast {

class SimulatedWeather {
 public:
  // interval: of tracers and sources [s], a whole part of an hour. phase: what is added to the seconds
  // since the start in the large scale's waves; simulations with one seed and start + phase continue each
  // other.
  SimulatedWeather(const SimulatedDomain& domain, uint64_t seed, Time start, double interval = 1800,
                   double phase = 0);

  // By one interval.
  void advance();
  // Sums of rain and sunshine begin anew.
  void reset_sums();

  struct Point {
    float u10, v10, t2m, q, z;  // [m s-1], [K], [kg kg-1], [m]
    float skin;                 // temperature of the surface [K]
    float relative_humidity;    // 0 ... 1
    float rain, sunshine;       // since reset_sums: [kg m-2], [J m-2] on a horizontal plane
  };
  // Of a point of the inner grid, counted from the north-west.
  Point point(int64_t row, int64_t column) const;
  size_t index(int64_t row, int64_t column) const;
  const SimulatedClimate& climate() const { return climate_; }
  Time time() const { return time_; }

 private:
  ShallowWaterSettings fluid() const;
  float air_temperature(size_t k) const;
  void sources(float share);

  const SimulatedDomain domain_;
  const double interval_, phase_;
  const SimulatedClimate climate_;
  ShallowWater water_;
  const Plane pull_;
  const Time start_;
  Time time_;
  int parts_, part_ = 0;  // of an hour
  LargeScale last_, next_;
  Plane temperature_, moisture_;  // at sea level [K], [kg kg-1]
  Plane anomaly_;                 // of the surface by day and night [K]
  Plane u_, v_;
  Plane rain_, sunshine_;
  std::vector<Plane> scratch_;
};

}  // namespace py4cast
