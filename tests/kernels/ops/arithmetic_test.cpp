#include "kernels/ops/arithmetic.h"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/ops/reduce.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

const Shape shape{3, 7};

TEST(Arithmetic, Binary) {
  for (auto op : {add, subtract, multiply, divide})
    check_op({.op = [=](Context& c, const auto& in) { return op(c, in[0], in[1]); },
              .shapes = {shape, shape},
              .low = 0.5,
              .high = 2,
              .bf16 = {true, true},
              .bf16_roundings = 5});
}

TEST(Arithmetic, Unary) {
  for (auto op : {exponential, logarithm, hyperbolic_tangent, error_function, absolute})
    check_op({.op = [=](Context& c, const auto& in) { return op(c, in[0]); },
              .shapes = {shape},
              .low = 0.3,
              .high = 2,
              .bf16 = {true},
              .bf16_roundings = 6});
  check_op({.op = [](Context& c, const auto& in) { return power(c, in[0], -0.5); },
            .shapes = {shape},
            .low = 0.5,
            .high = 2,
            .bf16 = {true},
            .bf16_roundings = 3});
  check_op({.op = [](Context& c, const auto& in) { return affine(c, in[0], -3, 0.25); },
            .shapes = {shape},
            .bf16 = {true}});
  check_op({.op = [](Context& c, const auto& in) { return without_nan(c, in[0]); },
            .shapes = {{3, 4}},
            .bf16 = {true}});
  check_op({.op = [](Context& c, const auto& in) { return affine(c, in[0], -3, 0.25); },
            .shapes = {{2, 601}},  // several vectors and blocks
            .second_order = false,
            .bf16 = {true}});
}

// By hand: x = (0.25, 4), z = (2, -0.5), dy = (1, 3).
TEST(Arithmetic, HasTheValuesOfItsFormulas) {
  const Tensor x = tensor_of({2}, {0.25, 4}), z = tensor_of({2}, {2, -0.5}),
               dy = tensor_of({2}, {1, 3});
  const auto binary = [&](Tensor (*op)(Context&, Tensor, Tensor),
                          const std::vector<std::vector<double>>& expected) {
    expect_values([op](Context& c, const auto& in) { return op(c, in[0], in[1]); }, {x, z}, dy,
                  expected);
  };
  binary(add, {{2.25, 3.5}, {1, 3}, {1, 3}});
  binary(subtract, {{-1.75, 4.5}, {1, 3}, {-1, -3}});
  binary(multiply, {{0.5, -2}, {2, -1.5}, {0.25, 12}});
  binary(divide, {{0.125, -8}, {0.5, -6}, {-0.0625, -48}});
  const auto unary = [&](const Op& op, const Tensor& at,
                         const std::vector<std::vector<double>>& expected) {
    expect_values(op, {at}, dy, expected);
  };
  unary([](Context& c, const auto& in) { return affine(c, in[0], -3, 0.5); }, x,
        {{-0.25, -11.5}, {-3, -9}});
  unary([](Context& c, const auto& in) { return power(c, in[0], -0.5); }, x,
        {{2, 0.5}, {-4, -0.1875}});
  unary([](Context& c, const auto& in) { return logarithm(c, in[0]); }, x,
        {{-1.3862943611198906, 1.3862943611198906}, {4, 0.75}});
  unary([](Context& c, const auto& in) { return absolute(c, in[0]); }, z, {{2, 0.5}, {1, -3}});
  unary([](Context& c, const auto& in) { return greater(c, in[0], 0.25); }, x, {{0, 1}, {}});
}

TEST(Reduce, HasTheValuesOfItsFormulas) {
  const Tensor x = tensor_of({2, 3}, {1, 2, 4, -1, 0.5, 3});
  expect_values([](Context& c, const auto& in) { return mean(c, in[0], 1); }, {x},
                tensor_of({2, 1}, {3, -6}), {{7.0 / 3, 2.5 / 3}, {1, 1, 1, -2, -2, -2}});
  expect_values(
      [](Context& c, const auto& in) {
        return sum_to(c, in[0], {1, 3});
      },
      {x}, tensor_of({1, 3}, {1, 2, 3}), {{0, 2.5, 7}, {1, 2, 3, 1, 2, 3}});
  expect_values(
      [](Context& c, const auto& in) {
        return broadcast(c, in[0], {2, 3});
      },
      {tensor_of({2, 1}, {5, 7})}, x, {{5, 5, 5, 7, 7, 7}, {7, 2.5}});
}

TEST(Arithmetic, NotANumber) {
  const Tensor x = random_tensor({1001}, DataType::f32, 3, 1, 2);
  x.data<float>()[1000] = x.data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  for_each_device([&](Context& context) {
    const Tensor at = to_device(x, context.device);
    const Tensor y = host_copy(without_nan(context, at)), is = host_copy(is_number(context, at));
    for (int i = 0; i < 1001; ++i) {
      const bool number = i != 5 && i != 1000;
      EXPECT_EQ(y.data<float>()[i], number ? x.data<float>()[i] : 0) << i;
      EXPECT_EQ(is.data<float>()[i], number ? 1 : 0) << i;
    }
  });
}

TEST(Arithmetic, AValueUsedTwiceGetsBothGradients) {
  check_op({.op =
                [](Context& c, const auto& in) {
                  return multiply(c, in[0], add(c, in[0], exponential(c, in[0])));
                },
            .shapes = {shape}});
}

TEST(Arithmetic, TakesOverMemoryThatIsGivenAway) {
  Context context;
  Tensor a = full(context, {4}, DataType::f32, 1), b = full(context, {4}, DataType::f32, 2);
  const std::byte* memory = a.raw();
  const Tensor kept = add(context, a, b);
  EXPECT_NE(kept.raw(), memory);
  const Tensor taken = add(context, std::move(a), b);
  EXPECT_EQ(taken.raw(), memory);
  EXPECT_EQ(taken.span<float>()[3], 3);
}

TEST(Reduce, SumAndBroadcast) {
  check_op({.op =
                [](Context& c, const auto& in) {
                  return sum_to(c, in[0], {1, 3, 1, 5});
                },
            .shapes = {Shape{2, 3, 4, 5}},
            .bf16 = {true},
            .bf16_roundings = 2});
  check_op({.op =
                [](Context& c, const auto& in) {
                  return broadcast(c, in[0], {2, 3, 4, 5});
                },
            .shapes = {Shape{2, 1, 4, 1}},
            .bf16 = {true},
            .bf16_roundings = 2});
  check_op({.op = [](Context& c, const auto& in) { return mean_all(c, in[0]); },
            .shapes = {Shape{5, 3}},
            .bf16 = {true},
            .bf16_roundings = 3});
}

TEST(Reduce, SumsOfSeveralChunks) {
  for (const Shape& x : {Shape{1, 700, 1}, Shape{2, 300, 3}, Shape{2, 3, 290}, Shape{150, 2, 1}})
    check_op({.op = [](Context& c, const auto& in) { return sum(c, in[0], 1); },
              .shapes = {x},
              .second_order = false,
              .bf16 = {true}});
}

// Of bf16 elements: nothing is rounded to bf16 on the way to the sum.
TEST(Reduce, WideSums) {
  for (const auto& [x, y] : {std::pair<Shape, Shape>{{2, 3, 4, 5}, {1, 3, 1, 5}},
                             {{2, 300, 3}, {1, 1, 3}},
                             {{1, 700, 1}, {1, 1, 1}},
                             {{2, 3}, {2, 3}}})
    check_op({.op = [y = y](Context& c, const auto& in) { return wide_sum_to(c, in[0], y); },
              .shapes = {x},
              .bf16 = {true}});
}

TEST(Arithmetic, ShapesMustAgree) {
  Context context;
  EXPECT_EQ(error_of([&] {
              add(context, host_tensor({2}, DataType::f32), host_tensor({3}, DataType::f32));
            }),
            "add: a is f32 [2] but b is f32 [3]");
}

TEST(Arithmetic, IsTheSameForAnyNumberOfThreads) {
  const Tensor a = random_tensor({60013}, DataType::f32, 1, 0.1, 4),
               b = random_tensor({60013}, DataType::f32, 2, 0.1, 4);
  for (Tensor (*op)(Context&, Tensor, Tensor) : {add, subtract, multiply, divide})
    check_threads([&](Context& c) { return op(c, a, b); });
  for (Tensor (*op)(Context&, Tensor) :
       {exponential, logarithm, absolute, hyperbolic_tangent, error_function})
    check_threads([&](Context& c) { return op(c, a); });
  check_threads([&](Context& c) { return power(c, a, 1.7); });
  check_threads([&](Context& c) { return affine(c, a, 1.7, 0.3); });
}

}  // namespace
}  // namespace py4cast::testing
