#include "kernels/common/cuda.h"
#include "kernels/ops/random_kernels.h"
#include "kernels/ops/random_math.h"

namespace py4cast {
namespace {

constexpr int threads = 256;

template <typename T>
__global__ void __launch_bounds__(threads)
    draw(uint64_t seed, uint64_t stream, Global<const int64_t> counter, double low, double width,
         Global<T> y) {
  after_earlier_work();
  const uint64_t own =
      child_stream(seed, stream, counter.size ? static_cast<uint64_t>(counter[0]) : 0);
  for (int64_t i = global_index(); i < y.size; i += grid_stride())
    y[i] = uniform_number<T>(random_bits(seed, own, static_cast<uint64_t>(i)), low, width);
}

}  // namespace

template <typename T>
void Uniform<T>::run(Cuda device) const {
  launch(device.stream, draw<T>, blocks_for(y.size, threads), threads, 0, seed, stream, counter,
         low, high - low, y);
}

PY4CAST_KERNEL(Uniform)

}  // namespace py4cast
