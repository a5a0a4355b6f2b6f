#include "kernels/common/simd.h"
#include "kernels/training/running_statistics_kernels.h"

namespace py4cast {

template <CpuLevel level, typename T>
void running_statistics_kernel(Cpu<level>, View<const T> batch_mean, View<const T> batch_variance,
                               T momentum, View<const double> norm, View<T> mean, View<T> variance,
                               View<int64_t> count) {
  if (norm.size && norm[2] == 0) return;
  const T *const m = batch_mean.data, *const v = batch_variance.data;
  T *const running_m = mean.data, *const running_v = variance.data;
#pragma omp simd
  for (int64_t i = 0; i < mean.size; ++i) {
    running_m[i] = (1 - momentum) * running_m[i] + momentum * m[i];
    running_v[i] = (1 - momentum) * running_v[i] + momentum * v[i];
  }
  ++count[0];
}

template void running_statistics_kernel(Level, View<const float>, View<const float>, float,
                                        View<const double>, View<float>, View<float>,
                                        View<int64_t>);
template void running_statistics_kernel(Level, View<const double>, View<const double>, double,
                                        View<const double>, View<double>, View<double>,
                                        View<int64_t>);

}  // namespace py4cast
