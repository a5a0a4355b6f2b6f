#include "kernels/common/simd.h"
#include "kernels/ops/reduce_kernels.h"

namespace py4cast {

template <CpuLevel level, typename T, typename To>
void sum_middle_kernel(Cpu<level>, View<const T> x, int64_t outer, int64_t middle, int64_t inner,
                       View<double> partial, View<To> y) {
  const int64_t chunks = chunk_count(middle);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      double* sums = partial.data + (o * chunks + chunk) * inner;
      for (int64_t i = 0; i < inner; ++i) sums[i] = 0;
      const int64_t end = chunk_begin(middle, chunks, chunk + 1);
      for (int64_t m = chunk_begin(middle, chunks, chunk); m < end; ++m) {
        const T* row = x.data + (o * middle + m) * inner;
#pragma omp simd
        for (int64_t i = 0; i < inner; ++i) sums[i] += static_cast<double>(widen(row[i]));
      }
    }
#pragma omp parallel for schedule(static)
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      double total = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk)
        total += partial[(o * chunks + chunk) * inner + i];
      y[o * inner + i] = narrow<To>(static_cast<Compute<To>>(total));
    }
}

template <CpuLevel level, typename T>
void repeat_middle_kernel(Cpu<level>, View<const T> x, int64_t outer, int64_t middle, int64_t inner,
                          View<T> y) {
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t m = 0; m < middle; ++m) {
      const T* from = x.data + o * inner;
      T* to = y.data + (o * middle + m) * inner;
#pragma omp simd
      for (int64_t i = 0; i < inner; ++i) to[i] = from[i];
    }
}

#define PY4CAST_INSTANTIATE(T)                                                                   \
  template void sum_middle_kernel(Level, View<const T>, int64_t, int64_t, int64_t, View<double>, \
                                  View<T>);                                                      \
  template void repeat_middle_kernel(Level, View<const T>, int64_t, int64_t, int64_t, View<T>);
PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)
PY4CAST_INSTANTIATE(bfloat16)
template void sum_middle_kernel(Level, View<const bfloat16>, int64_t, int64_t, int64_t,
                                View<double>, View<float>);

}  // namespace py4cast
