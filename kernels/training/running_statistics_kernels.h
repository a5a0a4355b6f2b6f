#pragma once

#include "kernels/common/view.h"

namespace py4cast {

// norm [3] as gradient_norm gives it, or of size 0; count [1].
template <CpuLevel level, typename T>
void running_statistics_kernel(Cpu<level>, View<const T> batch_mean, View<const T> batch_variance,
                               T momentum, View<const double> norm, View<T> mean, View<T> variance,
                               View<int64_t> count);
template <typename T>
void running_statistics_kernel(Cuda device, View<const T> batch_mean, View<const T> batch_variance,
                               T momentum, View<const double> norm, View<T> mean, View<T> variance,
                               View<int64_t> count);

}  // namespace py4cast
