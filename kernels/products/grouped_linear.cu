#include <algorithm>

#include "kernels/products/grouped_linear_cuda.h"
#include "kernels/products/mlp_rows_cuda.h"

namespace py4cast {
namespace {

constexpr int most = static_cast<int>(most_grouped_products), block_rows = warps * warp_rows,
              tile_elements = block_rows * row_pitch;
static_assert(grouped_linear_width == width);

template <typename T>
struct Sum {
  int64_t rows;
  int out, terms, in[most];
  bool whole[most];  // x comes in parts of 16 bytes
  Global<const T> x[most], before;
  Global<const float> weight[most];
  Global<T> y;
};
// Blocks first[i] to first[i + 1] - 1 make the i-th sum. In shared memory: the weights of as many terms as any
// of them has, then their rows.
template <typename T>
struct Sums {
  int count, terms, first[most + 1];
  Sum<T> of[most];
};

// 16 rows of each term from `first` on, with zeros around them.
template <typename T>
__device__ void bring_terms(const Sum<T>& sum, int64_t first, SharedView<T> memory, int tiles) {
  constexpr int part = 16 / static_cast<int>(sizeof(T)), parts = width / part;
  for (int t = 0; t < sum.terms; ++t) {
    const int in = sum.in[t];
#pragma unroll 4
    for (int i = lane(); i < warp_rows * parts; i += 32) {
      const int row = i / parts, column = i % parts * part;
      const bool exists = first + row < sum.rows;
      load_part<T>(memory, tiles + t * tile_elements + row * row_pitch + column, sum.x[t],
                   (exists ? first + row : 0) * in + (column < in ? column : 0),
                   exists ? in - column : 0, sum.whole[t]);
    }
  }
  copy_commit();
}

// Each warp takes 16 rows at a time. `full`: all have `width` features.
template <typename T, Multiply multiply, bool transposed, bool full>
__global__ void __launch_bounds__(product_threads, 2) add_products(Sums<T> sums) {
  after_earlier_work();
  PY4CAST_DYNAMIC_SHARED(T, memory);
  const int block = static_cast<int>(blockIdx.x);
  int own = 0;
  while (block >= sums.first[own + 1]) ++own;
  const Sum<T>& sum = sums.of[own];
  const int tiles = sums.terms * weight_elements<T> + warp() * warp_rows * row_pitch;
  const int64_t step = int64_t{sums.first[own + 1] - sums.first[own]} * block_rows;
  int64_t first = int64_t{block - sums.first[own]} * block_rows + warp() * warp_rows;
  bring_terms(sum, first, memory, tiles);
  for (int t = 0; t < sum.terms; ++t)
    bring_weight<multiply, T>(sum.weight[t], transposed ? sum.out : sum.in[t],
                              transposed ? sum.in[t] : sum.out, memory, t * weight_elements<T>);
  copy_wait<0>();
  __syncthreads();
#pragma unroll 1
  while (first < sum.rows) {
    Values<8> product{};
    for (int t = 0; t < sum.terms; ++t)
      multiply_add<multiply, transposed, T>(product, 0, memory, tiles + t * tile_elements,
                                            t * weight_elements<T>, depth_of(sum.in[t]));
    for_pairs<8>(0, [&](int j, int h, int row, int column) {
      if (first + row >= sum.rows) return;
      auto pair = product.pair(j, h);
      if (sum.before.size) {
        const auto before = read_pair<full>(sum.before, sum.out, first + row, column);
        for (int i = 0; i < 2; ++i) pair[i] += before[i];
      }
      write_pair<full>(sum.y, sum.out, first + row, column, pair);
    });
    first += step;
    if (first >= sum.rows) break;
    __syncwarp();
    bring_terms(sum, first, memory, tiles);
    copy_wait<0>();
    __syncwarp();
  }
}

template <typename T, Multiply multiply>
void launch_sums(Cuda device, const GroupedProducts<T>& k) {
  constexpr int part = 16 / static_cast<int>(sizeof(T));
  constexpr unsigned most_blocks = 4 * 132;  // for one sum: four for each multiprocessor of an H100
  Sums<T> sums{};
  bool full = true;
  for (const SumOfProducts<T>& given : k.sums) {
    Sum<T>& sum = sums.of[sums.count];
    sum.rows = given.rows;
    sum.out = static_cast<int>(given.out);
    sum.y = given.y;
    if (given.adds) sum.before = given.y;
    full = full && sum.out == width && aligned_for<2>(given.y);
    for (const auto& [in, x, weight] : given.terms) {
      const int t = sum.terms++;
      sum.in[t] = static_cast<int>(in);
      sum.whole[t] = in % part == 0 && aligned_for<part>(x);
      sum.x[t] = x;
      sum.weight[t] = weight;
      full = full && in == width;
    }
    sums.terms = std::max(sums.terms, sum.terms);
    const unsigned blocks = std::min(most_blocks, blocks_for(sum.rows, block_rows));
    sums.first[sums.count + 1] = sums.first[sums.count] + static_cast<int>(blocks);
    ++sums.count;
  }
  const auto kernel = k.transposed ? full ? add_products<T, multiply, true, true>
                                          : add_products<T, multiply, true, false>
                      : full ? add_products<T, multiply, false, true>
                                   : add_products<T, multiply, false, false>;
  launch(device.stream, kernel, static_cast<unsigned>(sums.first[sums.count]), product_threads,
         static_cast<size_t>(sums.terms * (weight_elements<T> + tile_elements)) * sizeof(T), sums);
}

}  // namespace

template <>
void GroupedProducts<float>::run(Cuda device) const {
  if (tf32)
    launch_sums<float, Multiply::tf32>(device, *this);
  else
    launch_sums<float, Multiply::plain>(device, *this);
}
template <>
void GroupedProducts<bfloat16>::run(Cuda device) const {
  launch_sums<bfloat16, Multiply::bf16>(device, *this);
}

template <typename T>
void ProductInPlace<T>::run(Cuda device) const {
  using Sum = SumOfProducts<T>;
  const typename Sum::Term term{features, {rows.data, rows.size}, weight};
  const Sum own{count, features, {term}, false, rows};
  GroupedProducts<T>{{&own, 1}, true, tf32}.run(device);
}
template void ProductInPlace<float>::run(Cuda) const;
template void ProductInPlace<bfloat16>::run(Cuda) const;

}  // namespace py4cast
