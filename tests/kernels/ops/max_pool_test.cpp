#include "kernels/ops/max_pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/parameters.h"
#include "kernels/ops/views.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

struct PoolCase {
  Shape x;
  PoolGeometry geometry;
};

class MaxPools : public ::testing::TestWithParam<PoolCase> {};

TEST_P(MaxPools, Checked) {
  const auto [x, geometry] = GetParam();
  check_op({.op = [g = geometry](Context& c, const auto& in) { return max_pool(c, in[0], g); },
            .shapes = {x},
            .bf16 = {true}});
}

// The winners are those of a fixed tensor: linear in what is gathered or scattered.
TEST_P(MaxPools, GatherAndScatterChecked) {
  const auto [shape, geometry] = GetParam();
  const Tensor x = converted(random_tensor(shape, DataType::bf16, 5), DataType::f64);
  const auto choice = [](Context& c, const auto& in) { return cast(c, in[1], in[0].type()); };
  check_op({.op = [&, g = geometry](
                      Context& c,
                      const auto& in) { return max_pool_gather(c, choice(c, in), in[0], g); },
            .shapes = {shape},
            .fixed = {x},
            .bf16 = {true}});
  Context context;
  check_op({.op = [&, g = geometry](
                      Context& c,
                      const auto& in) { return max_pool_scatter(c, choice(c, in), in[0], g); },
            .shapes = {max_pool_shape(context, shape, geometry)},
            .fixed = {x},
            .bf16 = {true}});
}

INSTANTIATE_TEST_SUITE_P(
    OddSizes, MaxPools,
    ::testing::Values(
        PoolCase{{2, 7, 3}, {.window = {2}}}, PoolCase{{1, 5, 7, 5}, {.window = {2, 2}}},
        PoolCase{{2, 4, 6, 33}, {.window = {2, 2}}}, PoolCase{{1, 5, 4, 8}, {.window = {2, 2}}},
        PoolCase{{1, 5, 6, 3}, {.window = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}},
        PoolCase{{2, 4, 5, 2}, {.window = {3, 2}, .stride = {1, 1}, .padding = {1, 0}}},
        PoolCase{{1, 6, 5, 2}, {.window = {2, 1}, .stride = {3, 2}}},
        PoolCase{{1, 3, 4, 5, 2}, {.window = {2, 2, 2}}}));

struct GoldenPool {
  PoolGeometry geometry;
  std::vector<float> y, dx;
};

// Values of torch.nn.functional.max_pool2d, with ties; dy = 1, 2, 3, ...
TEST(MaxPool, TheFirstOfEqualElementsWins) {
  const std::vector<float> values{1, 1, 0, 2, 2, 1, 0, 3, 3, 1, 5, 4, 3, 3, 9};
  const GoldenPool goldens[] = {
      {{.window = {2, 2}}, {1, 3}, {1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}},
      {{.window = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
       {1, 3, 3, 5, 4, 9},
       {1, 0, 0, 0, 0, 0, 0, 2, 3, 0, 4, 5, 0, 0, 6}},
      {{.window = {3, 3}, .stride = {1, 1}, .padding = {1, 1}},
       {1, 3, 3, 3, 3, 5, 5, 4, 9, 9, 5, 5, 4, 9, 9},
       {1, 0, 0, 0, 0, 0, 0, 9, 5, 0, 36, 21, 0, 0, 48}}};
  const Tensor x = host_tensor({1, 3, 5, 1}, DataType::f32);
  std::copy(values.begin(), values.end(), x.data<float>());
  for_each_device([&](Context& context) {
    for (const GoldenPool& golden : goldens) {
      const Tensor y = host_copy(max_pool(context, to_device(x, context.device), golden.geometry));
      EXPECT_EQ(std::vector<float>(y.span<float>().begin(), y.span<float>().end()), golden.y);
      const Tensor dy = host_tensor(y.shape(), DataType::f32);
      for (int64_t i = 0; i < dy.numel(); ++i) dy.data<float>()[i] = static_cast<float>(i + 1);
      const Tensor dx = host_copy(max_pool_scatter(context, to_device(x, context.device),
                                                   to_device(dy, context.device), golden.geometry));
      EXPECT_EQ(std::vector<float>(dx.span<float>().begin(), dx.span<float>().end()), golden.dx);
    }
  });
}

TEST(MaxPool, NotANumberWins) {
  const Tensor x = random_tensor({1, 2, 4, 16}, DataType::f32, 1);
  x.data<float>()[3] = std::nanf("");
  for_each_device([&](Context& context) {
    const Tensor y = host_copy(max_pool(context, to_device(x, context.device), {.window = {2, 2}}));
    EXPECT_TRUE(std::isnan(y.data<float>()[3]));
    EXPECT_FALSE(std::isnan(y.data<float>()[19]));
  });
}

// dx of torch.nn.functional.max_pool2d where windows have several; dy = 1, 2, 3, ... in all 40
// channels, of which each has the same x.
TEST(MaxPool, OfSeveralNotANumbersTheLastWins) {
  constexpr float none = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values{1, none, 0, 2, 2, 1, 0, 3, none, none, none, 5, 4, 3, 3};
  const std::pair<PoolGeometry, std::vector<float>> goldens[] = {
      {{.window = {2, 2}}, {0, 1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0}},
      {{.window = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
       {0, 1, 0, 0, 0, 0, 0, 0, 7, 9, 4, 0, 0, 0, 0}},
      {{.window = {3, 3}, .stride = {1, 1}, .padding = {1, 1}},
       {0, 3, 0, 0, 0, 0, 0, 0, 24, 57, 36, 0, 0, 0, 0}}};
  const auto in_all_channels = [](const auto& number_of, const Shape& shape, DataType type) {
    const Tensor x = host_tensor(shape, DataType::f32);
    for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = number_of(i / shape.back());
    return converted(x, type);
  };
  for_each_device([&](Context& context) {
    for (DataType type : {DataType::f32, DataType::f64, DataType::bf16})
      for (const auto& [geometry, expected] : goldens) {
        const Shape shape{1, 3, 5, 40};
        const auto here = [&](const Tensor& x) { return to_device(x, context.device); };
        const Tensor x = here(in_all_channels(
                         [&](int64_t i) { return values[static_cast<size_t>(i)]; }, shape, type)),
                     places =
                         here(in_all_channels([](int64_t i) { return float(i); }, shape, type));
        const Tensor y = converted(host_copy(max_pool(context, x, geometry)), DataType::f32),
                     winners = converted(host_copy(max_pool_gather(context, x, places, geometry)),
                                         DataType::f32);
        for (float element : y.span<float>()) EXPECT_TRUE(std::isnan(element));
        const Tensor dy = in_all_channels([](int64_t i) { return float(i + 1); }, y.shape(), type);
        const Tensor dx =
            converted(host_copy(max_pool_scatter(context, x, here(dy), geometry)), DataType::f32);
        const Tensor wanted = in_all_channels(
            [&](int64_t i) { return expected[static_cast<size_t>(i)]; }, shape, DataType::f32);
        EXPECT_EQ(difference(dx, wanted), 0) << name_of(type) << " " << geometry.window;
        // What is gathered comes from where the gradient goes.
        for (float place : winners.span<float>())
          EXPECT_GT(expected[static_cast<size_t>(place)], 0) << name_of(type);
      }
  });
}

TEST(MaxPool, NamesWhatDoesNotFit) {
  Context context;
  const Tensor x = host_tensor({1, 2, 4, 16}, DataType::f32);
  EXPECT_EQ(error_of([&] { max_pool(context, x, {.window = {2}}); }),
            "max_pool: window [2], stride [], padding [] do not give one number for each spatial "
            "axis of x [1, 2, 4, 16]");
  EXPECT_EQ(error_of([&] {
              max_pool(context, x, {.window = {3, 3}});
            }),
            "max_pool: window 3, stride 3, padding 0 on axis 1 of x [1, 2, 4, 16] (the padding is "
            "at most half the window, the window fits)");
}

}  // namespace
}  // namespace py4cast::testing
