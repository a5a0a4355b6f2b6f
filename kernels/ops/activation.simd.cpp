#include "kernels/common/simd.h"
#include "kernels/ops/activation_kernels.h"
#include "kernels/ops/activation_math.h"

namespace py4cast {

namespace {

// Plain pointers: the compiler does not vectorise through the members of a closure.
template <Activation kind, typename T>
void forward(const T* x, T* y, int64_t size) {
#pragma omp parallel for schedule(static) if (size > 16384)
  for (int64_t begin = 0; begin < size; begin += piece_size)
#pragma omp simd
    for (int64_t i = begin; i < smaller(begin + piece_size, size); ++i)
      y[i] = narrow<T>(activated<kind>(widen(x[i])));
}

template <Activation kind, typename T>
void backward(const T* saved, const T* dy, T* dx, int64_t size) {
#pragma omp parallel for schedule(static) if (size > 16384)
  for (int64_t begin = 0; begin < size; begin += piece_size)
#pragma omp simd
    for (int64_t i = begin; i < smaller(begin + piece_size, size); ++i)
      dx[i] = narrow<T>(widen(dy[i]) * slope<kind>(widen(saved[i])));
}

}  // namespace

template <typename T>
void Activate<T>::run(Level) const {
  with_activation(kind, [&]<Activation f>() { forward<f>(x.data, y.data, y.size); });
}

template <typename T>
void ActivateBackward<T>::run(Level) const {
  with_activation(kind,
                  [&]<Activation f>() { backward<f>(saved.data, dy.data, dx.data, dx.size); });
}

PY4CAST_KERNEL(Activate)
PY4CAST_KERNEL(ActivateBackward)

}  // namespace py4cast
