#include "kernels/common/cuda.h"
#include "kernels/training/running_statistics_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = 256;

template <typename T>
__global__ void __launch_bounds__(threads)
    update(Global<const T> batch_mean, Global<const T> batch_variance, T momentum,
           Global<const double> norm, Global<T> mean, Global<T> variance, Global<int64_t> count) {
  after_earlier_work();
  if (norm.size && norm[2] == 0) return;
  const int64_t i = global_index();
  if (i < mean.size) {
    mean[i] = (1 - momentum) * mean[i] + momentum * batch_mean[i];
    variance[i] = (1 - momentum) * variance[i] + momentum * batch_variance[i];
  }
  if (i == 0) count[0] = count[0] + 1;
}

}  // namespace

template <typename T>
void UpdateStatistics<T>::run(Cuda device) const {
  launch(device.stream, update<T>, blocks_for(mean.size, threads), threads, 0, batch_mean,
         batch_variance, momentum, norm, mean, variance, count);
}

template struct UpdateStatistics<float>;
template struct UpdateStatistics<double>;

}  // namespace py4cast
