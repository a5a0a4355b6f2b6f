// What the simulated weather is driven by: relief, coasts, the sun, and the large-scale flow.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "data/simulation/shallow_water.h"
#include "data/weather/source.h"
#include "engine/random.h"

namespace py4cast {

// The square: points of the grid with a frame outside, rows from south to north.
struct SimulatedDomain {
  static constexpr int64_t frame = 4;
  static constexpr double length = 2.78e6;  // of the inner square [m]
  static constexpr double middle_latitude = 47, middle_longitude = 5;

  explicit SimulatedDomain(int64_t inner);
  int64_t inner, size;
  double spacing;  // [m]

  // Distance [m] from the south-western corner of the inner square to the centre of cell i.
  double position(double i) const { return (i - static_cast<double>(frame) + 0.5) * spacing; }
  double latitude(int64_t j) const;
  double longitude(int64_t i) const;
  // Distance to the edge of the inner square as a share of its length; 0 in the frame.
  double depth(int64_t j, int64_t i) const;
};

// The large-scale flow and temperature at one time.
struct LargeScale {
  Flow flow;
  Plane temperature;  // at sea level [K]
};

class SimulatedClimate {
 public:
  static constexpr double gravity = 9.81, thickness = 1000;  // [m s-2], [m]

  SimulatedClimate(const SimulatedDomain& domain, uint64_t seed);

  const Plane& orography() const { return orography_; }  // [m]
  const Plane& land() const { return land_; }            // share of land, 0 ... 1
  // What the fluid feels of the orography [m].
  Plane fluid_relief() const;
  double coriolis() const;
  double beta() const;

  // seconds: since the start of the simulation; the season from the time.
  void large_scale(double seconds, Time time, LargeScale& out) const;
  // The sun at one time: cosine of its zenith angle = rows_sin[j] + rows_cos[j] * columns[i].
  struct Sun {
    std::vector<float> rows_sin, rows_cos, columns;
    float operator()(int64_t j, int64_t i) const {
      const size_t row = static_cast<size_t>(j);
      const float cosine = rows_sin[row] + rows_cos[row] * columns[static_cast<size_t>(i)];
      return cosine > 0 ? cosine : 0;
    }
  };
  Sun sun(Time time) const;

 private:
  struct Wave {
    double x, y;       // wave numbers [m-1]
    double frequency;  // [s-1]
    double phase, amplitude;
    double swell, swell_phase;  // slow change of the amplitude [s-1]
    double strength(double seconds) const;
  };
  Plane noise(const RandomKey& key, double shortest, double longest, double slope) const;
  double jet_position(double x, double seconds) const;
  double stream_function(double y, double jet) const;

  const SimulatedDomain domain_;
  Plane orography_, land_;
  std::vector<Wave> meanders_, waves_;
  struct Column {
    std::vector<double> cosine, sine;  // of a wave along x, at the corners of the cells
  };
  std::vector<Column> columns_;
};

}  // namespace py4cast
