#include "kernels/ops/layer_norm.h"

#include <gtest/gtest.h>

#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

class LayerNormShapes : public ::testing::TestWithParam<Shape> {};

TEST_P(LayerNormShapes, Checked) {
  const Shape shape = GetParam();
  check_op(
      {.op = [](Context& c, const auto& in) { return layer_norm(c, in[0], in[1], in[2], 1e-5); },
       .composite =
           [](Context& c, const auto& in) {
             return layer_norm_composite(c, in[0], in[1], in[2], 1e-5);
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
