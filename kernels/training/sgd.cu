#include "kernels/common/elementwise.h"
#include "kernels/training/optimizer_math.h"

namespace py4cast {
namespace {

// N elements at a time.
template <int N, typename T>
__global__ void __launch_bounds__(map_threads)
    sgd_step(Global<const double> factors, Global<const double> norm, Global<const T> gradients,
             Global<T> velocity, Global<T> values) {
  after_earlier_work();
  if (norm.size && norm[2] == 0) return;
  const SgdFactors<T> k({factors[0], factors[1], factors[2], factors[3]});
  const T scale = norm.size ? static_cast<T>(norm[1]) : T(1);
  for (int64_t i = global_index() * N; i < values.size; i += grid_stride() * N) {
    const auto g = load_vector<N>(gradients, i);
    auto value = load_vector<N>(values, i), v = load_vector<N>(velocity, i);
#pragma unroll
    for (int j = 0; j < N; ++j) sgd_weight(k, scale, g[j], value[j], v[j]);
    store_vector<N>(values, i, value);
    store_vector<N>(velocity, i, v);
  }
}

}  // namespace

template <typename T>
void SgdStep<T>::run(Cuda device) const {
  constexpr int N = pack_size<T>;
  const Global<const double> numbers(factors), measured(norm);  // not read in packs
  launch_by_channels<N>(device, sgd_step<N, T>, sgd_step<1, T>, values.size, values, numbers,
                        measured, gradients, velocity);
}

template struct SgdStep<float>;
template struct SgdStep<double>;

}  // namespace py4cast
