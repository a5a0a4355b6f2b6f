// The one layer of fluid at other heights than its own.
#pragma once

#include <algorithm>
#include <cmath>

#include "data/simulation/simulated_weather.h"

namespace py4cast {

// height: above the ground [m].
struct FreeAir {
  static float temperature(const SimulatedWeather::Point& point, float height) {
    return point.t2m - 6.5e-3f * std::min(height, 11000.0f);
  }
  // What it has more of the wind near the ground.
  static float wind_factor(float height) { return 1 + 1.5f * (1 - std::exp(-height / 1500)); }
  static float humidity(const SimulatedWeather::Point& point, float height) {
    return point.q * std::exp(-height / 2500);
  }
  // Of gusts and the wind of ten minutes.
  static float gust_factor(float land) { return 1.6f * (1 + 0.2f * land); }
  // Of the sunshine, what stays in the ground.
  static float absorbed(float land) { return 0.94f - 0.15f * land; }
};

}  // namespace py4cast
