#include "kernels/common/simd.h"
#include "kernels/training/running_statistics_kernels.h"

namespace py4cast {

template <typename T>
void UpdateStatistics<T>::run(Level) const {
  if (norm.size && norm[2] == 0) return;
  const T step = momentum, keep = 1 - step;
  const T *const m = batch_mean.data, *const v = batch_variance.data;
  T *const running_m = mean.data, *const running_v = variance.data;
#pragma omp simd
  for (int64_t i = 0; i < mean.size; ++i) {
    running_m[i] = keep * running_m[i] + step * m[i];
    running_v[i] = keep * running_v[i] + step * v[i];
  }
  ++count[0];
}

template struct UpdateStatistics<float>;
template struct UpdateStatistics<double>;

}  // namespace py4cast
