#include "kernels/common/cuda_tile.h"
#include "kernels/ops/layer_norm_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = tile_threads;

template <int N, typename T>
__global__ void __launch_bounds__(threads)
    forward(ThreadTile tile, Global<const T> x, Global<const Compute<T>> gamma,
            Global<const Compute<T>> beta, Compute<T> inside, Compute<T> outside, Global<T> y,
            Global<Compute<T>> mean, Global<Compute<T>> inverse_deviation) {
  after_earlier_work();
  using C = Compute<T>;
  const TileRow at(tile);
  const C channels = static_cast<C>(gamma.size);
  C sum = 0, squares = 0;
#pragma unroll 1
  for (int64_t v = at.first; v < tile.vectors; v += tile.lanes()) {
    const auto in = load_vector<N>(x, (at.row * tile.vectors + v) * N);
#pragma unroll
    for (int j = 0; j < N; ++j) sum += widen<T>(in[j]);
  }
  const C m = row_sum(tile, sum) / channels;
#pragma unroll 1
  for (int64_t v = at.first; v < tile.vectors; v += tile.lanes()) {
    const auto in = load_vector<N>(x, (at.row * tile.vectors + v) * N);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const C deviation = widen<T>(in[j]) - m;
      squares += deviation * deviation;
    }
  }
  const C inverse = 1 / (sqrt(row_sum(tile, squares) / channels + inside) + outside);
#pragma unroll 1
  for (int64_t v = at.first; v < tile.vectors; v += tile.lanes()) {
    auto value = load_vector<N>(x, (at.row * tile.vectors + v) * N);
    const auto scale = load_vector<N>(gamma, v * N), shift = load_vector<N>(beta, v * N);
#pragma unroll
    for (int j = 0; j < N; ++j)
      value[j] = narrow<T>((widen<T>(value[j]) - m) * inverse * scale[j] + shift[j]);
    store_vector<N>(y, (at.row * tile.vectors + v) * N, value);
  }
  if (at.first == 0) {
    mean[at.row] = m;
    inverse_deviation[at.row] = inverse;
  }
}

template <int N, typename T>
__global__ void __launch_bounds__(threads)
    backward_rows(ThreadTile tile, Global<const T> dy, Global<const T> x,
                  Global<const Compute<T>> gamma, Global<const Compute<T>> mean,
                  Global<const Compute<T>> inverse_deviation, Compute<T> outside, Global<T> dx) {
  after_earlier_work();
  using C = Compute<T>;
  const TileRow at(tile);
  const C channels = static_cast<C>(gamma.size);
  const C m = at.used ? mean[at.row] : C(0), inverse = at.used ? inverse_deviation[at.row] : C(1);
  C sum = 0, product = 0;
#pragma unroll 1
  for (int64_t v = at.first; v < tile.vectors; v += tile.lanes()) {
    const int64_t place = (at.row * tile.vectors + v) * N;
    const auto g = load_vector<N>(dy, place), in = load_vector<N>(x, place);
    const auto scale = load_vector<N>(gamma, v * N);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const C scaled = widen<T>(g[j]) * scale[j];
      sum += scaled;
      product += scaled * (widen<T>(in[j]) - m) * inverse;
    }
  }
  sum = row_sum(tile, sum) / channels;
  product = row_sum(tile, product);
  const C root = 1 / inverse - outside;
  product = root > 0 ? product / (root * channels) : C(0);
#pragma unroll 1
  for (int64_t v = at.first; v < tile.vectors; v += tile.lanes()) {
    const int64_t place = (at.row * tile.vectors + v) * N;
    auto g = load_vector<N>(dy, place);
    const auto in = load_vector<N>(x, place);
    const auto scale = load_vector<N>(gamma, v * N);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const C centered = widen<T>(in[j]) - m;
      g[j] = narrow<T>(inverse * (widen<T>(g[j]) * scale[j] - sum - centered * product));
    }
    store_vector<N>(dx, place, g);
  }
}

// Block (chunk of rows, channels).
template <int N, typename T>
__global__ void __launch_bounds__(threads)
    backward_columns(ThreadTile tile, Global<const T> dy, Global<const T> x,
                     Global<const Compute<T>> mean, Global<const Compute<T>> inverse_deviation,
                     Global<Compute<T>> partial) {
  after_earlier_work();
  using C = Compute<T>;
  const int64_t chunks = gridDim.x, chunk = blockIdx.x, vector = tile.vector();
  C sums[2 * N] = {};  // of dy h, of dy
  if (vector < tile.vectors) {
    const int64_t end = chunk_begin(tile.rows, chunks, chunk + 1);
    for (int64_t row = chunk_begin(tile.rows, chunks, chunk) + tile.row(); row < end;
         row += tile.steps()) {
      const auto g = load_vector<N>(dy, (row * tile.vectors + vector) * N);
      const auto in = load_vector<N>(x, (row * tile.vectors + vector) * N);
      const C m = mean[row], inverse = inverse_deviation[row];
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const C slope = widen<T>(g[j]);
        sums[j] += slope * (widen<T>(in[j]) - m) * inverse;
        sums[N + j] += slope;
      }
    }
  }
  combine_rows(tile, sums, AddRows{});
  if (tile.row() != 0 || vector >= tile.vectors) return;
  const int64_t channels = tile.vectors * N;
  for (int j = 0; j < N; ++j) {
    partial[chunk * channels + vector * N + j] = sums[j];
    partial[(chunks + chunk) * channels + vector * N + j] = sums[N + j];
  }
}

}  // namespace

template <typename T>
void LayerNormForward<T>::run(Cuda device) const {
  with_tile<T>(
      mean.size, gamma.size,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, forward<n.value, T>, tile.row_blocks(), threads, 0, tile, x, gamma,
               beta, inside, outside, y, mean, inverse_deviation);
      },
      x, gamma, beta, y);
}

template <typename T>
void LayerNormBackward<T>::run(Cuda device) const {
  using C = Compute<T>;
  const int64_t channels = gamma.size, chunks = partial.size / (2 * channels);
  with_tile<T>(
      mean.size, channels,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, backward_rows<n.value, T>, tile.row_blocks(), threads, 0, tile, dy, x,
               gamma, mean, inverse_deviation, outside, dx);
      },
      dy, x, gamma, dx);
  with_tile<T>(
      mean.size, channels,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, backward_columns<n.value, T>, tile.grid(chunks), threads, 0, tile, dy,
               x, mean, inverse_deviation, partial);
      },
      dy, x);
  add_chunk_pairs<C>(device, chunks, {partial.data, partial.size}, dgamma, dbeta);
}

PY4CAST_KERNEL(LayerNormForward)
PY4CAST_KERNEL(LayerNormBackward)

}  // namespace py4cast
