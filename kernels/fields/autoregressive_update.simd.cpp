#include "kernels/common/simd.h"
#include "kernels/fields/autoregressive_update_kernels.h"

namespace py4cast {

template <typename T>
void ScaledUpdate<T>::run(Level) const {
  const int64_t features = scale.size, rows = next.size / features;
#pragma omp parallel for schedule(static) if (next.size > 16384)
  for (int64_t r = 0; r < rows; ++r) {
    const T b = truth.data ? border[r % border.size] : T(0);
    const T *from = last.data + r * features, *change = y.data + r * features;
    T* to = next.data + r * features;
    if (b == 0) {
#pragma omp simd
      for (int64_t f = 0; f < features; ++f) to[f] = from[f] + (change[f] * scale[f] + shift[f]);
      continue;
    }
    const T* given = truth.data + r * features;
    if (b == 1) {
#pragma omp simd
      for (int64_t f = 0; f < features; ++f) to[f] = given[f];
      continue;
    }
#pragma omp simd
    for (int64_t f = 0; f < features; ++f)
      to[f] = b * given[f] + (1 - b) * (from[f] + (change[f] * scale[f] + shift[f]));
  }
}

template <typename T>
void ScaledUpdateBackward<T>::run(Level) const {
  const int64_t features = scale.size, rows = dnext.size / features;
#pragma omp parallel for schedule(static) if (dnext.size > 16384)
  for (int64_t r = 0; r < rows; ++r) {
    const T b = border.size ? border[r % border.size] : T(0), rest = 1 - b;
    const T* g = dnext.data + r * features;
    if (dlast.data) {
      T* out = dlast.data + r * features;
#pragma omp simd
      for (int64_t f = 0; f < features; ++f) out[f] = rest * g[f];
    }
    if (dy.data) {
      T* out = dy.data + r * features;
#pragma omp simd
      for (int64_t f = 0; f < features; ++f) out[f] = rest * g[f] * scale[f];
    }
    if (dtruth.data) {
      T* out = dtruth.data + r * features;
#pragma omp simd
      for (int64_t f = 0; f < features; ++f) out[f] = b * g[f];
    }
  }
}

template struct ScaledUpdate<float>;
template struct ScaledUpdate<double>;
template struct ScaledUpdateBackward<float>;
template struct ScaledUpdateBackward<double>;

}  // namespace py4cast
