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
// Blocks first[i] to first[i + 1] - 1 make the i-th sum.
template <typename T>
struct ProductSums {
  int count, first[most + 1];
  Sum<T> of[most];
};

// In shared memory: the weights of all terms, then rows of so many of them that less than 99 KiB are taken.
template <typename T>
constexpr int terms_together = 6 / static_cast<int>(sizeof(T));
static_assert(terms_together<bfloat16> == most);
template <typename T>
size_t shared_bytes(int terms) {
  return sizeof(T) * static_cast<size_t>(terms * weight_elements<T> +
                                         std::min(terms, terms_together<T>) * tile_elements);
}

// 16 rows of the terms from `begin` to `end` - 1, from `row` on, with zeros around them.
template <typename T>
__device__ void bring_terms(const Sum<T>& sum, int begin, int end, int64_t row,
                            SharedView<T> memory, int tiles) {
  constexpr int part = 16 / static_cast<int>(sizeof(T)), parts = width / part;
  for (int t = begin; t < end; ++t) {
    const int in = sum.in[t];
#pragma unroll 4
    for (int i = lane(); i < warp_rows * parts; i += 32) {
      const int r = i / parts, column = i % parts * part;
      const bool exists = row + r < sum.rows;
      load_part<T>(memory, tiles + (t - begin) * tile_elements + r * row_pitch + column, sum.x[t],
                   (exists ? row + r : 0) * in + (column < in ? column : 0),
                   exists ? in - column : 0, sum.whole[t]);
    }
  }
  copy_commit();
}

// Each warp takes 16 rows at a time. `full`: all results have `width` features, in aligned pairs.
template <typename T, Multiply multiply, bool transposed, bool full>
__global__ void __launch_bounds__(product_threads, 2) add_products(ProductSums<T> sums) {
  after_earlier_work();
  PY4CAST_DYNAMIC_SHARED(T, memory);
  const int block = static_cast<int>(blockIdx.x);
  int own = 0;
  while (block >= sums.first[own + 1]) ++own;
  const Sum<T>& sum = sums.of[own];
  const int tiles = sum.terms * weight_elements<T> + warp() * warp_rows * row_pitch;
  const int64_t step = int64_t{sums.first[own + 1] - sums.first[own]} * block_rows;
  int64_t row = int64_t{block - sums.first[own]} * block_rows + warp() * warp_rows;
  const auto end_of = [&](int begin) {
    return begin + terms_together<T> < sum.terms ? begin + terms_together<T> : sum.terms;
  };
  bring_terms(sum, 0, end_of(0), row, memory, tiles);  // while the weights come
  for (int t = 0; t < sum.terms; ++t)
    bring_weight<multiply, T>(sum.weight[t], transposed ? sum.out : sum.in[t],
                              transposed ? sum.in[t] : sum.out, memory, t * weight_elements<T>);
  copy_wait<0>();
  __syncthreads();
  bool there = true;
#pragma unroll 1
  for (; row < sum.rows; row += step) {
    Values<8> product{};
#pragma unroll 1
    for (int begin = 0; begin < sum.terms; begin += terms_together<T>) {
      const int end = end_of(begin);
      if (!there) {
        __syncwarp();
        bring_terms(sum, begin, end, row, memory, tiles);
        copy_wait<0>();
        __syncwarp();
      }
      there = false;
      for (int t = begin; t < end; ++t)
        multiply_add<multiply, transposed, T>(product, 0, memory,
                                              tiles + (t - begin) * tile_elements,
                                              t * weight_elements<T>, depth_of(sum.in[t]));
    }
    for_pairs<8>(0, [&](int j, int h, int r, int column) {
      if (row + r >= sum.rows) return;
      auto pair = product.pair(j, h);
      if (sum.before.size) {
        const auto before = read_pair<full>(sum.before, sum.out, row + r, column);
        for (int i = 0; i < 2; ++i) pair[i] += before[i];
      }
      write_pair<full>(sum.y, sum.out, row + r, column, pair);
    });
  }
}

template <typename T, Multiply multiply>
void launch_sums(Cuda device, const GroupedProducts<T>& k) {
  constexpr int part = 16 / static_cast<int>(sizeof(T));
  constexpr unsigned most_blocks = 4 * 132;  // for one sum: four for each multiprocessor of an H100
  ProductSums<T> sums{};
  bool full = true;
  int most_terms = 0;
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
    }
    most_terms = std::max(most_terms, sum.terms);
    const unsigned blocks = std::min(most_blocks, blocks_for(sum.rows, block_rows));
    sums.first[sums.count + 1] = sums.first[sums.count] + static_cast<int>(blocks);
    ++sums.count;
  }
  const auto kernel = k.transposed ? full ? add_products<T, multiply, true, true>
                                          : add_products<T, multiply, true, false>
                      : full ? add_products<T, multiply, false, true>
                                   : add_products<T, multiply, false, false>;
  launch(device.stream, kernel, static_cast<unsigned>(sums.first[sums.count]), product_threads,
         shared_bytes<T>(most_terms), sums);
}

}  // namespace

template <typename T>
void GroupedProducts<T>::run(Cuda device) const {
  with_multiply<T>(tf32, [&](auto multiply) { launch_sums<T, multiply>(device, *this); });
}
template void GroupedProducts<float>::run(Cuda) const;
template void GroupedProducts<bfloat16>::run(Cuda) const;

template <typename T>
void ProductInPlace<T>::run(Cuda device) const {
  const typename SumOfProducts<T>::Term term{features, {rows.data, rows.size}, weight};
  const SumOfProducts<T> own{count, features, {term}, false, rows};
  GroupedProducts<T>{{&own, 1}, true, tf32}.run(device);
}
template void ProductInPlace<float>::run(Cuda) const;
template void ProductInPlace<bfloat16>::run(Cuda) const;

}  // namespace py4cast
