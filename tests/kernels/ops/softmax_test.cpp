#include "kernels/ops/softmax.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

Tensor from_ops(Context& context, const std::vector<Tensor>& in) {
  const Tensor power = exponential(context, in[0]);
  return divide(context, power, broadcast(context, sum(context, power, -1), power.shape()));
}

Tensor of_first(Context& context, const std::vector<Tensor>& in) {
  return softmax(context, in[0]);
}

class SoftmaxShapes : public ::testing::TestWithParam<Shape> {};

TEST_P(SoftmaxShapes, Checked) {
  check_op({.op = of_first,
            .composite = from_ops,
            .shapes = {GetParam()},
            .low = -3,
            .high = 3,
            .bf16 = {true},
            .bf16_roundings = 2});
}
INSTANTIATE_TEST_SUITE_P(OddSizes, SoftmaxShapes,
                         ::testing::Values(Shape{2, 3}, Shape{5, 7}, Shape{2, 3, 16}, Shape{3, 33},
                                           Shape{37, 8}, Shape{2, 264}));

TEST(Softmax, OfOneElementIsOne) {
  expect_values(of_first, {tensor_of({2, 1}, {-7, 800})}, tensor_of({2, 1}, {1, -3}),
                {{1, 1}, {0, 0}});
}

// torch.nn.functional.softmax in f64.
TEST(Softmax, HasTheValuesOfTheReference) {
  expect_values(of_first, {tensor_of({2, 3}, {1, 2, 4, -1, 0.5, 3})},
                tensor_of({2, 3}, {1, -2, 0.5, 0.25, 1, -1}),
                {{0.04201006613406605, 0.11419519938459449, 0.8437947344813395,
                  0.016644518609272352, 0.07459555713221444, 0.9087599242585133},
                 {0.0321159799345879, -0.25528531349443784, 0.22316933355984994,
                  0.01797613398421006, 0.13651011105312771, -0.1544862450373377}});
}

TEST(Softmax, DoesNotOverflow) {
  expect_values(
      of_first, {tensor_of({2, 3}, {1000, 1000, -1000, -5000, -5000, -5000})},
      tensor_of({2, 3}, {1, 0, 0, 0, 1, 0}),
      {{0.5, 0.5, 0, 1.0 / 3, 1.0 / 3, 1.0 / 3}, {0.25, -0.25, 0, -1.0 / 9, 2.0 / 9, -1.0 / 9}});
}

// A row's sum is 1 whatever x is.
TEST(Softmax, DoesNotChangeItsSum) {
  Tensor dy = host_tensor({5, 37}, DataType::f64);
  for (double& value : dy.span<double>()) value = 3;
  expect_no_gradient(of_first, {random_tensor({5, 37}, DataType::f64, 1, -4, 4)}, dy, 0, {true});
}

TEST(Softmax, DoesNotDependOnThreads) {
  for (DataType type : {DataType::f32, DataType::bf16}) {
    const Tensor x = random_tensor({200, 100}, type, 1);
    check_threads([&](Context& c) { return softmax(c, x); }, type);
  }
}

TEST(Softmax, NamesWhatDoesNotFit) {
  Context context;
  EXPECT_EQ(error_of([&] {
              softmax(context, host_tensor({2, 0}, DataType::f32));
            }),
            "softmax: x is [2, 0] and has no elements to weigh");
}

}  // namespace
}  // namespace py4cast::testing
