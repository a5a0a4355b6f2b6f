#include "kernels/common/simd.h"
#include "kernels/training/gradient_norm_kernels.h"

namespace py4cast {

template <typename T>
void MeasureGradients<T>::run(Level) const {
  const View<const T> all = gradients;  // a local one: GCC unrolls the ends of the sums, too
  const int64_t chunks = partial.size;
#pragma omp parallel for schedule(static) if (all.size > 16384)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t end = chunk_begin(all.size, chunks, chunk + 1);
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = chunk_begin(all.size, chunks, chunk); i < end; ++i) {
      const auto element = static_cast<double>(all.data[i]);
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

template struct MeasureGradients<float>;
template struct MeasureGradients<double>;

}  // namespace py4cast
