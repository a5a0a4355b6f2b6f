#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// partial [batch, chunk_count(device, points), features, 4]
template <CpuLevel level, typename T>
void error_sums_kernel(Cpu<level>, View<const T> prediction, View<const T> target,
                       View<const T> mask, int64_t batch, int64_t features, View<double> partial,
                       View<double> result);
template <typename T>
void error_sums_kernel(Cuda device, View<const T> prediction, View<const T> target,
                       View<const T> mask, int64_t batch, int64_t features, View<double> partial,
                       View<double> result);

}  // namespace py4cast
