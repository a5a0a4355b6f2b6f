#include "kernels/products/linear.h"

#include <gtest/gtest.h>

#include <cstring>

#include "engine/parameters.h"
#include "engine/work_counter.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

// y = sum over the middle axis of x[r, i, 1] w[1, i, o], plus bias: by broadcasting alone.
Tensor by_broadcast(Context& c, const Tensor& x, const Tensor& w, const Tensor& bias) {
  const int64_t in = w.size(0), out = w.size(1), rows = x.numel() / in;
  const Shape all{rows, in, out};
  const Tensor products = multiply(c, broadcast(c, reshape(c, x, {rows, in, 1}), all),
                                   broadcast(c, reshape(c, w, {1, in, out}), all));
  Tensor y = sum(c, products, 1);
  if (bias.defined()) y = add(c, y, broadcast(c, reshape(c, bias, {1, 1, out}), y.shape()));
  return reshape(c, y, x.shape().with(-1, out));
}

Tensor transposed(Context& c, const Tensor& w) {
  return transpose(c, w, {1, 0});
}

struct LinearSizes {
  int64_t rows, in, out;
};
class Linear : public ::testing::TestWithParam<LinearSizes> {};

TEST_P(Linear, Checked) {
  const auto [rows, in, out] = GetParam();
  check_op(
      {.op = [](Context& c, const auto& v) { return linear(c, v[0], v[1], v[2]); },
       .composite = [](Context& c, const auto& v) { return by_broadcast(c, v[0], v[1], v[2]); },
       .shapes = {{1, rows, in}, {in, out}, {out}},
       .bf16 = {true, false, false}});
}

TEST_P(Linear, DataGradientChecked) {
  const auto [rows, in, out] = GetParam();
  check_op(
      {.op = [](Context& c, const auto& v) { return linear_data_gradient(c, v[0], v[1]); },
       .composite = [](Context& c,
                       const auto& v) { return by_broadcast(c, v[0], transposed(c, v[1]), {}); },
       .shapes = {{rows, out}, {in, out}},
       .bf16 = {true, false}});
}

TEST_P(Linear, WeightGradientChecked) {
  const auto [rows, in, out] = GetParam();
  check_op(
      {.op = [](Context& c, const auto& v) { return linear_weight_gradient(c, v[0], v[1]); },
       .composite = [](Context& c,
                       const auto& v) { return by_broadcast(c, transposed(c, v[0]), v[1], {}); },
       .shapes = {{rows, in}, {rows, out}},
       .bf16 = {true, true}});
}
INSTANTIATE_TEST_SUITE_P(OddSizes, Linear,
                         ::testing::Values(LinearSizes{1, 1, 1}, LinearSizes{5, 3, 2},
                                           LinearSizes{13, 7, 5}, LinearSizes{7, 5, 19}));

TEST(Linear, WithoutBias) {
  check_op({.op = [](Context& c, const auto& v) { return linear(c, v[0], v[1]); },
            .composite = [](Context& c, const auto& v) { return by_broadcast(c, v[0], v[1], {}); },
            .shapes = {{2, 3, 4}, {4, 6}}});
}

// By hand, in numbers that every type has.
TEST(Linear, IsTheProduct) {
  const auto filled = [](const Shape& shape, const std::vector<double>& values) {
    const Tensor result = host_tensor(shape, DataType::f64);
    std::ranges::copy(values, result.span<double>().begin());
    return result;
  };
  const Tensor x = filled({3, 2}, {1, 2, 3, 4, 5, 6}), w = filled({2, 3}, {1, -1, 2, 0, 3, 1}),
               bias = filled({3}, {0.5, 0, -1}), dy = filled({3, 3}, {1, 0, 2, 0, 1, -1, 2, 1, 0});
  for (DataType type : {DataType::f32, DataType::f64, DataType::bf16})
    for_each_device([&](Context& context) {
      const auto here = [&](const Tensor& t, DataType as) {
        return to_device(converted(t, as), context.device);
      };
      const auto expect = [&](const Tensor& found, const std::vector<double>& values) {
        const Tensor wide = converted(host_copy(found), DataType::f64);
        EXPECT_EQ(std::vector(wide.span<double>().begin(), wide.span<double>().end()), values);
      };
      const DataType wide = compute_type(type);
      expect(linear(context, here(x, type), here(w, wide), here(bias, wide)),
             {1.5, 5, 3, 3.5, 9, 9, 5.5, 13, 15});
      expect(linear_data_gradient(context, here(dy, type), here(w, wide)), {5, 2, -3, 2, 1, 3});
      expect(linear_weight_gradient(context, here(x, type), here(dy, type)),
             {11, 8, -1, 14, 10, 0});
    });
}

// Every tile width and its tails, several row blocks and chunks, against double precision.
TEST(Linear, LargeShapes) {
  for (const auto& [rows, in, out] :
       {LinearSizes{1000, 67, 64}, LinearSizes{300, 64, 21}, LinearSizes{777, 33, 67},
        LinearSizes{260, 130, 49}, LinearSizes{97, 24, 200}, LinearSizes{1, 16, 16},
        LinearSizes{129, 5, 1}}) {
    const Tensor x = random_tensor({rows, in}, DataType::f32, 1),
                 w = random_tensor({in, out}, DataType::f32, 2),
                 b = random_tensor({out}, DataType::f32, 3),
                 dy = random_tensor({rows, out}, DataType::f32, 4);
    const auto wide = [](const Tensor& t) { return converted(t, DataType::f64); };
    Context plain;
    const Tensor y = by_broadcast(plain, wide(x), wide(w), wide(b)),
                 dx = by_broadcast(plain, wide(dy), transposed(plain, wide(w)), {}),
                 dw = by_broadcast(plain, transposed(plain, wide(x)), wide(dy), {});
    for (CpuLevel level : cpu_levels()) {
      Context context;
      context.cpu_level = level;
      EXPECT_LT(difference(linear(context, x, w, b), y), 2e-6) << rows << " " << in << " " << out;
      EXPECT_LT(difference(linear_data_gradient(context, dy, w), dx), 2e-6);
      EXPECT_LT(difference(linear_weight_gradient(context, x, dy), dw), 2e-6);
    }
  }
}

// The same in bf16, each result rounded once at most.
TEST(Linear, LargeShapesInBf16) {
  for (const auto& [rows, in, out] :
       {LinearSizes{1000, 67, 64}, LinearSizes{300, 64, 21}, LinearSizes{777, 33, 67},
        LinearSizes{260, 130, 49}, LinearSizes{97, 24, 200}, LinearSizes{1, 16, 16},
        LinearSizes{129, 5, 1}}) {
    SCOPED_TRACE(::testing::Message() << rows << " " << in << " " << out);
    const Tensor x = random_tensor({rows, in}, DataType::bf16, 1),
                 w = random_tensor({in, out}, DataType::bf16, 2),
                 b = random_tensor({out}, DataType::f32, 3),
                 dy = random_tensor({rows, out}, DataType::bf16, 4);
    const auto wide = [](const Tensor& t) { return converted(t, DataType::f64); };
    Context plain;
    const Tensor y = linear(plain, wide(x), wide(w), wide(b)),
                 dx = linear_data_gradient(plain, wide(dy), wide(w)),
                 dw = linear_weight_gradient(plain, wide(x), wide(dy));
    const Tensor parameter = converted(w, DataType::f32);
    constexpr double rounding = 1.0 / 256 + 1e-5;
    for (CpuLevel level : cpu_levels(DataType::bf16)) {
      SCOPED_TRACE(name_of(level));
      Context context;
      context.cpu_level = level;
      EXPECT_LT(difference(linear(context, x, parameter, b), y), rounding);
      EXPECT_LT(difference(linear_data_gradient(context, dy, parameter), dx), rounding);
      EXPECT_LT(difference(linear_weight_gradient(context, x, dy), dw), 1e-5);
    }
  }
}

TEST(Linear, DoesNotDependOnThreads) {
  for (DataType type : {DataType::f32, DataType::bf16}) {
    const Tensor x = random_tensor({3001, 67}, type, 1),
                 w = random_tensor({67, 50}, DataType::f32, 2),
                 dy = random_tensor({3001, 50}, type, 3);
    check_threads([&](Context& c) { return linear(c, x, w); }, type);
    check_threads([&](Context& c) { return linear_data_gradient(c, dy, w); }, type);
    check_threads([&](Context& c) { return linear_weight_gradient(c, x, dy); }, type);
  }
}

// A second gradient of x is added to the first where it lies, with the bits of an addition.
TEST(Linear, AddsToTheGradientSoFar) {
  for (const auto& [rows, in, out] :
       {LinearSizes{100, 64, 32}, LinearSizes{777, 33, 67}, LinearSizes{1, 16, 21}})
    for (const DataType type : {DataType::f32, DataType::f64})
      for (CpuLevel level : cpu_levels()) {
        const Tensor x = random_tensor({rows, in}, type, 1), a = random_tensor({in, out}, type, 2),
                     b = random_tensor({in, out}, type, 3),
                     dy = random_tensor({rows, out}, type, 4);
        const auto gradient = [&](bool last_use) {
          Tape tape(add);
          WorkCounter counter;
          Context context;
          context.cpu_level = level;
          context.tape = &tape;
          context.observer = &counter;
          const Tensor leaf = tape.watch(x), twice = scale(context, leaf, 2);
          const Tensor y = add(context, linear(context, twice, a), linear(context, twice, b));
          const Gradients found = last_use ? tape.backward(context, {&y, 1}, {dy}, {}, {&leaf, 1})
                                           : tape.gradient(context, {&y, 1}, {dy}, {&leaf, 1});
          EXPECT_EQ(counter.by_op().at("add").calls, last_use ? 1 : 2);
          return found[0];
        };
        const Tensor in_place = gradient(true), apart = gradient(false);
        EXPECT_EQ(std::memcmp(in_place.raw(), apart.raw(), apart.bytes()), 0) << rows << " " << in;
      }
}

TEST(Linear, NoRows) {
  Context context;
  const Tensor x = host_tensor({0, 3}, DataType::f32), dy = host_tensor({0, 2}, DataType::f32);
  EXPECT_EQ(linear(context, x, host_tensor({3, 2}, DataType::f32)).shape(), (Shape{0, 2}));
  const Tensor dw = linear_weight_gradient(context, x, dy);
  for (float e : dw.span<float>()) EXPECT_EQ(e, 0);
}

TEST(Linear, NamesWhatDoesNotFit) {
  Context context;
  context.path = "grid_embedder.0";
  const Tensor x = host_tensor({2, 5, 4}, DataType::f32), w = host_tensor({3, 6}, DataType::f32);
  EXPECT_EQ(error_of([&] { linear(context, x, w); }),
            "linear: weight is f32 [3, 6] but x is f32 [2, 5, 4]: axis 0 of weight goes with the "
            "last axis of x [in grid_embedder.0]");
  EXPECT_EQ(
      error_of([&] {
        linear(context, x, host_tensor({4, 6}, DataType::f32), host_tensor({4}, DataType::f32));
      }),
      "linear: bias is f32 [4] but weight is f32 [4, 6] [in grid_embedder.0]");
  EXPECT_EQ(
      error_of([&] {
        linear_weight_gradient(context, x, host_tensor({2, 4, 4}, DataType::f32));
      }),
      "linear_weight_gradient: x is f32 [2, 5, 4] but dy is f32 [2, 4, 4]: they may differ in "
      "the last axis only [in grid_embedder.0]");
}

}  // namespace
}  // namespace py4cast::testing
