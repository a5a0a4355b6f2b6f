#pragma once

#include "kernels/common/view.h"
#include "kernels/ops/activation_kind.h"

namespace py4cast {

// y[i] = f(x[i]); y may be x.
template <typename T>
struct Activate {
  Activation kind;
  View<const T> x;
  View<T> y;
  PY4CAST_RUN
};

// dx[i] = dy[i] f'(saved[i]), saved: see slope() in activation_math.h; dx may be dy.
template <typename T>
struct ActivateBackward {
  Activation kind;
  View<const T> saved, dy;
  View<T> dx;
  PY4CAST_RUN
};

}  // namespace py4cast
