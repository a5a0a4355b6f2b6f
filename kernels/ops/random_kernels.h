#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// y[i] = low + (high - low) RandomKey{seed, stream}.child(counter[0]).uniform(i) (engine/random.h);
// without a counter that of 0.
template <typename T>
struct Uniform {
  uint64_t seed, stream;
  View<const int64_t> counter;
  double low, high;
  View<T> y;
  PY4CAST_RUN
};

}  // namespace py4cast
