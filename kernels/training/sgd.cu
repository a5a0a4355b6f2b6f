#include "kernels/common/cuda.h"
#include "kernels/training/sgd_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = 256;

// N elements at a time; sizes that are no multiple of N are left to N = 1.
template <int N, typename T>
__global__ void __launch_bounds__(threads)
    sgd_step(Global<const double> factors, Global<const double> norm, Global<const T> gradients,
             Global<T> values, Global<T> velocity) {
  after_earlier_work();
  if (norm.size && norm[2] == 0) return;
  const T lr = static_cast<T>(factors[0]), momentum = static_cast<T>(factors[1]),
          decay = static_cast<T>(factors[2]), ahead = static_cast<T>(factors[3]);
  const T scale = norm.size ? static_cast<T>(norm[1]) : T(1);
  for (int64_t i = global_index() * N; i < values.size; i += grid_stride() * N) {
    const auto g = load_vector<N>(gradients, i);
    auto value = load_vector<N>(values, i), v = load_vector<N>(velocity, i);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const T gradient = scale * g[j] + decay * value[j];
      v[j] = momentum * v[j] + gradient;
      value[j] -= lr * (ahead != 0 ? gradient + momentum * v[j] : v[j]);
    }
    store_vector<N>(values, i, value);
    store_vector<N>(velocity, i, v);
  }
}

}  // namespace

template <typename T>
void SgdStep<T>::run(Cuda device) const {
  constexpr int N = pack_size<T>;
  const auto run = [&](auto kernel, int64_t each) {
    launch(device.stream, kernel, blocks_for(values.size, threads * each), threads, 0, factors,
           norm, gradients, values, velocity);
  };
  if (values.size % N == 0 && aligned_for<N>(gradients) && aligned_for<N>(values) &&
      aligned_for<N>(velocity))
    run(sgd_step<N, T>, N);
  else
    run(sgd_step<1, T>, 1);
}

template struct SgdStep<float>;
template struct SgdStep<double>;

}  // namespace py4cast
