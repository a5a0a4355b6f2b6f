#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// x, y [rows, columns]
template <typename T>
struct SoftmaxForward {
  int64_t columns;
  View<const T> x;
  View<T> y;
  PY4CAST_RUN
};

// dx = y (dy - sum(y dy) / sum(y)), sums along the row; y, dy, dx [rows, columns]
template <typename T>
struct SoftmaxBackward {
  int64_t columns;
  View<const T> y, dy;
  View<T> dx;
  PY4CAST_RUN
};

}  // namespace py4cast
