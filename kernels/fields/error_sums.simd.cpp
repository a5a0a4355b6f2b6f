#include "kernels/common/simd.h"
#include "kernels/fields/error_sums_kernels.h"

namespace py4cast {

template <typename T>
void ErrorSums<T>::run(Level) const {
  const int64_t points = mask.size, chunks = chunk_count(points);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      double* const sums = partial.data + (b * chunks + chunk) * features * 4;
      for (int64_t i = 0; i < features * 4; ++i) sums[i] = 0;
      const int64_t end = chunk_begin(points, chunks, chunk + 1);
      for (int64_t p = chunk_begin(points, chunks, chunk); p < end; ++p) {
        if (mask[p] == 0) continue;
        const int64_t row = (b * points + p) * features;
        for (int64_t f = 0; f < features; ++f) {
          if (target[row + f] != target[row + f]) continue;
          const double error =
              static_cast<double>(prediction[row + f]) - static_cast<double>(target[row + f]);
          sums[4 * f] += error * error;
          sums[4 * f + 1] += error < 0 ? -error : error;
          sums[4 * f + 2] += error;
          sums[4 * f + 3] += 1;
        }
      }
    }
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t i = 0; i < features * 4; ++i) {
      double total = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk)
        total += partial[(b * chunks + chunk) * features * 4 + i];
      result[b * features * 4 + i] = total;
    }
}

template struct ErrorSums<float>;
template struct ErrorSums<double>;

}  // namespace py4cast
