#include "kernels/common/simd.h"
#include "kernels/ops/activation_kernels.h"
#include "kernels/ops/activation_math.h"

namespace py4cast {

namespace {

// Plain pointers: the compiler does not vectorise through the members of a closure.
template <Activation kind, typename T>
void forward(const T* x, T* y, int64_t size) {
#pragma omp parallel for simd schedule(static) if (size > 16384)
  for (int64_t i = 0; i < size; ++i) y[i] = narrow<T>(activated<kind>(widen(x[i])));
}

template <Activation kind, typename T>
void backward(const T* saved, const T* dy, T* dx, int64_t size) {
#pragma omp parallel for simd schedule(static) if (size > 16384)
  for (int64_t i = 0; i < size; ++i) dx[i] = narrow<T>(widen(dy[i]) * slope<kind>(widen(saved[i])));
}

}  // namespace

template <CpuLevel level, typename T>
void activation_kernel(Cpu<level>, Activation kind, View<const T> x, View<T> y) {
  with_activation(kind, [=]<Activation f>() { forward<f>(x.data, y.data, y.size); });
}

template <CpuLevel level, typename T>
void activation_backward_kernel(Cpu<level>, Activation kind, View<const T> saved, View<const T> dy,
                                View<T> dx) {
  with_activation(kind,
                  [=]<Activation f>() { backward<f>(saved.data, dy.data, dx.data, dx.size); });
}

#define PY4CAST_INSTANTIATE(T)                                                              \
  template void activation_kernel(Level, Activation, View<const T>, View<T>);               \
  template void activation_backward_kernel(Level, Activation, View<const T>, View<const T>, \
                                           View<T>);
PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)
PY4CAST_INSTANTIATE(bfloat16)

}  // namespace py4cast
