#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// A tensor seen as [outer, middle, inner]; sums over the middle.
//   y[o, i] = sum_m x[o, m, i]
// partial [outer, chunk_count(device, middle), inner] receives the sums of the chunks. To: T or
// Compute<T>.
template <CpuLevel level, typename T, typename To>
void sum_middle_kernel(Cpu<level>, View<const T> x, int64_t outer, int64_t middle, int64_t inner,
                       View<double> partial, View<To> y);
template <typename T, typename To>
void sum_middle_kernel(Cuda, View<const T> x, int64_t outer, int64_t middle, int64_t inner,
                       View<double> partial, View<To> y);

// y[o, m, i] = x[o, i]
template <CpuLevel level, typename T>
void repeat_middle_kernel(Cpu<level>, View<const T> x, int64_t outer, int64_t middle, int64_t inner,
                          View<T> y);
template <typename T>
void repeat_middle_kernel(Cuda, View<const T> x, int64_t outer, int64_t middle, int64_t inner,
                          View<T> y);

}  // namespace py4cast
