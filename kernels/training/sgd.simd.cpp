#include "kernels/common/simd.h"
#include "kernels/training/sgd_kernels.h"

namespace py4cast {

template <typename T>
void SgdStep<T>::run(Level) const {
  if (norm.size && norm[2] == 0) return;
  const T lr = static_cast<T>(factors[0]), momentum = static_cast<T>(factors[1]),
          decay = static_cast<T>(factors[2]), ahead = static_cast<T>(factors[3]);
  const T scale = norm.size ? static_cast<T>(norm[1]) : T(1);
  const T* const g = gradients.data;
  T *const value = values.data, *const v = velocity.data;
#pragma omp parallel for simd schedule(static, 4096) if (values.size > 16384)
  for (int64_t i = 0; i < values.size; ++i) {
    const T gradient = scale * g[i] + decay * value[i];
    v[i] = momentum * v[i] + gradient;
    value[i] -= lr * (ahead != 0 ? gradient + momentum * v[i] : v[i]);
  }
}

template struct SgdStep<float>;
template struct SgdStep<double>;

}  // namespace py4cast
