#include "kernels/ops/upsample.h"

#include <gtest/gtest.h>

#include "kernels/ops/arithmetic.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

constexpr Upsampling corners{Interpolation::linear, true}, halves{Interpolation::linear, false},
    nearest{Interpolation::nearest, false};

struct UpsampleCase {
  Shape x, size;
  Upsampling upsampling;
};

class Upsamplings : public ::testing::TestWithParam<UpsampleCase> {
 protected:
  static Shape resized(Shape shape, const Shape& size) {
    for (int axis = 0; axis < size.rank(); ++axis) shape[axis + 1] = size[axis];
    return shape;
  }
  static int passes(const Shape& x) { return x.rank() == 5 ? 2 : 1; }
};

TEST_P(Upsamplings, Checked) {
  const auto [x, size, upsampling] = GetParam();
  check_op({.op = [size = size, u = upsampling](
                      Context& c, const auto& in) { return upsample(c, in[0], size, u); },
            .shapes = {x},
            .bf16 = {true},
            .bf16_roundings = passes(x)});
}

TEST_P(Upsamplings, AddedToABaseChecked) {
  const auto [x, size, upsampling] = GetParam();
  check_op({.op = [size = size, u = upsampling](
                      Context& c, const auto& in) { return upsample(c, in[0], size, u, in[1]); },
            .composite = [size = size, u = upsampling](
                             Context& c,
                             const auto& in) { return add(c, upsample(c, in[0], size, u), in[1]); },
            .shapes = {x, resized(x, size)},
            .bf16 = {true, true},
            .bf16_roundings = x.rank() == 4 ? 1 : passes(x) + 1});
}

TEST_P(Upsamplings, GradientChecked) {
  const auto [x, size, upsampling] = GetParam();
  Shape source{};
  source = size;
  for (int axis = 0; axis < size.rank(); ++axis) source[axis] = x[axis + 1];
  check_op(
      {.op = [source, u = upsampling](
                 Context& c, const auto& in) { return upsample_gradient(c, in[0], source, u); },
       .shapes = {resized(x, size)},
       .bf16 = {true},
       .bf16_roundings = passes(x)});
}

INSTANTIATE_TEST_SUITE_P(
    OddSizes, Upsamplings,
    ::testing::Values(
        UpsampleCase{{1, 3, 4, 5}, {6, 8}, corners}, UpsampleCase{{1, 3, 4, 5}, {6, 8}, halves},
        UpsampleCase{{1, 2, 3, 16}, {4, 5}, halves}, UpsampleCase{{1, 7, 2, 1}, {9, 3}, corners},
        UpsampleCase{{2, 2, 3, 33}, {5, 4}, corners}, UpsampleCase{{2, 3, 2, 3}, {7, 9}, halves},
        UpsampleCase{{1, 2, 3, 2}, {5, 7}, nearest}, UpsampleCase{{1, 5, 6, 2}, {3, 4}, corners},
        UpsampleCase{{1, 5, 6, 2}, {1, 6}, halves}, UpsampleCase{{1, 1, 1, 2}, {3, 2}, corners},
        UpsampleCase{{1, 2, 1, 8}, {18, 5}, corners}, UpsampleCase{{1, 2, 2, 3}, {13, 17}, halves},
        UpsampleCase{{2, 3, 2}, {7}, corners}, UpsampleCase{{2, 3, 2}, {5}, halves},
        UpsampleCase{{1, 2, 3, 2, 2}, {3, 5, 4}, halves},
        UpsampleCase{{2, 2, 2, 3, 1}, {4, 3, 3}, corners}));

// Values of torch.nn.functional.interpolate.
TEST(Upsample, HasTheConventionsOfTheReference) {
  Context context;
  const Tensor x = host_tensor({1, 2, 3, 1}, DataType::f64);
  const double values[] = {1, 2, 4, -1, 0.5, 3};
  std::copy(values, values + 6, x.data<double>());
  const auto expect = [&](const Tensor& y, const std::vector<double>& expected) {
    ASSERT_EQ(y.numel(), static_cast<int64_t>(expected.size()));
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(y.data<double>()[i], expected[i], 1e-6);
  };
  expect(upsample(context, x, {3, 5}, corners),
         {1, 1.5, 2, 3, 4, 0, 0.625, 1.25, 2.375, 3.5, -1, -0.25, 0.5, 1.75, 3});
  expect(upsample(context, x, {3, 5}, halves),
         {1, 1.4, 2, 3.2, 4, 0, 0.5, 1.25, 2.6, 3.5, -1, -0.4, 0.5, 2, 3});
  expect(upsample(context, x, {3, 5}, nearest),
         {1, 1, 2, 2, 4, 1, 1, 2, 2, 4, -1, -1, 0.5, 0.5, 3});
  const Tensor cube = host_tensor({1, 2, 2, 2, 1}, DataType::f64);
  for (int i = 0; i < 8; ++i) cube.data<double>()[i] = i * i;
  expect(upsample(context, cube, {3, 2, 3}, halves),
         {0, 0.5, 1, 4, 6.5, 9, 8, 10.5, 13, 20, 24.5, 29, 16, 20.5, 25, 36, 42.5, 49});
}

TEST(Upsample, TakesOverItsBase) {
  Context context;
  const Tensor x = random_tensor({1, 2, 2, 3}, DataType::f32, 1);
  Tensor base = random_tensor({1, 4, 4, 3}, DataType::f32, 2);
  const std::byte* const memory = base.raw();
  EXPECT_EQ(upsample(context, x, {4, 4}, corners, std::move(base)).raw(), memory);
}

TEST(Upsample, NamesWhatDoesNotFit) {
  Context context;
  const Tensor x = host_tensor({1, 2, 2, 3}, DataType::f32);
  EXPECT_EQ(error_of([&] { upsample(context, x, {4}, corners); }),
            "upsample: [4] is no size for the spatial axes of [1, 2, 2, 3]");
  EXPECT_EQ(error_of([&] {
              upsample(context, x, {4, 4}, corners, x);
            }),
            "upsample: base is f32 [1, 2, 2, 3] but the result is f32 [1, 4, 4, 3]");
}

}  // namespace
}  // namespace py4cast::testing
