#include "kernels/common/cuda_tile.h"
#include "kernels/training/loss_kernels.h"
#include "kernels/training/loss_math.h"

namespace py4cast {
namespace {

constexpr int threads = tile_threads;

// Sums and counts of each chunk of points (block x) of each item (block z).
template <bool squared, int N, typename T>
__global__ void __launch_bounds__(threads, 4)
    chunk_sums(ThreadTile tile, Global<const T> prediction, Global<const T> target,
               Global<const T> mask, Global<double> partial) {
  after_earlier_work();
  const int64_t chunks = gridDim.x, chunk = blockIdx.x, item = blockIdx.z, vector = tile.vector();
  double sums[2 * N] = {};
  if (vector < tile.vectors) {
    const int64_t end = chunk_begin(tile.rows, chunks, chunk + 1);
    for (int64_t point = chunk_begin(tile.rows, chunks, chunk) + tile.row(); point < end;
         point += tile.steps()) {
      const T weight = mask[point];
      if (weight == 0) continue;
      const auto m = static_cast<double>(weight);
      const int64_t at = ((item * tile.rows + point) * tile.vectors + vector) * N;
      const auto p = load_vector<N>(prediction, at), t = load_vector<N>(target, at);
#pragma unroll
      for (int j = 0; j < N; ++j)
        if (t[j] == t[j]) {
          sums[j] += m * error<squared>(static_cast<double>(p[j] - t[j]));
          sums[N + j] += m;
        }
    }
  }
  combine_rows(tile, sums, AddRows{});
  if (tile.row() != 0 || vector >= tile.vectors) return;
  const int64_t features = tile.vectors * N, first = (item * chunks + chunk) * 2 * features;
  for (int j = 0; j < N; ++j) {
    partial[first + vector * N + j] = sums[j];
    partial[first + features + vector * N + j] = sums[N + j];
  }
}

// One block for each item. The tile is of chunks x features; the block takes all features, some at
// a time.
template <typename T>
__global__ void __launch_bounds__(threads)
    add_chunks(ThreadTile tile, Global<const double> partial, Global<const T> weights,
               Global<T> loss, Global<T> factor) {
  after_earlier_work();
  const int64_t chunks = tile.rows, features = tile.vectors, item = blockIdx.x;
  double total = 0;
  for (int64_t first = 0; first < features; first += tile.lanes()) {
    const int64_t f = first + tile.vector();
    double sums[2] = {};
    if (f < features)
      for (int64_t chunk = tile.row(); chunk < chunks; chunk += tile.steps()) {
        sums[0] += partial[(item * chunks + chunk) * 2 * features + f];
        sums[1] += partial[(item * chunks + chunk) * 2 * features + features + f];
      }
    combine_rows(tile, sums, AddRows{});
    if (tile.row() != 0 || f >= features) continue;
    const double scale = sums[1] > 0 ? static_cast<double>(weights[f]) / sums[1] : 0;
    total += scale * sums[0];
    factor[item * features + f] = static_cast<T>(scale);
  }
  total = block_sum<threads>(total);
  if (threadIdx.x == 0) loss[item] = static_cast<T>(total);
}

template <bool squared, int N, typename T>
__global__ void __launch_bounds__(threads)
    backward(ThreadTile tile, Global<const T> dloss, Global<const T> prediction,
             Global<const T> target, Global<const T> mask, Global<const T> factor,
             Global<T> dprediction) {
  after_earlier_work();
  const int64_t item = blockIdx.z, vector = tile.vector();
  if (vector >= tile.vectors) return;
  T weight[N];
#pragma unroll
  for (int j = 0; j < N; ++j)
    weight[j] = dloss[item] * factor[(item * tile.vectors + vector) * N + j];
  for (int64_t i = 0, point = tile.first_row(); i < rows_each && point < tile.rows;
       ++i, point += tile.steps()) {
    const int64_t at = ((item * tile.rows + point) * tile.vectors + vector) * N;
    const T m = mask[point];
    Pack<T, N> result = {};
    if (m != 0) {
      const auto p = load_vector<N>(prediction, at), t = load_vector<N>(target, at);
#pragma unroll
      for (int j = 0; j < N; ++j)
        if (t[j] == t[j]) result[j] = m * weight[j] * slope<squared>(p[j] - t[j]);
    }
    store_vector<N>(dprediction, at, result);
  }
}

}  // namespace

template <typename T>
void WeightedLoss<T>::run(Cuda device) const {
  const int64_t items = loss.size, points = mask.size, features = weights.size;
  if (items == 0) return;
  const int64_t chunks = partial.size / (items * 2 * features);
  with_tile<T>(
      points, features,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream,
               squared ? chunk_sums<true, n.value, T> : chunk_sums<false, n.value, T>,
               tile.grid(chunks, items), threads, 0, tile, prediction, target, mask, partial);
      },
      prediction, target);
  launch(device.stream, add_chunks<T>, checked_blocks(items), threads, 0,
         chunk_tile(chunks, features), partial, weights, loss, factor);
}

template <typename T>
void WeightedLossBackward<T>::run(Cuda device) const {
  const int64_t items = dloss.size, points = mask.size;
  if (items == 0) return;
  with_tile<T>(
      points, factor.size / items,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, squared ? backward<true, n.value, T> : backward<false, n.value, T>,
               tile.elementwise_grid(items), threads, 0, tile, dloss, prediction, target, mask,
               factor, dprediction);
      },
      prediction, target, dprediction);
}

template struct WeightedLoss<float>;
template struct WeightedLoss<double>;
template struct WeightedLossBackward<float>;
template struct WeightedLossBackward<double>;

}  // namespace py4cast
