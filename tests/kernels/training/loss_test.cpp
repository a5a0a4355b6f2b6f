#include "kernels/training/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
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

using LossOp = Tensor (*)(Context&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                          LossKind);
Op with_constants(LossOp loss, const Shape& shape, LossKind kind) {
  return [=](Context& c, const std::vector<Tensor>& in) {
    const DataType type = in[0].type();
    return loss(c, in[0], in[1], to_device(interior(shape[-3], shape[-2], type), c.device),
                to_device(weights(shape.back(), type), c.device), kind);
  };
}

TEST_P(Loss, Checked) {
  for (const Shape& shape : {Shape{2, 3, 5, 7, 3}, Shape{5, 7, 1}, Shape{2, 19, 17, 2},
                             Shape{3, 4, 11}, Shape{2, 5, 6, 8}})
    check_op({.op = with_constants(weighted_loss, shape, GetParam()),
              .composite = with_constants(weighted_loss_composite, shape, GetParam()),
              .shapes = {shape, shape},
              .second_order = shape.numel() < 300});
}

TEST_P(Loss, MissingTargets) {
  for (const Shape& shape : {Shape{2, 5, 7, 3}, Shape{5, 6, 8}}) {
    const Tensor target = with_gaps(random_tensor(shape, DataType::f64, 3));
    const auto with = [&](LossOp loss) {
      return [=, op = with_constants(loss, shape, GetParam())](Context& c,
                                                               const std::vector<Tensor>& in) {
        return op(c, {in[0], to_device(converted(target, in[0].type()), c.device)});
      };
    };
    check_op(
        {.op = with(weighted_loss), .composite = with(weighted_loss_composite), .shapes = {shape}});
  }
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
  const auto check = [&](LossKind kind, float first, float second) {
    for_each_device([&](Context& context) {
      const auto here = [&](const Tensor& x) { return to_device(x, context.device); };
      const Tensor loss = host_copy(
          weighted_loss(context, here(prediction), here(target), here(mask), here(weight), kind));
      EXPECT_EQ(loss.shape(), (Shape{1, 2}));
      for (auto [found, expected] :
           {std::pair{loss.data<float>()[0], first}, {loss.data<float>()[1], second}}) {
        if (std::isnan(expected))
          EXPECT_TRUE(std::isnan(found));
        else
          EXPECT_FLOAT_EQ(found, expected);
      }
    });
  };
  // feature 0: -3, -1, 1;  feature 1: -2, 0, 2
  const float squared = 2.F * 11 / 3 + 0.5F * 8 / 3, absolute = 2.F * 5 / 3 + 0.5F * 4 / 3;
  check(LossKind::squared, squared, squared);
  check(LossKind::absolute, absolute, absolute);

  const float missing = std::numeric_limits<float>::quiet_NaN();
  target.data<float>()[0] = missing;                                          // feature 0, point 0
  for (int s = 0; s < 3; ++s) target.data<float>()[8 + 2 * s + 1] = missing;  // all of feature 1
  check(LossKind::squared, 2.F * 2 / 2 + 0.5F * 8 / 3, 2.F * 11 / 3);

  prediction.data<float>()[4] = missing;  // a network that diverged is not hidden
  check(LossKind::squared, missing, 2.F * 11 / 3);
}

// 2 w d / n, or w sign(d) / n, of the three points inside; by hand.
TEST(Loss, GradientIsTheFormula) {
  const auto filled = [](const Shape& shape, std::vector<float> values) {
    const Tensor result = host_tensor(shape, DataType::f32);
    std::ranges::copy(values, result.span<float>().begin());
    return result;
  };
  const float missing = std::numeric_limits<float>::quiet_NaN();
  const Tensor prediction = filled({4, 2}, {-3, -2, 0, 0, 6, 2, 7, 7}),
               target = filled({4, 2}, {0, 0, 0, missing, 0, 0, 0, 0}),
               mask = filled({4, 1}, {1, 1, 1, 0}), weight = filled({2}, {3, 0.5});
  for (auto [kind, expected] :
       {std::pair{LossKind::squared, std::vector<float>{-6, -1, 0, 0, 12, 1, 0, 0}},
        {LossKind::absolute, {-1, -0.25, 0, 0, 1, 0.25, 0, 0}}})
    for_each_device([&, kind = kind, &values = expected](Context& context) {
      const auto here = [&](const Tensor& x) { return to_device(x, context.device); };
      Tape tape(add);
      Context recorded = context;
      recorded.tape = &tape;
      const Tensor leaf = tape.watch(here(prediction));
      const Tensor loss =
          weighted_loss(recorded, leaf, here(target), here(mask), here(weight), kind);
      const Gradients gradients =
          tape.backward(recorded, {&loss, 1}, {here(filled({}, {1}))},
                        [](Context&, const Parameter&, Tensor) {}, {&leaf, 1});
      const Tensor found = host_copy(gradients[0]);
      for (size_t i = 0; i < values.size(); ++i)
        EXPECT_FLOAT_EQ(found.span<float>()[i], values[i]) << i;
    });
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
            "weighted_loss: mask is f32 [5, 4, 1] but prediction is f32 [2, 4, 5, 3]; mask has its "
            "point axes and 1");
  EXPECT_EQ(error_of([&] {
              weighted_loss(context, x, x, mask, host_tensor({3}, DataType::f64),
                            LossKind::squared);
            }),
            "weighted_loss: weights are f64 but prediction is f32");
  EXPECT_EQ(error_of([&] {
              weighted_loss(context, x, x, mask, host_tensor({2}, DataType::f32),
                            LossKind::squared);
            }),
            "weighted_loss: weights has 2 elements but the last axis of x has 3 (x is [2, 4, 5, "
            "3])");
}

}  // namespace
}  // namespace py4cast::testing
