#include "kernels/common/simd.h"
#include "kernels/ops/reduce_kernels.h"

namespace py4cast {

template <typename T, typename To>
void SumMiddle<T, To>::run(Level) const {
  const int64_t chunks = chunk_count(middle);
#pragma omp parallel for collapse(2) schedule(static) if (x.size > 16384)
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
#pragma omp parallel for schedule(static) if (partial.size > 16384)
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      double total = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk)
        total += partial[(o * chunks + chunk) * inner + i];
      y[o * inner + i] = narrow<To>(static_cast<Compute<To>>(total));
    }
}

template <typename T>
void RepeatMiddle<T>::run(Level) const {
#pragma omp parallel for collapse(2) schedule(static) if (y.size > 16384)
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t m = 0; m < middle; ++m) {
      const T* from = x.data + o * inner;
      T* to = y.data + (o * middle + m) * inner;
#pragma omp simd
      for (int64_t i = 0; i < inner; ++i) to[i] = from[i];
    }
}

template struct SumMiddle<float, float>;
template struct SumMiddle<double, double>;
template struct SumMiddle<bfloat16, bfloat16>;
template struct SumMiddle<bfloat16, float>;
PY4CAST_KERNEL(RepeatMiddle)

}  // namespace py4cast
