#include "kernels/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/parameters.h"
#include "kernels/arithmetic.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

// 1 inside, 0 on the frame of one point, [rows, columns, 1].
Tensor interior(int64_t rows, int64_t columns, DataType type) {
  Tensor mask = host_tensor({rows, columns, 1}, DataType::f64);
  for (int64_t r = 1; r + 1 < rows; ++r)
    for (int64_t c = 1; c + 1 < columns; ++c) mask.data<double>()[r * columns + c] = 1;
  return converted(mask, type);
}

Tensor weights(int64_t features, DataType type) {
  return random_tensor({features}, type, 55, 0.5, 2);
}

// x with NaN at every 7th element.
Tensor with_gaps(const Tensor& x) {
  Tensor result = converted(x, DataType::f64);
  for (int64_t i = 0; i < x.numel(); i += 7)
    result.data<double>()[i] = std::numeric_limits<double>::quiet_NaN();
  return converted(result, x.type());
}

class Loss : public ::testing::TestWithParam<LossKind> {};

TEST_P(Loss, Checked) {
  const LossKind kind = GetParam();
  for (const Shape& shape :
       {Shape{2, 3, 5, 7, 3}, Shape{5, 7, 1}, Shape{2, 19, 17, 2}, Shape{3, 4, 11}}) {
    const int64_t rows = shape[-3], columns = shape[-2], features = shape.back();
    check_op({.op =
                  [=](Context& c, const auto& in) {
                    return weighted_loss(c, in[0], in[1], interior(rows, columns, in[0].type()),
                                         weights(features, in[0].type()), kind);
                  },
              .composite =
                  [=](Context& c, const auto& in) {
                    return weighted_loss_composite(c, in[0], in[1],
                                                   interior(rows, columns, in[0].type()),
                                                   weights(features, in[0].type()), kind);
                  },
              .shapes = {shape, shape},
              .second_order = shape.numel() < 300});
  }
}

TEST_P(Loss, MissingTargets) {
  const LossKind kind = GetParam();
  const Shape shape{2, 5, 7, 3};
  const Tensor target = with_gaps(random_tensor(shape, DataType::f64, 3));
  const auto with = [&](auto loss) {
    return [=](Context& c, const auto& in) {
      return loss(c, in[0], converted(target, in[0].type()), interior(5, 7, in[0].type()),
                  weights(3, in[0].type()), kind);
    };
  };
  check_op(
      {.op = with(weighted_loss), .composite = with(weighted_loss_composite), .shapes = {shape}});
}
INSTANTIATE_TEST_SUITE_P(Kinds, Loss, ::testing::Values(LossKind::squared, LossKind::absolute));

TEST(Loss, IsTheFormula) {
  // two steps, four points (one outside), two features
  Tensor prediction = host_tensor({1, 2, 4, 2}, DataType::f32),
         target = host_tensor({1, 2, 4, 2}, DataType::f32),
         mask = host_tensor({4, 1}, DataType::f32), weight = host_tensor({2}, DataType::f32);
  weight.data<float>()[0] = 2;
  weight.data<float>()[1] = 0.5F;
  for (int s = 0; s < 4; ++s) mask.data<float>()[s] = s == 3 ? 0 : 1;
  for (int i = 0; i < 16; ++i) prediction.data<float>()[i] = static_cast<float>(i % 8) - 3;
  target.data<float>()[6] = std::numeric_limits<float>::infinity();  // outside
  Context context;
  // feature 0: -3, -1, 1;  feature 1: -2, 0, 2
  Tensor loss = weighted_loss(context, prediction, target, mask, weight, LossKind::squared);
  EXPECT_EQ(loss.shape(), (Shape{1, 2}));
  EXPECT_FLOAT_EQ(loss.data<float>()[0], 2.F * 11 / 3 + 0.5F * 8 / 3);
  EXPECT_FLOAT_EQ(loss.data<float>()[1], loss.data<float>()[0]);
  loss = weighted_loss(context, prediction, target, mask, weight, LossKind::absolute);
  EXPECT_FLOAT_EQ(loss.data<float>()[0], 2.F * 5 / 3 + 0.5F * 4 / 3);

  const float missing = std::numeric_limits<float>::quiet_NaN();
  target.data<float>()[0] = missing;                                          // feature 0, point 0
  for (int s = 0; s < 3; ++s) target.data<float>()[8 + 2 * s + 1] = missing;  // all of feature 1
  loss = weighted_loss(context, prediction, target, mask, weight, LossKind::squared);
  EXPECT_FLOAT_EQ(loss.data<float>()[0], 2.F * 2 / 2 + 0.5F * 8 / 3);
  EXPECT_FLOAT_EQ(loss.data<float>()[1], 2.F * 11 / 3);

  prediction.data<float>()[4] = missing;  // a network that diverged is not hidden
  loss = weighted_loss(context, prediction, target, mask, weight, LossKind::squared);
  EXPECT_TRUE(std::isnan(loss.data<float>()[0]));
}

TEST(Loss, DoesNotDependOnThreads) {
  for (int64_t features : {1, 3, 21}) {
    const Shape shape{2, 65, 47, features};
    const Tensor prediction = random_tensor(shape, DataType::f32, 1),
                 target = with_gaps(random_tensor(shape, DataType::f32, 2));
    check_threads([&](Context& context) {
      return weighted_loss(context, prediction, target, interior(65, 47, DataType::f32),
                           weights(features, DataType::f32), LossKind::squared);
    });
  }
}

TEST(Loss, NamesWhatDoesNotFit) {
  Context context;
  const Tensor x = host_tensor({2, 4, 5, 3}, DataType::f32), w = host_tensor({3}, DataType::f32),
               mask = host_tensor({5, 4, 1}, DataType::f32);
  EXPECT_EQ(error_of([&] { weighted_loss(context, x, x, mask, w, LossKind::squared); }),
            "weighted_loss: mask is f32 [5, 4, 1] and weights are f32 but prediction is f32 "
            "[2, 4, 5, 3]; mask has its point axes and 1");
  EXPECT_EQ(error_of([&] {
              weighted_loss(context, x, x, mask, host_tensor({2}, DataType::f32),
                            LossKind::squared);
            }),
            "weighted_loss: weights has 2 elements but the last axis of x has 3 (x is [2, 4, 5, "
            "3])");
}

}  // namespace
}  // namespace py4cast::testing
