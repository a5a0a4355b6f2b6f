#include "kernels/common/elementwise.h"
#include "kernels/products/product_tile.h"
#include "kernels/products/weight_gradients_cuda.h"

namespace py4cast {
namespace {

constexpr int numbers = tile_size * tile_size, part_rows = static_cast<int>(weight_gradient_rows);
constexpr int most = static_cast<int>(most_weight_gradients);

// Blocks first[i] to first[i + 1] - 1 take the parts of the i-th product.
template <typename T>
struct Jobs {
  int count, first[most + 1], rows[most], in[most], out[most];
  bool whole[most];  // rows come in parts of 16 bytes
  Global<const T> x[most], dy[most];
  Global<float> to[most];
};

// 64 rows from `row` on of x [rows, columns] to shared memory, with zeros around them.
template <typename T>
__device__ void bring_tile(Global<const T> x, int row, int rows, int columns, bool whole,
                           SharedView<T> memory, int tile) {
  constexpr int part = 16 / static_cast<int>(sizeof(T)), parts = tile_size / part;
  for (int i = static_cast<int>(threadIdx.x); i < tile_size * parts; i += product_threads) {
    const int r = i / parts, column = i % parts * part;
    const bool exists = row + r < rows;
    load_part<T>(memory, tile + r * tile_pitch + column, x,
                 int64_t{exists ? row + r : 0} * columns + (column < columns ? column : 0),
                 exists ? columns - column : 0, whole);
  }
}

template <typename T, Multiply multiply>
__global__ void __launch_bounds__(product_threads)
    multiply_parts(Jobs<T> jobs, Global<float> partial) {
  after_earlier_work();
  using Tile = ProductTile<T, multiply, false>;
  constexpr int x_tile = 0, dy_tile = tile_size * tile_pitch;
  PY4CAST_SHARED(T, memory, 2 * tile_size * tile_pitch);
  const int block = static_cast<int>(blockIdx.x);
  int own = 0;
  for (int beyond = jobs.count; beyond - own > 1;) {
    const int middle = (own + beyond) / 2;
    (jobs.first[middle] <= block ? own : beyond) = middle;
  }
  const int begin = (block - jobs.first[own]) * part_rows, rows = jobs.rows[own];
  const int end = begin + part_rows < rows ? begin + part_rows : rows;
  Tile sums;
  for (int row = begin; row < end; row += tile_size) {
    bring_tile(jobs.x[own], row, end, jobs.in[own], jobs.whole[own], memory, x_tile);
    bring_tile(jobs.dy[own], row, end, jobs.out[own], jobs.whole[own], memory, dy_tile);
    copy_commit();
    copy_wait<0>();
    __syncthreads();
    for (int k = 0; k < tile_size; k += Tile::depth)
      sums.multiply_add(memory, x_tile + k * tile_pitch, memory, dy_tile + k * tile_pitch);
    __syncthreads();
  }
  sums.for_each([&](int row, int column, float sum) {
    partial[int64_t{block} * numbers + row * tile_size + column] = sum;
  });
}

constexpr int blocks_each = numbers / map_threads;

template <typename T>
__global__ void __launch_bounds__(map_threads)
    add_products(Jobs<T> jobs, Global<const float> partial) {
  after_earlier_work();
  const int own = static_cast<int>(blockIdx.x) / blocks_each,
            number = static_cast<int>(blockIdx.x) % blocks_each * map_threads +
                     static_cast<int>(threadIdx.x);
  const int row = number / tile_size, column = number % tile_size, out = jobs.out[own];
  if (row >= jobs.in[own] || column >= out) return;
  float sum = 0;
#pragma unroll 4
  for (int part = jobs.first[own]; part < jobs.first[own + 1]; ++part)
    sum += partial[int64_t{part} * numbers + number];
  const Global<float> to = jobs.to[own];
  to[row * out + column] = to[row * out + column] + sum;
}

}  // namespace

template <typename T>
void SmallProducts<T>::run(Cuda device) const {
  constexpr int part = 16 / static_cast<int>(sizeof(T));
  Jobs<T> jobs{};
  for (const SmallProduct<T>& p : products) {
    const int i = jobs.count++;
    jobs.first[i + 1] = jobs.first[i] + static_cast<int>((p.rows + part_rows - 1) / part_rows);
    jobs.rows[i] = static_cast<int>(p.rows);
    jobs.in[i] = static_cast<int>(p.in);
    jobs.out[i] = static_cast<int>(p.out);
    jobs.whole[i] =
        p.in % part == 0 && p.out % part == 0 && aligned_for<part>(p.x) && aligned_for<part>(p.dy);
    jobs.x[i] = p.x;
    jobs.dy[i] = p.dy;
    jobs.to[i] = p.to;
  }
  const auto run = [&](auto kernel) {
    launch(device.stream, kernel, static_cast<unsigned>(jobs.first[jobs.count]), product_threads, 0,
           jobs, partial);
  };
  if constexpr (std::is_same_v<T, bfloat16>)
    run(multiply_parts<T, Multiply::bf16>);
  else if (tf32)
    run(multiply_parts<T, Multiply::tf32>);
  else
    run(multiply_parts<T, Multiply::plain>);
  launch(device.stream, add_products<T>, static_cast<unsigned>(jobs.count * blocks_each),
         map_threads, 0, jobs, partial);
}

template struct SmallProducts<float>;
template struct SmallProducts<bfloat16>;

}  // namespace py4cast
