#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// norm [3] as gradient_norm gives it, or of size 0; count [1].
template <typename T>
struct UpdateStatistics {
  View<const T> batch_mean, batch_variance;
  T momentum;
  View<const double> norm;
  View<T> mean, variance;
  View<int64_t> count;
  PY4CAST_RUN
};

}  // namespace py4cast
