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
