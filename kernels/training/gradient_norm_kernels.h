#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// partial [chunk_count(device, gradients.size)]; result [3]: norm, scale, finite, which stays
// 0 once it is. max_norm 0: the scale is 1.
template <typename T>
struct MeasureGradients {
  View<const T> gradients, losses;
  double max_norm;
  View<double> partial, result;
  PY4CAST_RUN
};

}  // namespace py4cast
