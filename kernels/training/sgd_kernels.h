#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// factors: lr, momentum, weight_decay, and 1 with nesterov. norm [3]: norm, scale, finite; or of size 0.
template <typename T>
struct SgdStep {
  View<const double> factors, norm;
  View<const T> gradients;
  View<T> values, velocity;
  PY4CAST_RUN
};

}  // namespace py4cast
