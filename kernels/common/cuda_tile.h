// For .cu files of ops on [rows, channels]: a block's threads lie along the channels, in vectors of
// N, and along the rows; each keeps its channels' factors or sums in registers while rows go by.
#pragma once

#include "kernels/common/cuda.h"

namespace py4cast {

constexpr int tile_threads = 256;
constexpr int64_t rows_each = 8;  // of a thread in elementwise passes

// How the threads lie over `rows` x `vectors`: 2^bits along the vectors, the rest along the rows.
struct ThreadTile {
  int64_t rows, vectors;
  int bits = 0;
  ThreadTile(int64_t rows_, int64_t vectors_, int most_bits = 5) : rows(rows_), vectors(vectors_) {
    while (bits < most_bits && int64_t{1} << bits < vectors) ++bits;
  }
  dim3 grid(int64_t row_blocks, int64_t items = 1) const {
    return {static_cast<unsigned>(row_blocks), blocks_for(vectors, int64_t{1} << bits),
            static_cast<unsigned>(items)};
  }
  dim3 elementwise_grid(int64_t items = 1) const {
    return grid(blocks_for(rows, rows_each * (tile_threads >> bits)), items);
  }
  unsigned row_blocks() const { return blocks_for(rows, tile_threads >> bits); }

  __device__ int lanes() const { return 1 << bits; }
  __device__ int steps() const { return tile_threads >> bits; }  // rows at a time
  __device__ int row() const { return static_cast<int>(threadIdx.x) >> bits; }
  __device__ int64_t vector() const {
    return (int64_t{blockIdx.y} << bits) + (static_cast<int>(threadIdx.x) & (lanes() - 1));
  }
  // Of the rows_each rows of an elementwise pass, steps() apart.
  __device__ int64_t first_row() const { return int64_t{blockIdx.x} * rows_each * steps() + row(); }
};

// One row for each 2^bits <= 32 threads, in a grid of row_blocks(): lane l has the vectors l,
// l + lanes, ..., mostly one (loops over them are best not unrolled: that divides to count passes).
struct TileRow {
  int64_t row, first;  // first vector; beyond the last one in rows beyond the last one
  bool used;
  __device__ explicit TileRow(const ThreadTile& tile)
      : row(int64_t{blockIdx.x} * tile.steps() + tile.row()),
        first(static_cast<int>(threadIdx.x) & (tile.lanes() - 1)),
        used(row < tile.rows) {
    if (!used) first = tile.vectors;
  }
};

// Over the lanes of each row of a warp, in a fixed tree, in every lane.
template <typename C>
__device__ C row_sum(const ThreadTile& tile, C value) {
  for (int bits = tile.lanes() / 2; bits > 0; bits /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, bits);
  return value;
}
template <typename C>
__device__ C row_maximum(const ThreadTile& tile, C value) {
  for (int bits = tile.lanes() / 2; bits > 0; bits /= 2) {
    const C other = __shfl_xor_sync(0xffffffffu, value, bits);
    value = value < other ? other : value;
  }
  return value;
}

// The numbers of all rows of the tile combined into those of row 0, in a fixed tree.
template <int K, typename C, typename Combine>
__device__ void combine_rows(const ThreadTile& tile, C (&mine)[K], Combine combine) {
  PY4CAST_SHARED(C, given, K * tile_threads);
  const int row = tile.row(), thread = static_cast<int>(threadIdx.x);
  for (int half = tile.steps() / 2; half > 0; half /= 2) {
    if (row >= half && row < 2 * half)
      for (int k = 0; k < K; ++k) given[k * tile_threads + thread] = mine[k];
    __syncthreads();
    if (row < half) {
      C other[K];
      for (int k = 0; k < K; ++k) other[k] = given[k * tile_threads + thread + half * tile.lanes()];
      combine(mine, other);
    }
    __syncthreads();
  }
}

// Adds.
struct AddRows {
  template <int K, typename C>
  __device__ void operator()(C (&a)[K], const C (&b)[K]) const {
    for (int k = 0; k < K; ++k) a[k] += b[k];
  }
};

// Calls f(N as a constant, tile) with the widest vectors of T that fit the channels and the views.
template <typename T, typename F, typename... Views>
void with_tile(int64_t rows, int64_t channels, F&& f, const Views&... views) {
  constexpr int N = pack_size<T>;
  if (channels % N == 0 && (aligned_for<N>(views) && ...))
    f(std::integral_constant<int, N>{}, ThreadTile(rows, channels / N));
  else
    f(std::integral_constant<int, 1>{}, ThreadTile(rows, channels));
}
// For the second pass, over the numbers of the chunks.
inline ThreadTile chunk_tile(int64_t chunks, int64_t channels) {
  return ThreadTile(chunks, channels, 3);
}

namespace {

// The tile is of chunks x channels.
template <typename C>
__global__ void __launch_bounds__(tile_threads)
    add_pairs(ThreadTile tile, Global<const C> partial, Global<C> first, Global<C> second) {
  after_earlier_work();
  const int64_t chunks = tile.rows, channels = tile.vectors, c = tile.vector();
  double sums[2] = {};
  if (c < channels)
    for (int64_t chunk = tile.row(); chunk < chunks; chunk += tile.steps()) {
      sums[0] += static_cast<double>(partial[chunk * channels + c]);
      sums[1] += static_cast<double>(partial[(chunks + chunk) * channels + c]);
    }
  combine_rows(tile, sums, AddRows{});
  if (tile.row() != 0 || c >= channels) return;
  first[c] = static_cast<C>(sums[0]);
  second[c] = static_cast<C>(sums[1]);
}

// first, second [channels] = sums over the chunks of partial [2, chunks, channels], in double.
template <typename C>
void add_chunk_pairs(Cuda device, int64_t chunks, View<const C> partial, View<C> first,
                     View<C> second) {
  const ThreadTile tile = chunk_tile(chunks, first.size);
  launch(device.stream, add_pairs<C>, tile.grid(1), tile_threads, 0, tile, partial, first, second);
}

}  // namespace
}  // namespace py4cast
