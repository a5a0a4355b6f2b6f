#include "kernels/common/simd.h"
#include "kernels/common/vector_math.h"
#include "kernels/ops/softmax_kernels.h"

namespace py4cast {

template <typename T>
void SoftmaxForward<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t rows = y.size / columns;
#pragma omp parallel for schedule(static) if (y.size > 16384)
  for (int64_t r = 0; r < rows; ++r) {
    const T* in = x.data + r * columns;
    T* out = y.data + r * columns;
    C largest = widen(in[0]), sum = 0;
#pragma omp simd reduction(max : largest)
    for (int64_t c = 0; c < columns; ++c) largest = larger(largest, widen(in[c]));
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < columns; ++c) sum += exponential(widen(in[c]) - largest);
    const C inverse = 1 / sum;
#pragma omp simd
    for (int64_t c = 0; c < columns; ++c)
      out[c] = narrow<T>(exponential(widen(in[c]) - largest) * inverse);
  }
}

template <typename T>
void SoftmaxBackward<T>::run(Level) const {
  using C = Compute<T>;
  const int64_t rows = y.size / columns;
#pragma omp parallel for schedule(static) if (y.size > 16384)
  for (int64_t r = 0; r < rows; ++r) {
    const T* weight = y.data + r * columns;
    const T* g = dy.data + r * columns;
    T* out = dx.data + r * columns;
    C product = 0, sum = 0;
#pragma omp simd reduction(+ : product, sum)
    for (int64_t c = 0; c < columns; ++c) {
      product += widen(weight[c]) * widen(g[c]);
      sum += widen(weight[c]);
    }
    const C mean = product / sum;
#pragma omp simd
    for (int64_t c = 0; c < columns; ++c)
      out[c] = narrow<T>(widen(weight[c]) * (widen(g[c]) - mean));
  }
}

PY4CAST_KERNEL(SoftmaxForward)
PY4CAST_KERNEL(SoftmaxBackward)

}  // namespace py4cast
