#include "kernels/common/cuda.h"
#include "kernels/training/gradient_norm_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = 256;

// One block for each chunk, in vectors of N; the last chunk also has what no vector holds.
template <int N, typename T>
__global__ void __launch_bounds__(threads)
    square_chunks(Global<const T> gradients, Global<double> partial) {
  after_earlier_work();
  const int64_t vectors = gradients.size / N, end = chunk_begin(vectors, gridDim.x, blockIdx.x + 1);
  double sum = 0;
  for (int64_t i = chunk_begin(vectors, gridDim.x, blockIdx.x) + threadIdx.x; i < end;
       i += threads) {
    const auto g = load_vector<N>(gradients, i * N);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const auto element = static_cast<double>(g[j]);
      sum += element * element;
    }
  }
  if (blockIdx.x + 1 == gridDim.x && vectors * N + threadIdx.x < gradients.size) {
    const auto element = static_cast<double>(gradients[vectors * N + threadIdx.x]);
    sum += element * element;
  }
  sum = block_sum<threads>(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// One block.
template <typename T>
__global__ void __launch_bounds__(threads)
    judge(Global<const double> partial, Global<const T> losses, double max_norm,
          Global<double> result) {
  after_earlier_work();
  double sum = 0;
  int bad = 0;
  for (int64_t i = threadIdx.x; i < partial.size; i += threads) sum += partial[i];
  for (int64_t i = threadIdx.x; i < losses.size; i += threads) {
    const T loss = losses[i];
    bad += loss - loss == 0 ? 0 : 1;
  }
  sum = block_sum<threads>(sum);
  bad = block_sum<threads>(bad);
  if (threadIdx.x != 0) return;
  const double norm = sqrt(sum), scale = max_norm / (norm + 1e-6);
  result[0] = norm;
  result[1] = max_norm > 0 && scale < 1 ? scale : 1.0;
  result[2] = bad == 0 && sum - sum == 0 && result[2] == 1 ? 1 : 0;
}

}  // namespace

template <typename T>
void MeasureGradients<T>::run(Cuda device) const {
  constexpr int N = pack_size<T>;
  launch(device.stream, aligned_for<N>(gradients) ? square_chunks<N, T> : square_chunks<1, T>,
         static_cast<unsigned>(partial.size), threads, 0, gradients, partial);
  launch(device.stream, judge<T>, 1, threads, 0, partial, losses, max_norm, result);
}

template struct MeasureGradients<float>;
template struct MeasureGradients<double>;

}  // namespace py4cast
