// The slope of a noisy series, and how far it can be trusted.
#pragma once

#include <span>

namespace py4cast {

struct Slope {
  double value = 0;  // of y per x
  double upper = 0;  // 95 % of the slopes of samples are at most this
};

// The median of the slopes of all pairs of points with different x (Theil 1950, Sen 1968): a few
// outliers do not move it. 0 without such a pair. Neighbours in time resemble each other, so samples
// are drawn with replacement in blocks of sqrt(n) successive points (Künsch 1989); the 200 of them are
// the same at every call.
Slope theil_sen(std::span<const double> x, std::span<const double> y);

}  // namespace py4cast
