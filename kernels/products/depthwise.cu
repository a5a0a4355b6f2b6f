// Convolutions with one channel in and out of each group.
#include "kernels/common/cuda_tile.h"
#include "kernels/products/convolution_cuda.h"
#include "kernels/products/pixel_map_cuda.h"

namespace py4cast {
namespace {

// A thread makes N neighbouring channels of a pixel.
template <int N, typename T>
__global__ void __launch_bounds__(tile_threads)
    depthwise_product(PixelMap map, int64_t channels, Global<const T> x, Global<const Compute<T>> w,
                      Global<const Compute<T>> bias, Global<T> y) {
  after_earlier_work();
  for (int64_t i = global_index(); i * N < y.size; i += grid_stride()) {
    int64_t index = i;
    const int64_t channel = split_off(index, channels / N) * N;
    Compute<T> sum[N] = {};
    for_sources(map, pixel_at(map, index), [&](int64_t slab, int64_t from) {
      const auto value = load_vector<N>(x, from * channels + channel);
      const auto factor = load_vector<N>(w, slab * channels + channel);
#pragma unroll
      for (int n = 0; n < N; ++n) sum[n] += widen(value[n]) * widen(narrow<T>(factor[n]));
    });
    Pack<T, N> result;
#pragma unroll
    for (int n = 0; n < N; ++n)
      result[n] = narrow<T>(bias.size ? sum[n] + bias[channel + n] : sum[n]);
    store_vector<N>(y, i * N, result);
  }
}

// The tile's rows are pixels. Block (chunk of them, channels, element of the kernel).
template <int N, typename T>
__global__ void __launch_bounds__(tile_threads)
    depthwise_weight_gradient(ThreadTile tile, PixelMap map, Global<const T> x, Global<const T> dy,
                              Global<Compute<T>> sums_of) {
  after_earlier_work();
  const int64_t chunks = gridDim.x, chunk = blockIdx.x, vector = tile.vector();
  Compute<T> sums[N] = {};
  if (vector < tile.vectors) {
    const KernelElement element = kernel_element(map, blockIdx.z);
    const int64_t end = chunk_begin(tile.rows, chunks, chunk + 1);
    Pixel pixel{0, {0, 0, map.to[2]}};  // beyond its line: none yet
    for (int64_t p = chunk_begin(tile.rows, chunks, chunk) + tile.row(); p < end;
         p += tile.steps()) {
      if (pixel.at[2] >= map.to[2]) pixel = pixel_at(map, p);
      const int64_t from = source(map, pixel, element);
      pixel.at[2] += tile.steps();
      if (from < 0) continue;
      const auto in = load_vector<N>(x, (from * tile.vectors + vector) * N);
      const auto g = load_vector<N>(dy, (p * tile.vectors + vector) * N);
#pragma unroll
      for (int n = 0; n < N; ++n) sums[n] += widen(in[n]) * widen(g[n]);
    }
  }
  combine_rows(tile, sums, AddRows{});
  if (tile.row() != 0 || vector >= tile.vectors) return;
  const int64_t first = ((chunk * gridDim.z + blockIdx.z) * tile.vectors + vector) * N;
  for (int n = 0; n < N; ++n) sums_of[first + n] = sums[n];
}

}  // namespace

template <typename T>
void GatheredDepthwise<T>::run(Cuda device) const {
  constexpr int N = pack_size<T>;
  const bool packs =
      channels % N == 0 && aligned_for<N>(x) && aligned_for<N>(w) && aligned_for<N>(y);
  launch(device.stream, packs ? depthwise_product<N, T> : depthwise_product<1, T>,
         blocks_for(packs ? y.size / N : y.size, tile_threads), tile_threads, 0, map, channels, x,
         w, bias, y);
}

template <typename T>
void GatheredDepthwiseWeightGradient<T>::run(Cuda device) const {
  with_tile<T>(
      map.pixels(), channels,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, depthwise_weight_gradient<n.value, T>, tile.grid(chunks, map.slabs()),
               tile_threads, 0, tile, map, x, dy, chunks == 1 ? dw : partial);
      },
      x, dy);
  AddWeightChunks<Compute<T>>{chunks, {partial.data, partial.size}, dw}.run(device);
}

PY4CAST_KERNEL(GatheredDepthwise)
PY4CAST_KERNEL(GatheredDepthwiseWeightGradient)

}  // namespace py4cast
