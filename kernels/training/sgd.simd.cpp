#include "kernels/common/simd.h"
#include "kernels/training/optimizer_math.h"

namespace py4cast {

template <typename T>
void SgdStep<T>::run(Level) const {
  if (norm.size && norm[2] == 0) return;
  const SgdFactors<T> k({factors[0], factors[1], factors[2], factors[3]});
  const T scale = norm.size ? static_cast<T>(norm[1]) : T(1);
  const T* const g = gradients.data;
  T *const value = values.data, *const v = velocity.data;
#pragma omp parallel for schedule(static) if (values.size > 16384)
  for (int64_t begin = 0; begin < values.size; begin += piece_size)
#pragma omp simd
    for (int64_t i = begin; i < smaller(begin + piece_size, values.size); ++i) {
      T weight = value[i], speed = v[i];
      sgd_weight(k, scale, g[i], weight, speed);
      value[i] = weight;
      v[i] = speed;
    }
}

template struct SgdStep<float>;
template struct SgdStep<double>;

}  // namespace py4cast
