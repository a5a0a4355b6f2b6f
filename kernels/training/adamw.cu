#include "kernels/common/elementwise.h"
#include "kernels/training/optimizer_math.h"

namespace py4cast {
namespace {

// N elements at a time.
template <int N, typename T>
__global__ void __launch_bounds__(map_threads)
    step(Global<const double> factors, Global<const double> norm, Global<const T> gradients,
         Global<T> first, Global<T> second, Global<T> values) {
  after_earlier_work();
  if (norm.size && norm[2] == 0) return;
  double numbers[9];
  for (int i = 0; i < 9; ++i) numbers[i] = factors[i];
  const AdamWFactors<T> k(numbers);
  const T scale = norm.size ? static_cast<T>(norm[1]) : T(1);
  for (int64_t i = global_index() * N; i < values.size; i += grid_stride() * N) {
    const auto g = load_vector<N>(gradients, i);
    auto value = load_vector<N>(values, i), m = load_vector<N>(first, i),
         v = load_vector<N>(second, i);
#pragma unroll
    for (int j = 0; j < N; ++j) adamw_weight(k, scale, g[j], value[j], m[j], v[j]);
    store_vector<N>(values, i, value);
    store_vector<N>(first, i, m);
    store_vector<N>(second, i, v);
  }
}

}  // namespace

template <typename T>
void AdamWStep<T>::run(Cuda device) const {
  constexpr int N = pack_size<T>;
  const Global<const double> numbers(factors), measured(norm);  // not read in packs
  launch_by_channels<N>(device, step<N, T>, step<1, T>, values.size, values, numbers, measured,
                        gradients, first, second);
}

template struct AdamWStep<float>;
template struct AdamWStep<double>;

}  // namespace py4cast
