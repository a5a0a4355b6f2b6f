#include <algorithm>

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
  const int own = own_of(jobs.first, jobs.count, block);
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

constexpr int most_part_sums = 72, adders = product_threads / 32;

// Blocks first[i] to first[i + 1] - 1 make the i-th sum, 32 numbers each.
struct PartSums {
  int count, first[most_part_sums + 1];
  int parts[most_part_sums], part_rows[most_part_sums], first_row[most_part_sums],
      columns[most_part_sums];
  Global<const float> partial[most_part_sums];
  Global<float> to[most_part_sums];
};

// Each of the eight warps adds every eighth part in order, and the first one their sums.
__global__ void __launch_bounds__(product_threads) add_parts(PartSums sums, bool adds) {
  after_earlier_work();
  PY4CAST_SHARED(float, of_warps, product_threads);
  const int block = static_cast<int>(blockIdx.x), own = own_of(sums.first, sums.count, block),
            lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int number = (block - sums.first[own]) * 32 + lane, row = number / tile_size,
            column = number % tile_size, columns = sums.columns[own];
  const Global<const float> partial = sums.partial[own];
  const int64_t from = int64_t{sums.first_row[own] + row} * tile_size + column,
                step = int64_t{sums.part_rows[own]} * tile_size;
  float sum = 0;
#pragma unroll 4
  for (int part = warp; part < sums.parts[own]; part += adders) sum += partial[from + part * step];
  of_warps[static_cast<int>(threadIdx.x)] = sum;
  __syncthreads();
  if (warp > 0 || column >= columns) return;
  for (int i = 1; i < adders; ++i) sum += static_cast<float>(of_warps[32 * i + lane]);
  const Global<float> to = sums.to[own];
  const int64_t at = int64_t{row} * columns + column;
  to[at] = adds ? to[at] + sum : sum;
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
  }
  with_multiply<T>(tf32, [&](auto multiply) {
    launch(device.stream, multiply_parts<T, multiply>,
           static_cast<unsigned>(jobs.first[jobs.count]), product_threads, 0, jobs, partial);
  });
}

void SumsOfParts::run(Cuda device) const {
  static_assert(weight_gradient_width == tile_size);
  for (size_t begin = 0; begin < sums.size(); begin += most_part_sums) {
    PartSums some{};
    for (const SumOfParts& s :
         sums.subspan(begin, std::min<size_t>(most_part_sums, sums.size() - begin))) {
      const int i = some.count++;
      some.first[i + 1] = some.first[i] + static_cast<int>(s.rows) * (tile_size / 32);
      some.parts[i] = static_cast<int>(s.parts);
      some.part_rows[i] = static_cast<int>(s.part_rows);
      some.first_row[i] = static_cast<int>(s.first_row);
      some.columns[i] = static_cast<int>(s.columns);
      some.partial[i] = s.partial;
      some.to[i] = s.to;
    }
    launch(device.stream, add_parts, static_cast<unsigned>(some.first[some.count]), product_threads,
           0, some, adds);
  }
}

template struct SmallProducts<float>;
template struct SmallProducts<bfloat16>;

}  // namespace py4cast
