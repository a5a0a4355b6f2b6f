#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// A tensor seen as [outer, middle, inner]; sums over the middle.
//   y[o, i] = sum_m x[o, m, i]
// partial [outer, chunk_count(device, middle), inner] receives the sums of the chunks. To: T or
// Compute<T>.
template <typename T, typename To>
struct SumMiddle {
  View<const T> x;
  int64_t outer, middle, inner;
  View<double> partial;
  View<To> y;
  PY4CAST_RUN
};

// y[o, m, i] = x[o, i]
template <typename T>
struct RepeatMiddle {
  View<const T> x;
  int64_t outer, middle, inner;
  View<T> y;
  PY4CAST_RUN
};

}  // namespace py4cast
