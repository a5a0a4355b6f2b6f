#include "kernels/gradient_norm_kernels.h"
#include "kernels/simd.h"

namespace py4cast {

template <CpuLevel level, typename T>
void sum_of_squares_kernel(Cpu<level>, View<const T> x, View<double> partial, double& result) {
  const int64_t chunks = partial.size;
#pragma omp parallel for schedule(static) if (x.size > 16384)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t end = chunk_begin(x.size, chunks, chunk + 1);
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = chunk_begin(x.size, chunks, chunk); i < end; ++i) {
      const auto element = static_cast<double>(x.data[i]);
      sum += element * element;
    }
    partial[chunk] = sum;
  }
  double total = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) total += partial[chunk];
  result = total;
}

template void sum_of_squares_kernel(Level, View<const float>, View<double>, double&);
template void sum_of_squares_kernel(Level, View<const double>, View<double>, double&);

}  // namespace py4cast
