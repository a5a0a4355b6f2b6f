#include "data/weather/hidden_fills.h"

#include <algorithm>
#include <cmath>

namespace py4cast {
namespace {

bool is_close(double value, double fill) {
  return std::abs(value - fill) <= 1e-6 * std::abs(fill);
}

}  // namespace

bool is_usual_fill(double value) {
  constexpr double fills[] = {999,   999.9, 9999, 9999.9, 99999, 999999,    32767,
                              32768, 1e15,  1e20, 1e30,   1e34,  9.96921e36};
  return std::ranges::any_of(fills, [&](double fill) { return is_close(std::abs(value), fill); });
}

void FillSearch::add(std::span<const float> values) {
  found_ = false;
  for (const float value : values) {
    if (is_close(value, fill_)) {
      found_ = true;
    } else if (!std::isnan(value)) {
      ++others_;
      low_ = std::fmin(low_, value);
      high_ = std::fmax(high_, value);
    }
  }
  seen_ |= found_;
}

bool FillSearch::apart() const {
  const double distance = std::min(std::abs(fill_ - low_), std::abs(fill_ - high_));
  return seen_ && others_ > 0 && distance > 0.05 * (double{high_} - low_);
}

}  // namespace py4cast
