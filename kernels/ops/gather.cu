#include "kernels/common/cuda_tile.h"
#include "kernels/ops/gather_kernels.h"

namespace py4cast {
namespace {

constexpr int threads = tile_threads;

template <typename C>
__device__ C inverse_count(const Global<const int32_t>& offsets, int64_t node) {
  return C(1) / static_cast<C>(offsets[node + 1] - offsets[node]);
}

// The tile's rows are edges; block z: the batch.
template <int N, typename T>
__global__ void __launch_bounds__(threads)
    gather(ThreadTile tile, Global<const T> x, Global<const int32_t> index,
           Global<const int32_t> offsets, bool mean, Global<T> y) {
  after_earlier_work();
  using C = Compute<T>;
  const int64_t vector = tile.vector(), nodes = offsets.size - 1, batch = blockIdx.z;
  if (vector >= tile.vectors) return;
#pragma unroll 4
  for (int64_t i = 0; i < rows_each; ++i) {
    const int64_t edge = tile.first_row() + i * tile.steps();
    if (edge >= tile.rows) return;
    const int64_t node = index[edge];
    auto value = load_vector<N>(x, ((batch * nodes + node) * tile.vectors + vector) * N);
    if (mean) {
      const C factor = inverse_count<C>(offsets, node);
#pragma unroll
      for (int j = 0; j < N; ++j) value[j] = narrow<T>(widen<T>(value[j]) * factor);
    }
    store_vector<N>(y, ((batch * tile.rows + edge) * tile.vectors + vector) * N, value);
  }
}

// The tile's rows are edges; block z: the batch.
template <int N, typename T>
__global__ void __launch_bounds__(threads)
    edge_sum(ThreadTile tile, Global<const T> edges, Global<const T> senders,
             Global<const T> receivers, Global<const int32_t> from, Global<const int32_t> to,
             int64_t sender_rows, int64_t receiver_rows, Global<T> y) {
  after_earlier_work();
  const int64_t vector = tile.vector(), batch = blockIdx.z;
  if (vector >= tile.vectors) return;
#pragma unroll 2
  for (int64_t i = 0; i < rows_each; ++i) {
    const int64_t edge = tile.first_row() + i * tile.steps();
    if (edge >= tile.rows) return;
    const auto place = [&](int64_t rows, int64_t row) {
      return ((batch * rows + row) * tile.vectors + vector) * N;
    };
    auto value = load_vector<N>(edges, place(tile.rows, edge));
    const auto s = load_vector<N>(senders, place(sender_rows, from[edge])),
               r = load_vector<N>(receivers, place(receiver_rows, to[edge]));
#pragma unroll
    for (int j = 0; j < N; ++j)
      value[j] = narrow<T>(widen<T>(value[j]) + widen<T>(s[j]) + widen<T>(r[j]));
    store_vector<N>(y, place(tile.rows, edge), value);
  }
}

// The tile's rows are nodes, one for each thread; its edges are added in order.
template <int N, typename T>
__global__ void __launch_bounds__(threads, 4)
    segment_sum(ThreadTile tile, Global<const T> x, Global<const int32_t> order,
                Global<const int32_t> offsets, bool mean, Global<T> y) {
  after_earlier_work();
  using C = Compute<T>;
  const int64_t node = int64_t{blockIdx.x} * tile.steps() + tile.row(), vector = tile.vector(),
                batch = blockIdx.z, edges = offsets[tile.rows];
  if (vector >= tile.vectors || node >= tile.rows) return;
  const int64_t begin = offsets[node], end = offsets[node + 1];
  C sums[N] = {};
#pragma unroll 4
  for (int64_t i = begin; i < end; ++i) {
    const int64_t edge = order.size ? int64_t{order[i]} : i;
    const auto value = load_vector<N>(x, ((batch * edges + edge) * tile.vectors + vector) * N);
#pragma unroll
    for (int j = 0; j < N; ++j) sums[j] += widen<T>(value[j]);
  }
  const C factor = mean && end > begin ? inverse_count<C>(offsets, node) : C(1);
  Pack<T, N> result;
#pragma unroll
  for (int j = 0; j < N; ++j) result[j] = narrow<T>(sums[j] * factor);
  store_vector<N>(y, ((batch * tile.rows + node) * tile.vectors + vector) * N, result);
}

}  // namespace

template <typename T>
void Gather<T>::run(Cuda device) const {
  if (y.size == 0) return;
  with_tile<T>(
      index.size, y.size / (batch * index.size),
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, gather<n.value, T>, tile.elementwise_grid(batch), threads, 0, tile, x,
               index, offsets, mean, y);
      },
      x, y);
}

template <typename T>
void EdgeSum<T>::run(Cuda device) const {
  if (y.size == 0) return;
  const int64_t channels = y.size / (batch * from.size);
  with_tile<T>(
      from.size, channels,
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, edge_sum<n.value, T>, tile.elementwise_grid(batch), threads, 0, tile,
               edges, senders, receivers, from, to, senders.size / (batch * channels),
               receivers.size / (batch * channels), y);
      },
      edges, senders, receivers, y);
}

template <typename T>
void SegmentSum<T>::run(Cuda device) const {
  if (y.size == 0) return;
  const int64_t nodes = offsets.size - 1;
  with_tile<T>(
      nodes, y.size / (batch * nodes),
      [&](auto n, const ThreadTile& tile) {
        launch(device.stream, segment_sum<n.value, T>,
               tile.grid(blocks_for(nodes, threads >> tile.bits), batch), threads, 0, tile, x,
               order, offsets, mean, y);
      },
      x, y);
}

PY4CAST_KERNEL(Gather)
PY4CAST_KERNEL(EdgeSum)
PY4CAST_KERNEL(SegmentSum)

}  // namespace py4cast
