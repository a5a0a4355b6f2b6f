#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// partial [chunk_count(device, gradients.size)]; result [3]: norm, scale, finite, which stays
// 0 once it is. max_norm 0: the scale is 1.
template <CpuLevel level, typename T>
void gradient_norm_kernel(Cpu<level>, View<const T> gradients, View<const T> losses,
                          double max_norm, View<double> partial, View<double> result);
template <typename T>
void gradient_norm_kernel(Cuda device, View<const T> gradients, View<const T> losses,
                          double max_norm, View<double> partial, View<double> result);

}  // namespace py4cast
