#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// The elements of `factors`, in order.
template <typename T>
struct SgdFactors {
  T lr, momentum, decay;
  T ahead;  // 1 with nesterov

  constexpr explicit SgdFactors(const double (&k)[4])
      : lr(static_cast<T>(k[0])),
        momentum(static_cast<T>(k[1])),
        decay(static_cast<T>(k[2])),
        ahead(static_cast<T>(k[3])) {}
};

// norm [3]: norm, scale, finite; or of size 0.
template <typename T>
struct SgdStep {
  View<const double> factors, norm;
  View<const T> gradients;
  View<T> values, velocity;
  PY4CAST_RUN
};

}  // namespace py4cast
