#include "kernels/ops/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/parameters.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

Tensor full_of(int64_t channels, float value) {
  Tensor result = host_tensor({channels}, DataType::f32);
  for (float& element : result.span<float>()) element = value;
  return result;
}

class BatchNormShapes : public ::testing::TestWithParam<std::tuple<Shape, Activation>> {};

TEST_P(BatchNormShapes, Checked) {
  const auto [shape, activation] = GetParam();
  check_op({.op = [a = activation](
                      Context& c,
                      const auto& in) { return batch_norm(c, in[0], in[1], in[2], 1e-3, a).y; },
            .composite =
                [a = activation](Context& c, const auto& in) {
                  return batch_norm_composite(c, in[0], in[1], in[2], 1e-3, a);
                },
            .shapes = {shape, {shape.back()}, {shape.back()}},
            .second_order = shape.numel() < 1000,
            .bf16 = {true, false, false}});
}

TEST_P(BatchNormShapes, EvaluationChecked) {
  const auto [shape, activation] = GetParam();
  check_op({.op =
                [a = activation](Context& c, const auto& in) {
                  return batch_norm_evaluate(c, in[0], in[1], in[2], in[3].detached(),
                                             in[4].detached(), 1e-3, a);
                },
            .composite =
                [a = activation](Context& c, const auto& in) {
                  return batch_norm_evaluate_composite(c, in[0], in[1], in[2], in[3].detached(),
                                                       in[4].detached(), 1e-3, a);
                },
            .shapes = {shape, {shape.back()}, {shape.back()}, {shape.back()}, {shape.back()}},
            .low = 0.1,
            .high = 1.3,
            .constant = {false, false, false, true, true},
            .second_order = shape.numel() < 1000,
            .bf16 = {true, false, false, false, false}});
}

INSTANTIATE_TEST_SUITE_P(
    OddSizes, BatchNormShapes,
    ::testing::Combine(::testing::Values(Shape{5, 3}, Shape{7, 5}, Shape{2, 3, 5, 4}, Shape{3, 33},
                                         Shape{3, 67}, Shape{70, 2}, Shape{9, 16}, Shape{300, 4}),
                       ::testing::Values(Activation::identity, Activation::relu)));

// Many rows (several blocks and chunks) with a mean far above the deviation.
TEST(BatchNorm, StatisticsKeepTheirDigits) {
  const int64_t rows = 1500;
  for (int64_t channels : {21, 8}) {
    Tensor x = random_tensor({rows, channels}, DataType::f64, 1);
    for (double& element : x.span<double>()) element += 1000;
    const Tensor single = converted(x, DataType::f32), exact = converted(single, DataType::f64);
    for_each_device([&](Context& context) {
      const Device device = context.device;
      const BatchNormResult found =
          batch_norm(context, to_device(single, device), to_device(full_of(channels, 1), device),
                     to_device(full_of(channels, 0), device));
      const Tensor means = host_copy(found.mean), variances = host_copy(found.variance);
      for (int64_t c = 0; c < channels; ++c) {
        double mean = 0, squares = 0;
        for (int64_t r = 0; r < rows; ++r) mean += exact.data<double>()[r * channels + c] / rows;
        for (int64_t r = 0; r < rows; ++r)
          squares += std::pow(exact.data<double>()[r * channels + c] - mean, 2);
        EXPECT_NEAR(means.data<float>()[c] / mean, 1, 1e-7);
        EXPECT_NEAR(variances.data<float>()[c] / (squares / (rows - 1)), 1, 1e-4);
      }
    });
  }
}

TEST(BatchNorm, NotANumberIsNotHidden) {
  const Tensor x = random_tensor({4, 16}, DataType::f32, 1);
  x.data<float>()[17] = std::nanf("");
  for_each_device([&](Context& context) {
    const Tensor ones = to_device(full_of(16, 1), context.device);
    const Tensor y = host_copy(
        batch_norm(context, to_device(x, context.device), ones, ones, 1e-5, Activation::relu).y);
    EXPECT_TRUE(std::isnan(y.data<float>()[1]));
    EXPECT_FALSE(std::isnan(y.data<float>()[2]));
  });
}

TEST(BatchNorm, NamesWhatDoesNotFit) {
  Context context;
  const Tensor one = host_tensor({4}, DataType::f32);
  EXPECT_EQ(error_of([&] {
              batch_norm(context, host_tensor({1, 4}, DataType::f32), one, one);
            }),
            "batch_norm: x is [1, 4]: 1 values for each channel have no variance");
  EXPECT_EQ(error_of([&] {
              batch_norm(context, host_tensor({3, 5}, DataType::f32), one, one);
            }),
            "batch_norm: gamma has 4 elements but the last axis of x has 5 (x is [3, 5])");
}

}  // namespace
}  // namespace py4cast::testing
