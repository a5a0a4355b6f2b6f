#pragma once

#include "kernels/view.h"

namespace py4cast {

template <typename T>
struct AdamWFactors {
  T gradient_scale, decay;  // decay = 1 - lr weight_decay
  T keep_first, add_first, keep_second, add_second;
  T rate, inverse_root, epsilon;  // lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t)
};

template <CpuLevel level, typename T>
void adamw_kernel(Cpu<level>, AdamWFactors<T> factors, View<const T> gradients, View<T> values,
                  View<T> first, View<T> second);
template <typename T>
void adamw_kernel(Cuda, AdamWFactors<T> factors, View<const T> gradients, View<T> values,
                  View<T> first, View<T> second);

}  // namespace py4cast
