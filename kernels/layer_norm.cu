#include "kernels/cuda_tile.h"
#include "kernels/layer_norm_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = 256, rows_per_block = threads / 32;

// One warp for each row: lane l has the channels l, l + 32, ...
template <typename T>
__global__ void __launch_bounds__(threads)
    forward(Global<const T> x, Global<const Compute<T>> gamma, Global<const Compute<T>> beta,
            Compute<T> epsilon, Global<T> y, Global<Compute<T>> mean,
            Global<Compute<T>> inverse_deviation) {
  using C = Compute<T>;
  const int64_t row = int64_t{blockIdx.x} * rows_per_block + threadIdx.x / 32;
  if (row >= mean.size) return;  // a whole warp
  const int64_t channels = gamma.size, first = row * channels;
  C sum = 0, squares = 0;
  for (int64_t c = threadIdx.x % 32; c < channels; c += 32) sum += widen<T>(x[first + c]);
  const C m = warp_sum(sum) / static_cast<C>(channels);
  for (int64_t c = threadIdx.x % 32; c < channels; c += 32) {
    const C deviation = widen<T>(x[first + c]) - m;
    squares += deviation * deviation;
  }
  const C inverse = 1 / sqrt(warp_sum(squares) / static_cast<C>(channels) + epsilon);
  for (int64_t c = threadIdx.x % 32; c < channels; c += 32)
    y[first + c] = narrow<T>((widen<T>(x[first + c]) - m) * inverse * gamma[c] + beta[c]);
  if (threadIdx.x % 32 == 0) {
    mean[row] = m;
    inverse_deviation[row] = inverse;
  }
}

template <typename T>
__global__ void __launch_bounds__(threads)
    backward_rows(Global<const T> dy, Global<const T> x, Global<const Compute<T>> gamma,
                  Global<const Compute<T>> mean, Global<const Compute<T>> inverse_deviation,
                  Global<T> dx) {
  using C = Compute<T>;
  const int64_t row = int64_t{blockIdx.x} * rows_per_block + threadIdx.x / 32;
  if (row >= mean.size) return;
  const int64_t channels = gamma.size, first = row * channels;
  const C m = mean[row], inverse = inverse_deviation[row];
  C sum = 0, product = 0;
  for (int64_t c = threadIdx.x % 32; c < channels; c += 32) {
    const C g = widen<T>(dy[first + c]) * gamma[c];
    sum += g;
    product += g * (widen<T>(x[first + c]) - m) * inverse;
  }
  sum = warp_sum(sum) / static_cast<C>(channels);
  product = warp_sum(product) / static_cast<C>(channels);
  for (int64_t c = threadIdx.x % 32; c < channels; c += 32) {
    const C h = (widen<T>(x[first + c]) - m) * inverse;
    dx[first + c] = narrow<T>(inverse * (widen<T>(dy[first + c]) * gamma[c] - sum - h * product));
  }
}

// Block (chunk, tile of 32 channels): 8 threads share the rows of each channel.
template <typename T>
__global__ void __launch_bounds__(threads)
    backward_columns(Global<const T> dy, Global<const T> x, Global<const Compute<T>> mean,
                     Global<const Compute<T>> inverse_deviation, int64_t channels,
                     Global<Compute<T>> partial) {
  using C = Compute<T>;
  PY4CAST_SHARED(C, gammas, threads);
  PY4CAST_SHARED(C, betas, threads);
  const int64_t rows = mean.size, chunks = gridDim.x, chunk = blockIdx.x;
  const int64_t c = int64_t{blockIdx.y} * 32 + threadIdx.x % 32;
  C gamma_sum = 0, beta_sum = 0;
  if (c < channels) {
    const int64_t end = chunk_begin(rows, chunks, chunk + 1);
    for (int64_t r = chunk_begin(rows, chunks, chunk) + threadIdx.x / 32; r < end;
         r += rows_per_block) {
      const C g = widen<T>(dy[r * channels + c]);
      gamma_sum += g * (widen<T>(x[r * channels + c]) - mean[r]) * inverse_deviation[r];
      beta_sum += g;
    }
  }
  gammas[threadIdx.x] = gamma_sum;
  betas[threadIdx.x] = beta_sum;
  __syncthreads();
  if (threadIdx.x >= 32 || c >= channels) return;
  for (int part = 1; part < rows_per_block; ++part) {
    gamma_sum += gammas[part * 32 + threadIdx.x];
    beta_sum += betas[part * 32 + threadIdx.x];
  }
  partial[chunk * channels + c] = gamma_sum;
  partial[(chunks + chunk) * channels + c] = beta_sum;
}

}  // namespace

template <typename T>
void layer_norm_kernel(Cuda device, View<const T> x, View<const Compute<T>> gamma,
                       View<const Compute<T>> beta, Compute<T> epsilon, View<T> y,
                       View<Compute<T>> mean, View<Compute<T>> inverse_deviation) {
  launch(device.stream, forward<T>, blocks_for(mean.size, rows_per_block), threads, 0, x, gamma,
         beta, epsilon, y, mean, inverse_deviation);
}

template <typename T>
void layer_norm_backward_kernel(Cuda device, View<const T> dy, View<const T> x,
                                View<const Compute<T>> gamma, View<const Compute<T>> mean,
                                View<const Compute<T>> inverse_deviation, View<T> dx,
                                View<Compute<T>> dgamma, View<Compute<T>> dbeta,
                                View<Compute<T>> partial) {
  using C = Compute<T>;
  const int64_t channels = gamma.size, chunks = partial.size / (2 * channels);
  launch(device.stream, backward_rows<T>, blocks_for(mean.size, rows_per_block), threads, 0, dy, x,
         gamma, mean, inverse_deviation, dx);
  launch(device.stream, backward_columns<T>,
         dim3(static_cast<unsigned>(chunks), blocks_for(channels, 32)), threads, 0, dy, x, mean,
         inverse_deviation, channels, partial);
  add_chunk_pairs<C>(device, chunks, {partial.data, partial.size}, dgamma, dbeta);
}

#define PY4CAST_INSTANTIATE(T)                                                                   \
  template void layer_norm_kernel(Cuda, View<const T>, View<const Compute<T>>,                   \
                                  View<const Compute<T>>, Compute<T>, View<T>, View<Compute<T>>, \
                                  View<Compute<T>>);                                             \
  template void layer_norm_backward_kernel(                                                      \
      Cuda, View<const T>, View<const T>, View<const Compute<T>>, View<const Compute<T>>,        \
      View<const Compute<T>>, View<T>, View<Compute<T>>, View<Compute<T>>, View<Compute<T>>);
PY4CAST_INSTANTIATE(float)
PY4CAST_INSTANTIATE(double)
PY4CAST_INSTANTIATE(bfloat16)

}  // namespace py4cast
