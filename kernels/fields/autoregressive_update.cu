#include "kernels/common/cuda_tile.h"
#include "kernels/fields/autoregressive_update_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = tile_threads;

// Block z: the item whose points are the tile's rows.
template <int N, typename T>
__global__ void __launch_bounds__(threads)
    update(ThreadTile tile, Global<const T> last, Global<const T> y, Global<const T> scale,
           Global<const T> shift, Global<const T> truth, Global<const T> border, Global<T> next) {
  after_earlier_work();
  const int64_t vector = tile.vector();
  if (vector >= tile.vectors) return;
  T factor[N], mean[N];
#pragma unroll
  for (int j = 0; j < N; ++j) {
    factor[j] = scale[vector * N + j];
    mean[j] = shift[vector * N + j];
  }
  for (int64_t i = 0, point = tile.first_row(); i < rows_each && point < tile.rows;
       ++i, point += tile.steps()) {
    const T b = truth.size ? border[point] : T(0);
    const int64_t at = ((int64_t{blockIdx.z} * tile.rows + point) * tile.vectors + vector) * N;
    Pack<T, N> value = {};
    if (b != 1) {
      const auto from = load_vector<N>(last, at), change = load_vector<N>(y, at);
#pragma unroll
      for (int j = 0; j < N; ++j) value[j] = from[j] + (change[j] * factor[j] + mean[j]);
    }
    if (b != 0) {
      const auto given = load_vector<N>(truth, at);
#pragma unroll
      for (int j = 0; j < N; ++j) value[j] = b == 1 ? given[j] : b * given[j] + (1 - b) * value[j];
    }
    store_vector<N>(next, at, value);
  }
}

// Results of size 0 are not wanted.
template <int N, typename T>
__global__ void __launch_bounds__(threads)
    backward(ThreadTile tile, Global<const T> dnext, Global<const T> scale, Global<const T> border,
             Global<T> dlast, Global<T> dy, Global<T> dtruth) {
  after_earlier_work();
  const int64_t vector = tile.vector();
  if (vector >= tile.vectors) return;
  for (int64_t i = 0, point = tile.first_row(); i < rows_each && point < tile.rows;
       ++i, point += tile.steps()) {
    const T b = border.size ? border[point] : T(0), rest = 1 - b;
    const int64_t at = ((int64_t{blockIdx.z} * tile.rows + point) * tile.vectors + vector) * N;
    const auto g = load_vector<N>(dnext, at);
    Pack<T, N> value;
    if (dlast.size) {
#pragma unroll
      for (int j = 0; j < N; ++j) value[j] = rest * g[j];
      store_vector<N>(dlast, at, value);
    }
    if (dy.size) {
#pragma unroll
      for (int j = 0; j < N; ++j) value[j] = rest * g[j] * scale[vector * N + j];
      store_vector<N>(dy, at, value);
    }
    if (dtruth.size) {
#pragma unroll
      for (int j = 0; j < N; ++j) value[j] = b * g[j];
      store_vector<N>(dtruth, at, value);
    }
  }
}

}  // namespace

template <typename T>
void ScaledUpdate<T>::run(Cuda device) const {
  const int64_t features = scale.size, points = truth.data ? border.size : next.size / features;
  with_tile<T>(
      points, features,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, update<n.value, T>,
               tile.elementwise_grid(next.size / (points * features)), threads, 0, tile, last, y,
               scale, shift, truth, border, next);
      },
      last, y, truth, next);
}

template <typename T>
void ScaledUpdateBackward<T>::run(Cuda device) const {
  const int64_t features = scale.size, points = border.size ? border.size : dnext.size / features;
  with_tile<T>(
      points, features,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, backward<n.value, T>,
               tile.elementwise_grid(dnext.size / (points * features)), threads, 0, tile, dnext,
               scale, border, dlast, dy, dtruth);
      },
      dnext, dlast, dy, dtruth);
}

template struct ScaledUpdate<float>;
template struct ScaledUpdate<double>;
template struct ScaledUpdateBackward<float>;
template struct ScaledUpdateBackward<double>;

}  // namespace py4cast
