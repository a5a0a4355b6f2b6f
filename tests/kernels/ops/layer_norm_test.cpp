#include "kernels/ops/layer_norm.h"

#include <gtest/gtest.h>

#include "kernels/ops/arithmetic.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

class LayerNormShapes : public ::testing::TestWithParam<Shape> {};

TEST_P(LayerNormShapes, Checked) {
  const Shape shape = GetParam();
  for (const auto& [inside, outside] : {std::pair(1e-5, 0.0), {0.0, 0.125}})
    check_op(
        {.op = [a = inside, b = outside](
                   Context& c, const auto& in) { return layer_norm(c, in[0], in[1], in[2], a, b); },
         .composite =
             [a = inside, b = outside](Context& c, const auto& in) {
               return layer_norm_composite(c, in[0], in[1], in[2], a, b);
             },
         .shapes = {shape, {shape.back()}, {shape.back()}},
         .bf16 = {true, false, false}});
}
INSTANTIATE_TEST_SUITE_P(OddSizes, LayerNormShapes,
                         ::testing::Values(Shape{1, 3}, Shape{5, 7}, Shape{2, 3, 16}, Shape{3, 33},
                                           Shape{37, 8}, Shape{2, 264}));

// By the formula in decimal numbers of 60 digits; gradients by central differences of them.
TEST(LayerNorm, HasTheValuesOfItsFormula) {
  const Tensor x = tensor_of({2, 3}, {1, 2, 4, -1, 0.5, 3}), gamma = tensor_of({3}, {1.5, -0.5, 2}),
               beta = tensor_of({3}, {0.125, 0.25, -0.375}),
               dy = tensor_of({2, 3}, {1, -2, 0.5, 0.25, 1, -1});
  expect_values([](Context& c, const auto& in) { return layer_norm(c, in[0], in[1], in[2], 1e-3); },
                {x, gamma, beta}, dy,
                {{-1.47805226745842, 0.3835876889548684, 2.296753779097367, -1.541445644762424,
                  0.3509967057431772, 2.250914349322608},
                 {0.1146018163937189, -0.1717310793338728, 0.05712926294015393,
                  -0.003622183865039487, 0.006227560143391268, -0.002605376278351781},
                 {-1.346442452432684, 0.332357344333119, -0.6450187298869621},
                 {1.25, -1, -0.5}});
}

// torch in f64: (x - mean) / (sqrt(biased variance) + 0.125) gamma + beta.
TEST(LayerNorm, AddsToTheDeviationOutsideOfTheRoot) {
  expect_values(
      [](Context& c, const auto& in) { return layer_norm(c, in[0], in[1], in[2], 0, 0.125); },
      {tensor_of({2, 3}, {1, 2, 4, -1, 0.5, 3}), tensor_of({3}, {1.5, -0.5, 2}),
       tensor_of({3}, {0.125, 0.25, -0.375})},
      tensor_of({2, 3}, {1, -2, 0.5, 0.25, 1, -1}),
      {{-1.3324931640599704, 0.3714577636716642, 2.0541552734332833, -1.4243692516135211,
        0.3439011667644558, 2.066430335875851},
       {0.11675121602381644, -0.1529988415015422, 0.03624762547772564, 0.03964486128552758,
        0.013610508876763405, -0.05325537016229098},
       {-1.2298903179755671, 0.29802872115774526, -0.6134263495796047},
       {1.25, -1.0, -0.5}});
}

// Without variance the root has no derivative, which counts as 0: what is left is
// (gamma dy - mean(gamma dy)) / outside. So it is for second derivatives, which then vanish.
TEST(LayerNorm, WithoutVarianceHasADerivative) {
  const Tensor x = tensor_of({1, 4}, {2, 2, 2, 2}), gamma = tensor_of({4}, {1, 2, 1, 1}),
               beta = tensor_of({4}, {0, 1, 2, 3}), dy = tensor_of({1, 4}, {1, 1, 0, 1});
  const auto op = [](Context& c, const auto& in) {
    return layer_norm(c, in[0], in[1], in[2], 0, 0.25);
  };
  expect_values(op, {x, gamma, beta}, dy,
                {{0, 1, 2, 3}, {0, 4, -4, 0}, {0, 0, 0, 0}, {1, 1, 0, 1}});
  Context context;
  Tape tape(add);
  context.tape = &tape;
  const Tensor leaf = tape.watch(x), y = op(context, std::vector{leaf, gamma, beta});
  const Gradients first = tape.gradient(context, {&y, 1}, {dy}, {&leaf, 1}, true);
  const Gradients second = tape.gradient(context, {&first[0], 1}, {dy}, {&leaf, 1});
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(second[0].data<double>()[i], 0);
}

// y's sum along a row does not change with x.
TEST(LayerNorm, DoesNotChangeItsSum) {
  Tensor dy = host_tensor({5, 37}, DataType::f64), gamma = host_tensor({37}, DataType::f64);
  for (double& value : dy.span<double>()) value = 3;
  for (double& value : gamma.span<double>()) value = 0.5;
  for (const auto& [inside, outside] : {std::pair(1e-5, 0.0), {0.0, 1e-5}})
    expect_no_gradient(
        [a = inside, b = outside](Context& c, const auto& in) {
          return layer_norm(c, in[0], in[1], in[2], a, b);
        },
        {random_tensor({5, 37}, DataType::f64, 1, -4, 4), gamma, gamma}, dy, 0,
        {true, false, false});
}

TEST(LayerNorm, NamesWhatDoesNotFit) {
  Context context;
  context.path = "processor.2";
  const Tensor x = host_tensor({2, 4}, DataType::f32), gamma = host_tensor({5}, DataType::f32);
  EXPECT_EQ(error_of([&] { layer_norm(context, x, gamma, gamma); }),
            "layer_norm: gamma has 5 elements but the last axis of x has 4 (x is [2, 4]) [in "
            "processor.2]");
}

}  // namespace
}  // namespace py4cast::testing
