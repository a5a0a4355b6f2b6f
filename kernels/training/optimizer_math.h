// For *.simd.cpp and .cu files: what a step makes of one weight (kernels/training/adamw.h, sgd.h). `scale`:
// of the gradient.
#pragma once

#include "kernels/common/both_devices.h"
#include "kernels/training/adamw_kernels.h"
#include "kernels/training/sgd_kernels.h"

namespace py4cast {
namespace {

template <typename T>
PY4CAST_INLINE void adamw_weight(const AdamWFactors<T>& k, T scale, T g, T& value, T& first,
                                 T& second) {
  const T gradient = scale * g + k.penalty * value;
  first = k.keep_first * first + k.add_first * gradient;
  second = k.keep_second * second + k.add_second * (gradient * gradient);
  const T denominator = square_root(second) * k.inverse_root + k.epsilon;
  value = k.decay * value - k.rate * (first / denominator);
}

template <typename T>
PY4CAST_INLINE void sgd_weight(const SgdFactors<T>& k, T scale, T g, T& value, T& velocity) {
  const T gradient = scale * g + k.decay * value;
  velocity = k.momentum * velocity + gradient;
  value -= k.lr * (k.ahead != 0 ? gradient + k.momentum * velocity : velocity);
}

}  // namespace
}  // namespace py4cast
