#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// factors: lr, momentum, weight_decay, and 1 with nesterov. norm [3]: norm, scale, finite; or of size 0.
template <CpuLevel level, typename T>
void sgd_kernel(Cpu<level>, View<const double> factors, View<const double> norm,
                View<const T> gradients, View<T> values, View<T> velocity);
template <typename T>
void sgd_kernel(Cuda device, View<const double> factors, View<const double> norm,
                View<const T> gradients, View<T> values, View<T> velocity);

}  // namespace py4cast
