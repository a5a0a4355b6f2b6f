#include "bench/theil_sen.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <vector>

#include "bench/report.h"
#include "engine/random.h"

namespace py4cast {
namespace {

// Of the points with these numbers; `slopes` is memory to work in.
double median_slope(std::span<const double> x, std::span<const double> y,
                    const std::vector<size_t>& points, std::vector<double>& slopes) {
  slopes.clear();
  for (size_t i = 0; i < points.size(); ++i)
    for (size_t k = 0; k < i; ++k) {
      const double distance = x[points[i]] - x[points[k]];
      if (distance != 0) slopes.push_back((y[points[i]] - y[points[k]]) / distance);
    }
  return slopes.empty() ? 0 : median(slopes);
}

}  // namespace

Slope theil_sen(std::span<const double> x, std::span<const double> y) {
  assert(x.size() == y.size());
  constexpr size_t samples = 200;
  const size_t count = x.size();
  const auto block = static_cast<size_t>(std::sqrt(count));
  std::vector<size_t> points(count);
  std::vector<double> slopes, medians;
  std::iota(points.begin(), points.end(), 0);
  const double value = median_slope(x, y, points, slopes);
  for (size_t sample = 0; sample < samples; ++sample) {
    const RandomKey key = RandomKey{0}.child(sample);
    for (size_t i = 0; i < count; ++i)
      points[i] = static_cast<size_t>(key.below(count - block + 1, i / block)) + i % block;
    medians.push_back(median_slope(x, y, points, slopes));
  }
  std::ranges::sort(medians);
  return {value, medians[static_cast<size_t>(std::ceil(0.95 * samples)) - 1]};
}

}  // namespace py4cast
