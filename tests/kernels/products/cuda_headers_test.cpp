// A fused kernel may take a product in shared memory (product_tile.h, mlp_rows_cuda.h) and then sum over its
// rows (cuda_tile.h).
#if PY4CAST_CUDA_EMULATED
#include <gtest/gtest.h>

#include "engine/parameters.h"
#include "kernels/common/cuda_tile.h"
#include "kernels/products/mlp_rows_cuda.h"
#include "kernels/products/product_tile.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

// One block: sums[n] = sum over rows m of (a b)[m, n], a [64, depth], b [depth, 64].
__global__ void __launch_bounds__(product_threads)
    column_sums(ThreadTile tile, Global<const float> a, Global<const float> b, Global<float> sums) {
  using Product = ProductTile<float, Multiply::plain, true>;
  static_assert(product_threads == tile_threads);
  PY4CAST_SHARED(float, left, Product::a_elements);
  PY4CAST_SHARED(float, right, Product::b_elements);
  PY4CAST_SHARED(float, products, tile_size* tile_size);
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < tile_size * Product::depth; i += product_threads) {
    left[Product::a_index(i / Product::depth, i % Product::depth)] = a[i];
    right[Product::b_index(i / tile_size, i % tile_size)] = b[i];
  }
  __syncthreads();
  Product product;
  product.multiply_add(left, 0, right, 0);
  product.for_each(
      [&](int row, int column, float sum) { products[row * tile_size + column] = sum; });
  __syncthreads();
  for (int64_t first = 0; first < tile.vectors; first += tile.lanes()) {
    const auto column = static_cast<int>(first + tile.vector());
    float sum[1] = {};
    for (int row = tile.row(); row < tile_size; row += tile.steps())
      sum[0] += static_cast<float>(products[row * tile_size + column]);
    combine_rows(tile, sum, AddRows{});
    if (tile.row() == 0) sums[column] = sum[0];
  }
}

TEST(CudaHeaders, AProductAndSumsOverRowsInOneKernel) {
  constexpr int64_t depth = ProductTile<float, Multiply::plain, true>::depth;
  const Tensor a = random_tensor({tile_size, depth}, DataType::f32, 1),
               b = random_tensor({depth, tile_size}, DataType::f32, 2),
               sums = host_tensor({tile_size}, DataType::f32);
  const Tensor there = to_device(sums, test_device()), left = to_device(a, test_device()),
               right = to_device(b, test_device());
  const auto view = []<typename T>(const Tensor& x, View<T>) {
    return View<T>{x.data<std::remove_const_t<T>>(), x.numel()};
  };
  CudaStream stream(test_device());
  launch(stream.get(), column_sums, 1, product_threads, 0, ThreadTile(tile_size, tile_size),
         view(left, View<const float>{}), view(right, View<const float>{}),
         view(there, View<float>{}));
  synchronize(stream.get());
  const Tensor found = host_copy(there);
  for (int64_t n = 0; n < tile_size; ++n) {
    double expected = 0;
    for (int64_t m = 0; m < tile_size; ++m)
      for (int64_t k = 0; k < depth; ++k)
        expected += static_cast<double>(a.data<float>()[m * depth + k]) *
                    static_cast<double>(b.data<float>()[k * tile_size + n]);
    EXPECT_NEAR(found.data<float>()[n], expected, 1e-4);
  }
}

}  // namespace
}  // namespace py4cast::testing
#endif
