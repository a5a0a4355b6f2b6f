#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// partial [batch, chunk_count(device, points), features, 4]
template <typename T>
struct ErrorSums {
  View<const T> prediction, target, mask;
  int64_t batch, features;
  View<double> partial, result;
  PY4CAST_RUN
};

}  // namespace py4cast
