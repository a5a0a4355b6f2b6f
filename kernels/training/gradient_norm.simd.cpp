#include "kernels/common/simd.h"
#include "kernels/training/gradient_norm_kernels.h"

namespace py4cast {

template <CpuLevel level, typename T>
void gradient_norm_kernel(Cpu<level>, View<const T> gradients, View<const T> losses,
                          double max_norm, View<double> partial, View<double> result) {
  const int64_t chunks = partial.size;
#pragma omp parallel for schedule(static) if (gradients.size > 16384)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t end = chunk_begin(gradients.size, chunks, chunk + 1);
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = chunk_begin(gradients.size, chunks, chunk); i < end; ++i) {
      const auto element = static_cast<double>(gradients.data[i]);
      sum += element * element;
    }
    partial[chunk] = sum;
  }
  double total = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) total += partial[chunk];
  bool finite = result[2] == 1 && total - total == 0;
  for (int64_t i = 0; i < losses.size; ++i) finite = finite && losses[i] - losses[i] == 0;
  const double norm = square_root(total);
  result[0] = norm;
  result[1] = max_norm > 0 ? smaller(1.0, max_norm / (norm + 1e-6)) : 1.0;
  result[2] = finite ? 1 : 0;
}

#define PY4CAST_INSTANTIATE(T)                                                                  \
  template void gradient_norm_kernel(Level, View<const T>, View<const T>, double, View<double>, \
                                     View<double>);
PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)

}  // namespace py4cast
