#include "data/weather/resize.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace py4cast {
namespace {

// Of a point beyond the ends, the one that it is the mirror image of.
int64_t mirrored(int64_t i, int64_t n) {
  if (n == 1) return 0;
  const int64_t period = 2 * (n - 1), place = ((i % period) + period) % period;
  return std::min(place, period - place);
}

// What each new point takes from the old ones along an axis.
struct Taps {
  std::vector<int64_t> point;
  std::vector<double> weight;
};

std::vector<double> gaussian(double deviation) {
  const auto radius = static_cast<int64_t>(4 * deviation + 0.5);
  std::vector<double> weights;
  double sum = 0;
  for (int64_t k = -radius; k <= radius; ++k) {
    const auto distance = static_cast<double>(k);
    weights.push_back(deviation > 0 ? std::exp(-distance * distance / (2 * deviation * deviation))
                                    : 1);
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

std::vector<Taps> taps_of(int64_t from, int64_t to) {
  const double factor = static_cast<double>(from) / static_cast<double>(to);
  const std::vector<double> filter = gaussian(std::max(0.0, (factor - 1) / 2));
  const auto radius = static_cast<int64_t>(filter.size() / 2);
  std::vector<Taps> all;
  for (int64_t j = 0; j < to; ++j) {
    const double place = (static_cast<double>(j) + 0.5) * factor - 0.5, below = std::floor(place);
    Taps taps;
    for (const auto& [first, share] :
         {std::pair(below, 1 - (place - below)), std::pair(below + 1, place - below)}) {
      if (share == 0) continue;
      // The filtered row is mirrored, too; its point is the filter around the mirror image.
      const int64_t middle = mirrored(static_cast<int64_t>(first), from);
      for (int64_t k = -radius; k <= radius; ++k) {
        taps.point.push_back(mirrored(middle + k, from));
        taps.weight.push_back(share * filter[static_cast<size_t>(k + radius)]);
      }
    }
    all.push_back(std::move(taps));
  }
  return all;
}

}  // namespace

std::vector<float> resize(const std::vector<float>& values, int64_t rows, int64_t columns,
                          int64_t to_rows, int64_t to_columns) {
  const std::vector<Taps> down = taps_of(rows, to_rows), across = taps_of(columns, to_columns);
  std::vector<float> result;
  std::vector<double> line(static_cast<size_t>(columns));
  for (const Taps& row : down) {
    std::ranges::fill(line, 0);
    for (size_t k = 0; k < row.point.size(); ++k) {
      const float* source = values.data() + row.point[k] * columns;
      for (size_t column = 0; column < line.size(); ++column)
        line[column] += row.weight[k] * static_cast<double>(source[column]);
    }
    for (const Taps& column : across) {
      double sum = 0;
      for (size_t k = 0; k < column.point.size(); ++k)
        sum += column.weight[k] * line[static_cast<size_t>(column.point[k])];
      result.push_back(static_cast<float>(sum));
    }
  }
  return result;
}

}  // namespace py4cast
