#include "kernels/adamw_kernels.h"
#include "kernels/simd.h"

namespace py4cast {

template <CpuLevel level, typename T>
void adamw_kernel(Cpu<level>, AdamWFactors<T> k, View<const T> gradients, View<T> values,
                  View<T> first, View<T> second) {
  const T* const g = gradients.data;
  T *const value = values.data, *const m = first.data, *const v = second.data;
#pragma omp parallel for simd schedule(static) if (values.size > 16384)
  for (int64_t i = 0; i < values.size; ++i) {
    const T gradient = k.gradient_scale * g[i];
    const T mean = k.keep_first * m[i] + k.add_first * gradient;
    const T square = k.keep_second * v[i] + k.add_second * (gradient * gradient);
    const T denominator = square_root(square) * k.inverse_root + k.epsilon;
    m[i] = mean;
    v[i] = square;
    value[i] = k.decay * value[i] - k.rate * (mean / denominator);
  }
}

template void adamw_kernel(Level, AdamWFactors<float>, View<const float>, View<float>, View<float>,
                           View<float>);
template void adamw_kernel(Level, AdamWFactors<double>, View<const double>, View<double>,
                           View<double>, View<double>);

}  // namespace py4cast
