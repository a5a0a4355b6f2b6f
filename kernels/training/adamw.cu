#include "kernels/common/cuda.h"
#include "kernels/training/adamw_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = 256;

// N elements at a time; sizes that are no multiple of N are left to N = 1.
template <int N, typename T>
__global__ void __launch_bounds__(threads)
    step(Global<const double> factors, Global<const double> norm, Global<const T> gradients,
         Global<T> values, Global<T> first, Global<T> second) {
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
    for (int j = 0; j < N; ++j) {
      const T gradient = scale * g[j] + k.penalty * value[j];
      m[j] = k.keep_first * m[j] + k.add_first * gradient;
      v[j] = k.keep_second * v[j] + k.add_second * (gradient * gradient);
      const T denominator = sqrt(v[j]) * k.inverse_root + k.epsilon;
      value[j] = k.decay * value[j] - k.rate * (m[j] / denominator);
    }
    store_vector<N>(values, i, value);
    store_vector<N>(first, i, m);
    store_vector<N>(second, i, v);
  }
}

}  // namespace

template <typename T>
void AdamWStep<T>::run(Cuda device) const {
  constexpr int N = pack_size<T>;
  const auto run = [&](auto kernel, int64_t each) {
    launch(device.stream, kernel, blocks_for(values.size, threads * each), threads, 0, factors,
           norm, gradients, values, first, second);
  };
  if (values.size % N == 0 && aligned_for<N>(gradients) && aligned_for<N>(values) &&
      aligned_for<N>(first) && aligned_for<N>(second))
    run(step<N, T>, N);
  else
    run(step<1, T>, 1);
}

template struct AdamWStep<float>;
template struct AdamWStep<double>;

}  // namespace py4cast
