#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// The elements of `factors`, in order.
template <typename T>
struct AdamWFactors {
  T decay;  // 1 - lr weight_decay
  T keep_first, add_first, keep_second, add_second;
  T rate, inverse_root, epsilon;  // lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t)
  T penalty;                      // of the weight decay through the gradient

  constexpr explicit AdamWFactors(const double (&k)[9])
      : decay(static_cast<T>(k[0])),
        keep_first(static_cast<T>(k[1])),
        add_first(static_cast<T>(k[2])),
        keep_second(static_cast<T>(k[3])),
        add_second(static_cast<T>(k[4])),
        rate(static_cast<T>(k[5])),
        inverse_root(static_cast<T>(k[6])),
        epsilon(static_cast<T>(k[7])),
        penalty(static_cast<T>(k[8])) {}
};

// norm [3]: norm, scale, finite; or of size 0.
template <typename T>
struct AdamWStep {
  View<const double> factors, norm;
  View<const T> gradients;
  View<T> values, first, second;
  PY4CAST_RUN
};

}  // namespace py4cast
