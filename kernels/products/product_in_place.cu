#include <algorithm>

#include "kernels/products/mlp_rows_cuda.h"

namespace py4cast {
namespace {

// Each warp takes 16 rows at a time.
template <typename T, Multiply multiply, bool full>
__global__ void __launch_bounds__(product_threads, 2)
    multiply_in_place(int64_t count, int features, bool whole, Global<const float> weight,
                      Global<const T> rows, Global<T> results) {
  after_earlier_work();
  PY4CAST_DYNAMIC_SHARED(T, memory);
  bring_weight<multiply, T>(weight, features, features, memory, 0);
  __syncthreads();
  constexpr int part = 16 / static_cast<int>(sizeof(T)), parts = width / part;
  const int tile = weight_elements<T> + warp() * warp_rows * row_pitch;
  const int64_t step = int64_t{gridDim.x} * warps * warp_rows;
#pragma unroll 1
  for (int64_t first = (int64_t{blockIdx.x} * warps + warp()) * warp_rows; first < count;
       first += step) {
#pragma unroll 4
    for (int i = lane(); i < warp_rows * parts; i += 32) {
      const int row = i / parts, column = i % parts * part;
      const bool exists = first + row < count;
      load_part<T>(memory, tile + row * row_pitch + column, rows,
                   (exists ? first + row : 0) * features + column, exists ? features - column : 0,
                   whole);
    }
    copy_commit();
    copy_wait<0>();
    __syncwarp();
    Values<8> product{};
    multiply_add<multiply, true, T>(product, 0, memory, tile, 0, depth_of(features));
    for_pairs<8>(0, [&](int j, int h, int row, int column) {
      if (first + row < count)
        write_pair<full>(results, features, first + row, column, product.pair(j, h));
    });
    __syncwarp();
  }
}

template <typename T, Multiply multiply>
void launch_in_place(Cuda device, const ProductInPlace<T>& k) {
  constexpr int part = 16 / static_cast<int>(sizeof(T)), block_rows = warps * warp_rows;
  constexpr unsigned most = 4 * 132;  // blocks: four for each multiprocessor of an H100
  const auto kernel = k.features == width && aligned_for<2>(k.rows)
                          ? multiply_in_place<T, multiply, true>
                          : multiply_in_place<T, multiply, false>;
  launch(device.stream, kernel, std::min(most, blocks_for(k.count, block_rows)), product_threads,
         (weight_elements<T> + block_rows * row_pitch) * sizeof(T), k.count,
         static_cast<int>(k.features), k.features % part == 0 && aligned_for<part>(k.rows),
         k.weight, k.rows, k.rows);
}

}  // namespace

template <>
void ProductInPlace<float>::run(Cuda device) const {
  if (tf32)
    launch_in_place<float, Multiply::tf32>(device, *this);
  else
    launch_in_place<float, Multiply::plain>(device, *this);
}
template <>
void ProductInPlace<bfloat16>::run(Cuda device) const {
  launch_in_place<bfloat16, Multiply::bf16>(device, *this);
}

}  // namespace py4cast
