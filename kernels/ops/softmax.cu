#include "kernels/common/cuda_tile.h"
#include "kernels/common/vector_math.h"
#include "kernels/ops/softmax_kernels.h"

namespace py4cast {
namespace {

template <int N, typename T>
__global__ void __launch_bounds__(tile_threads, 4)
    forward(ThreadTile tile, Global<const T> x, Global<T> y) {
  after_earlier_work();
  using C = Compute<T>;
  const TileRow at(tile);
  C largest = -static_cast<C>(INFINITY), sum = 0;
#pragma unroll 1
  for (int64_t v = at.first; v < tile.vectors; v += tile.lanes()) {
    const auto in = load_vector<N>(x, (at.row * tile.vectors + v) * N);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const C value = widen<T>(in[j]);
      largest = largest < value ? value : largest;
    }
  }
  largest = row_maximum(tile, largest);
#pragma unroll 1
  for (int64_t v = at.first; v < tile.vectors; v += tile.lanes()) {
    const auto in = load_vector<N>(x, (at.row * tile.vectors + v) * N);
#pragma unroll
    for (int j = 0; j < N; ++j) sum += exponential(widen<T>(in[j]) - largest);
  }
  const C inverse = 1 / row_sum(tile, sum);
#pragma unroll 1
  for (int64_t v = at.first; v < tile.vectors; v += tile.lanes()) {
    auto value = load_vector<N>(x, (at.row * tile.vectors + v) * N);
#pragma unroll
    for (int j = 0; j < N; ++j)
      value[j] = narrow<T>(exponential(widen<T>(value[j]) - largest) * inverse);
    store_vector<N>(y, (at.row * tile.vectors + v) * N, value);
  }
}

template <int N, typename T>
__global__ void __launch_bounds__(tile_threads, 4)
    backward(ThreadTile tile, Global<const T> y, Global<const T> dy, Global<T> dx) {
  after_earlier_work();
  using C = Compute<T>;
  const TileRow at(tile);
  C product = 0, sum = 0;
#pragma unroll 1
  for (int64_t v = at.first; v < tile.vectors; v += tile.lanes()) {
    const int64_t place = (at.row * tile.vectors + v) * N;
    const auto weight = load_vector<N>(y, place), g = load_vector<N>(dy, place);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      product += widen<T>(weight[j]) * widen<T>(g[j]);
      sum += widen<T>(weight[j]);
    }
  }
  product = row_sum(tile, product);
  const C mean = product / row_sum(tile, sum);
#pragma unroll 1
  for (int64_t v = at.first; v < tile.vectors; v += tile.lanes()) {
    const int64_t place = (at.row * tile.vectors + v) * N;
    const auto weight = load_vector<N>(y, place);
    auto g = load_vector<N>(dy, place);
#pragma unroll
    for (int j = 0; j < N; ++j) g[j] = narrow<T>(widen<T>(weight[j]) * (widen<T>(g[j]) - mean));
    store_vector<N>(dx, place, g);
  }
}

}  // namespace

template <typename T>
void SoftmaxForward<T>::run(Cuda device) const {
  with_tile<T>(
      y.size / columns, columns,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, forward<n.value, T>, tile.row_blocks(), tile_threads, 0, tile, x, y);
      },
      x, y);
}

template <typename T>
void SoftmaxBackward<T>::run(Cuda device) const {
  with_tile<T>(
      y.size / columns, columns,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, backward<n.value, T>, tile.row_blocks(), tile_threads, 0, tile, y, dy,
               dx);
      },
      y, dy, dx);
}

PY4CAST_KERNEL(SoftmaxForward)
PY4CAST_KERNEL(SoftmaxBackward)

}  // namespace py4cast
