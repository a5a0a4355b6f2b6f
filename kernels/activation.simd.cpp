#include "kernels/activation_kernels.h"
#include "kernels/activation_math.h"
#include "kernels/simd.h"

namespace py4cast {

template <CpuLevel level, typename T>
void activation_kernel(Cpu<level>, Activation kind, View<const T> x, View<T> y) {
  with_activation(kind, [=]<Activation f>() {
#pragma omp parallel for simd schedule(static) if (y.size > 16384)
    for (int64_t i = 0; i < y.size; ++i) y.data[i] = activated<f>(x.data[i]);
  });
}

template <CpuLevel level, typename T>
void activation_backward_kernel(Cpu<level>, Activation kind, View<const T> saved, View<const T> dy,
                                View<T> dx) {
  with_activation(kind, [=]<Activation f>() {
#pragma omp parallel for simd schedule(static) if (dx.size > 16384)
    for (int64_t i = 0; i < dx.size; ++i) dx.data[i] = dy.data[i] * slope<f>(saved.data[i]);
  });
}

#define PY4CAST_INSTANTIATE(T)                                                              \
  template void activation_kernel(Level, Activation, View<const T>, View<T>);               \
  template void activation_backward_kernel(Level, Activation, View<const T>, View<const T>, \
                                           View<T>);
PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)

}  // namespace py4cast
