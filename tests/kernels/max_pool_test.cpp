#include "kernels/max_pool.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/parameters.h"
#include "kernels/views.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

struct Case {
  Shape x;
  PoolGeometry geometry;
};

class MaxPools : public ::testing::TestWithParam<Case> {};

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
    ::testing::Values(Case{{2, 7, 3}, {.window = {2}}}, Case{{1, 5, 7, 5}, {.window = {2, 2}}},
                      Case{{2, 4, 6, 33}, {.window = {2, 2}}},
                      Case{{1, 5, 4, 8}, {.window = {2, 2}}},
                      Case{{1, 5, 6, 3}, {.window = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}},
                      Case{{2, 4, 5, 2}, {.window = {3, 2}, .stride = {1, 1}, .padding = {1, 0}}},
                      Case{{1, 6, 5, 2}, {.window = {2, 1}, .stride = {3, 2}}},
                      Case{{1, 3, 4, 5, 2}, {.window = {2, 2, 2}}}));

struct Golden {
  PoolGeometry geometry;
  std::vector<float> y, dx;
};

// Values of torch.nn.functional.max_pool2d, with ties; dy = 1, 2, 3, ...
TEST(MaxPool, TheFirstOfEqualElementsWins) {
  const std::vector<float> values{1, 1, 0, 2, 2, 1, 0, 3, 3, 1, 5, 4, 3, 3, 9};
  const Golden goldens[] = {
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
    for (const Golden& golden : goldens) {
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
