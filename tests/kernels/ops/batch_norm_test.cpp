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

// By the formula in decimal numbers of 60 digits; gradients by central differences of them.
class BatchNormValues : public ::testing::Test {
 protected:
  const std::vector<Tensor> inputs_{tensor_of({4, 2}, {1, 2, -1, 0.5, 3, -2, 0.25, 4}),
                                    tensor_of({2}, {1.5, -0.5}), tensor_of({2}, {0.125, 0.25})};
  const Tensor dy_ = tensor_of({4, 2}, {1, -2, 0.5, 1, -1, 0.25, 2, 3});
};

TEST_F(BatchNormValues, OfItsFormula) {
  expect_values(
      [](Context& c, const auto& in) { return batch_norm(c, in[0], in[1], in[2], 1e-3).y; },
      inputs_, dy_,
      {{0.3187827080780546, 0.05026526723323079, -1.748232844754528, 0.392667666261978,
        2.385798260910637, 0.96333833130989, -0.4563481242341638, -0.4062712648050988},
       {0.4802782254417511, 0.6418532183410337, -1.025412295146575, -0.1405214997169016,
        -0.5978006950106516, -0.1319368335365962, 1.142934764715475, -0.3693948850875359},
       {-2.777552149118783, 2.496684159584615},
       {2.5, 2.25}});
}

TEST_F(BatchNormValues, OfItsFormulaWithReLU) {
  expect_values(
      [](Context& c, const auto& in) {
        return batch_norm(c, in[0], in[1], in[2], 1e-3, Activation::relu).y;
      },
      inputs_, dy_,
      {{0.3187827080780546, 0.05026526723323079, 0, 0.392667666261978, 2.385798260910637,
        0.96333833130989, 0, 0},
       {1.079504829085137, 0.3808876924262545, -0.4446381757988406, -0.2476053232309855,
        -0.4968754952797595, 0.01744884695047885, -0.1379911580065367, -0.1507312161457478},
       {-1.378010368555055, -1.440943429245978},
       {0, -0.75}});
}

TEST_F(BatchNormValues, OfItsFormulaWithGivenStatistics) {
  const Tensor mean = tensor_of({2}, {0.5, -1}), variance = tensor_of({2}, {2.25, 0.5});
  expect_values(
      [&](Context& c, const auto& in) {
        const auto given = [&](const Tensor& v) {
          return to_device(converted(v, compute_type(in[0].type())), c.device);
        };
        return batch_norm_evaluate(c, in[0], in[1], in[2], given(mean), given(variance), 1e-3);
      },
      inputs_, dy_,
      {{0.6248889259122138, -1.869202199902561, -1.374666777736641, -0.8096010999512807,
        2.624444629561069, 0.9564007333008538, -0.1249444629561069, -3.282003666504269},
       {0.9997778518244277, 1.412801466601708, 0.4998889259122138, -0.7064007333008538,
        -0.9997778518244277, -0.1766001833252135, 1.999555703648855, -2.119202199902562},
       {-2.166185345619593, 14.4812150326675},
       {2.5, 2.25}});
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
