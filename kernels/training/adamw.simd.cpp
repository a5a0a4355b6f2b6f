#include "kernels/common/simd.h"
#include "kernels/training/optimizer_math.h"

namespace py4cast {

template <typename T>
void AdamWStep<T>::run(Level) const {
  if (norm.size && norm[2] == 0) return;
  double numbers[9];
  for (int64_t i = 0; i < 9; ++i) numbers[i] = factors[i];
  const AdamWFactors<T> k(numbers);
  const T scale = norm.size ? static_cast<T>(norm[1]) : T(1);
  const T* const g = gradients.data;
  T *const value = values.data, *const m = first.data, *const v = second.data;
#pragma omp parallel for schedule(static) if (values.size > 16384)
  for (int64_t begin = 0; begin < values.size; begin += piece_size)
#pragma omp simd
    for (int64_t i = begin; i < smaller(begin + piece_size, values.size); ++i) {
      T weight = value[i], mean = m[i], square = v[i];
      adamw_weight(k, scale, g[i], weight, mean, square);
      value[i] = weight;
      m[i] = mean;
      v[i] = square;
    }
}

template struct AdamWStep<float>;
template struct AdamWStep<double>;

}  // namespace py4cast
