// The plain branches of mma.h follow the documented layouts of lanes.
#if PY4CAST_CUDA_EMULATED
#include "kernels/common/mma.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/parameters.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

Tensor moved(const Tensor& x) {
  Tensor result(allocate_device(x.bytes(), test_device(), nullptr, Owner::other, "test"), x.type(),
                x.shape());
  copy(x, result);
  return result;
}
Tensor back(const Tensor& x) {
  Tensor result = host_tensor(x.shape(), x.type());
  copy(x, result);
  return result;
}
template <typename T>
View<T> view_of(const Tensor& x) {
  return {x.data<std::remove_const_t<T>>(), x.numel()};
}

uint32_t pair(bfloat16 low, bfloat16 high) {
  return low.bits | static_cast<uint32_t>(high.bits) << 16;
}

// One warp: d [16, 8] = a [16, 16] b [16, 8], fragments taken as the table of the instruction says.
__global__ void product_bf16(Global<const bfloat16> a, Global<const bfloat16> b, Global<float> d) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  const auto of_a = [&](int row, int k) { return pair(a[row * 16 + k], a[row * 16 + k + 1]); };
  const auto of_b = [&](int k) { return pair(b[k * 8 + g], b[(k + 1) * 8 + g]); };
  float sums[4] = {1, 1, 1, 1};
  mma_bf16(sums, {of_a(g, 2 * t), of_a(g + 8, 2 * t), of_a(g, 2 * t + 8), of_a(g + 8, 2 * t + 8)},
           {of_b(2 * t), of_b(2 * t + 8)});
  for (int i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sums[i];
}

__global__ void product_tf32(Global<const float> a, Global<const float> b, Global<float> d) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  const auto of_a = [&](int row, int k) { return to_tf32(a[row * 8 + k]); };
  const auto of_b = [&](int k) { return to_tf32(b[k * 8 + g]); };
  float sums[4] = {1, 1, 1, 1};
  mma_tf32(sums, {of_a(g, t), of_a(g + 8, t), of_a(g, t + 4), of_a(g + 8, t + 4)},
           {of_b(t), of_b(t + 4)});
  for (int i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sums[i];
}

double largest_product_error(const Tensor& a, const Tensor& b, const Tensor& d, int64_t depth) {
  const Tensor x = converted(a, DataType::f64), y = converted(b, DataType::f64);
  double largest = 0;
  for (int64_t row = 0; row < 16; ++row)
    for (int64_t column = 0; column < 8; ++column) {
      double sum = 1;
      for (int64_t k = 0; k < depth; ++k)
        sum += x.data<double>()[row * depth + k] * y.data<double>()[k * 8 + column];
      const double found = static_cast<double>(d.data<float>()[row * 8 + column]);
      largest = std::max(largest, std::abs(found - sum));
    }
  return largest;
}

TEST(Mma, ProductsOfFragmentsAreProductsOfMatrices) {
  const Tensor d = moved(host_tensor({16, 8}, DataType::f32));
  const Tensor a = random_tensor({16, 16}, DataType::bf16, 1),
               b = random_tensor({16, 8}, DataType::bf16, 2);
  const Tensor a_moved = moved(a), b_moved = moved(b);
  launch(Stream(), product_bf16, 1, 32, 0, view_of<const bfloat16>(a_moved),
         view_of<const bfloat16>(b_moved), view_of<float>(d));
  EXPECT_LT(largest_product_error(a, b, back(d), 16), 1e-6);

  const Tensor left = random_tensor({16, 8}, DataType::f32, 3),
               right = random_tensor({8, 8}, DataType::f32, 4);
  const Tensor left_moved = moved(left), right_moved = moved(right);
  launch(Stream(), product_tf32, 1, 32, 0, view_of<const float>(left_moved),
         view_of<const float>(right_moved), view_of<float>(d));
  EXPECT_LT(largest_product_error(left, right, back(d), 8), 8 * std::ldexp(1, -10));
  EXPECT_GT(largest_product_error(left, right, back(d), 8), 1e-6);
}

TEST(Mma, Tf32HasTenBitsAndRoundsTiesAway) {
  const auto rounded = [](float x) { return std::bit_cast<float>(to_tf32(x)); };
  const float step = std::ldexp(1.f, -10);
  EXPECT_EQ(rounded(1 + step), 1 + step);
  EXPECT_EQ(rounded(1 + step / 2), 1 + step);
  EXPECT_EQ(rounded(-1 - step / 2), -1 - step);
  EXPECT_EQ(rounded(1 + step * 0.499f), 1);
  EXPECT_EQ(rounded(std::numeric_limits<float>::infinity()),
            std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(rounded(std::numeric_limits<float>::quiet_NaN())));
}

// Four matrices below each other; the words of lane l and matrix i go to y[32 i + l].
template <bool transposed>
__global__ void load_four(Global<const bfloat16> x, Global<int32_t> y) {
  PY4CAST_SHARED(bfloat16, tile, 32 * 8);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 32 * 8; i += 32) tile[i] = x[i];
  __syncwarp();
  uint32_t words[4];
  load_matrices<transposed>(words, tile, lane * 8);
  for (int i = 0; i < 4; ++i) y[32 * i + lane] = static_cast<int32_t>(words[i]);
}

TEST(Mma, MatricesAreLoadedByTheTable) {
  const Tensor x = random_tensor({32, 8}, DataType::bf16, 1);
  const Tensor x_moved = moved(x), y = moved(host_tensor({4, 32}, DataType::i32));
  for (bool transposed : {false, true}) {
    launch(Stream(), transposed ? load_four<true> : load_four<false>, 1, 32, 0,
           view_of<const bfloat16>(x_moved), view_of<int32_t>(y));
    const Tensor found = back(y);
    for (int64_t i = 0; i < 4; ++i)
      for (int64_t lane = 0; lane < 32; ++lane) {
        const auto element = [&](int64_t row, int64_t column) {
          return x.data<bfloat16>()[(8 * i + row) * 8 + column];
        };
        const int64_t g = lane / 4, t = lane % 4;
        const uint32_t expected = transposed ? pair(element(2 * t, g), element(2 * t + 1, g))
                                             : pair(element(g, 2 * t), element(g, 2 * t + 1));
        EXPECT_EQ(static_cast<uint32_t>(found.data<int32_t>()[32 * i + lane]), expected);
      }
  }
}

// Each thread copies its four numbers, the second half of the threads zeros; its neighbour's are
// read.
template <bool waits>
__global__ void copy_in_groups(Global<const float> x, Global<float> y) {
  PY4CAST_SHARED(float, tile, 64 * 4);
  const int i = static_cast<int>(threadIdx.x), other = 63 - i;
  copy_async<float>(tile, 4 * i, x, 4 * i, i < 32);
  copy_commit();
  if (waits)
    copy_wait<0>();
  else
    copy_wait<1>();
  __syncthreads();
  for (int k = 0; k < 4; ++k) y[4 * i + k] = tile[4 * other + k];
}

TEST(Mma, CopiesArriveWhereTheyAreWaitedFor) {
  const Tensor x = random_tensor({256}, DataType::f32, 1);
  const Tensor x_moved = moved(x), y = moved(host_tensor({256}, DataType::f32));
  launch(Stream(), copy_in_groups<true>, 1, 64, 0, view_of<const float>(x_moved),
         view_of<float>(y));
  const Tensor arrived = back(y);
  for (int64_t i = 0; i < 256; ++i) {
    const int64_t from = (63 - i / 4) * 4 + i % 4;
    EXPECT_EQ(arrived.data<float>()[i], from < 128 ? x.data<float>()[from] : 0);
  }
  launch(Stream(), copy_in_groups<false>, 1, 64, 0, view_of<const float>(x_moved),
         view_of<float>(y));
  const Tensor missing = back(y);
  for (float element : missing.span<float>()) EXPECT_TRUE(std::isnan(element));
}

// A tile that other threads still read is not overwritten by a copy.
__global__ void copy_over_readers(Global<const float> x, Global<float> y) {
  PY4CAST_SHARED(float, tile, 64 * 4);
  const int i = static_cast<int>(threadIdx.x);
  for (int k = 0; k < 4; ++k) tile[4 * i + k] = 1;
  __syncthreads();
  y[i] = tile[255 - i];
  copy_async<float>(tile, 4 * i, x, 4 * i, true);
  copy_commit();
  copy_wait<0>();
}

TEST(Mma, CopiesRaceWithReaders) {
  const Tensor x = moved(random_tensor({256}, DataType::f32, 1)),
               y = moved(host_tensor({256}, DataType::f32));
  const std::string report = error_of([&] {
    launch(Stream(), copy_over_readers, 1, 64, 0, view_of<const float>(x), view_of<float>(y));
    synchronize(test_device());
  });
  EXPECT_NE(report.find("race"), std::string::npos) << report;
}

// cp.async copies 16 bytes at multiples of 16.
__global__ void copy_unaligned(Global<const float> x) {
  PY4CAST_SHARED(float, tile, 8);
  copy_async<float>(tile, 0, x, 1, true);
  copy_commit();
  copy_wait<0>();
}

TEST(Mma, CopiesAreAligned) {
  const Tensor x = moved(random_tensor({256}, DataType::f32, 1));
  EXPECT_NE(error_of([&] {
              launch(Stream(), copy_unaligned, 1, 1, 0, view_of<const float>(x));
              synchronize(test_device());
            }),
            "");
}

}  // namespace
}  // namespace py4cast::testing
#endif
