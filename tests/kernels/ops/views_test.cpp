#include "kernels/ops/views.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/parameters.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

Tensor counted(const Shape& shape, DataType type) {
  Tensor x = host_tensor(shape, DataType::i32);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<int32_t>()[i] = static_cast<int32_t>(i);
  return type == DataType::i32 ? x : converted(x, type);
}

std::vector<double> values(const Tensor& x) {
  const Tensor wide = converted(x, DataType::f64);
  return {wide.span<double>().begin(), wide.span<double>().end()};
}

TEST(Views, Concat) {
  for (int axis : {0, 1, 2, -1})
    check_op({.op =
                  [=](Context& c, const auto& in) {
                    return concat(c, {in[0], in[1], in[0], in[2]}, axis);
                  },
              .shapes = {{3, 2, 5}, {3, 2, 5}, {3, 2, 5}},
              .bf16 = {true, true, true}});
  check_op({.op =
                [](Context& c, const auto& in) {
                  return concat(c, {in[0], in[1]}, 1);
                },
            .shapes = {{2, 3, 5}, {2, 1, 5}},
            .bf16 = {true, true}});
  // Rows of vectors, and more parts than a kernel takes at once.
  check_op({.op =
                [](Context& c, const auto& in) {
                  return concat(c, {in[0], in[1]}, 1);
                },
            .shapes = {{3, 8}, {3, 16}},
            .bf16 = {true, true}});
  check_op({.op = [](Context& c, const auto& in) { return concat(c, in, 1); },
            .shapes = std::vector<Shape>(70, Shape{2, 1}),
            .second_order = false,
            .bf16 = std::vector<bool>(70, true)});
  check_op({.op =
                [](Context& c, const auto& in) {
                  return stack(c, {in[0], in[1]}, 1);
                },
            .shapes = {{2, 3}, {2, 3}},
            .bf16 = {true, true}});
}

TEST(Views, ConcatHasGradientsOfSomePartsAlone) {
  check_op({.op = [](Context& c, const auto& in) { return concat(c, in, 1); },
            .shapes = {{2, 3}, {2, 2}, {2, 4}},
            .constant = {true, false, false},
            .bf16 = {true, true, true}});
}

TEST(Views, ConcatPutsRowsSideBySide) {
  for (DataType type :
       {DataType::f64, DataType::f32, DataType::bf16, DataType::i32, DataType::i64}) {
    Context context;
    const Tensor y = concat(context, {counted({2, 1}, type), counted({2, 3}, type)}, -1);
    EXPECT_EQ(values(y), (std::vector<double>{0, 0, 1, 2, 1, 3, 4, 5}));
    const Tensor s = stack(context, {counted({2}, type), counted({2}, type)}, -1);
    EXPECT_EQ(s.shape(), (Shape{2, 2}));
    EXPECT_EQ(values(s), (std::vector<double>{0, 0, 1, 1}));
  }
}

TEST(Views, Slices) {
  for (int axis : {0, -1}) {
    check_op({.op =
                  [=](Context& c, const auto& in) {
                    const auto parts = slices(c, in[0], axis, {1, 0, 3});
                    return concat(c, {parts[2], parts[0], parts[2]}, axis);
                  },
              .shapes = {{4, 3, 4}},
              .bf16 = {true}});
    check_op({.op =
                  [=](Context& c, const auto& in) {
                    return slices(c, in[0], axis, {3, 1})[1];
                  },
              .shapes = {{4, 3, 4}},
              .bf16 = {true}});
  }
  Context context;
  const Tensor x = counted({2, 3}, DataType::i64);
  EXPECT_EQ(values(slices(context, x, 1, {1, 2})[1]), (std::vector<double>{1, 2, 4, 5}));
  EXPECT_EQ(slices(context, x, 0, {1, 1})[1].raw(), x.raw() + 3 * sizeof(int64_t));
}

TEST(Views, NarrowAndPad) {
  for (int axis : {0, 1, 2})
    check_op({.op = [=](Context& c, const auto& in) { return narrow(c, in[0], axis, 1, 2); },
              .shapes = {{3, 4, 5}},
              .bf16 = {true}});
  for (int axis : {0, 1, -1})
    check_op({.op = [=](Context& c, const auto& in) { return pad(c, in[0], axis, 2, 1); },
              .shapes = {{3, 4, 5}},
              .bf16 = {true}});
  Context context;
  const Tensor x = counted({2, 3}, DataType::i64);
  EXPECT_EQ(values(narrow(context, x, 1, 1, 2)), (std::vector<double>{1, 2, 4, 5}));
  EXPECT_EQ(values(pad(context, x, 1, 1, 0)), (std::vector<double>{0, 0, 1, 2, 0, 3, 4, 5}));
  EXPECT_EQ(narrow(context, x, 0, 1, 1).raw(), x.raw() + 3 * sizeof(int64_t));
  EXPECT_EQ(narrow(context, x, 1, 3, 0).numel(), 0);
}

TEST(Views, Transpose) {
  const std::vector<std::vector<int>> orders{{2, 0, 1}, {0, 2, 1}, {1, 0, 2}, {0, 1, 2}, {2, 1, 0}};
  for (const auto& axes : orders)
    check_op({.op = [&](Context& c, const auto& in) { return transpose(c, in[0], axes); },
              .shapes = {{3, 19, 5}},
              .bf16 = {true}});
  check_op({.op =
                [](Context& c, const auto& in) {
                  return transpose(c, in[0], {0, 3, 1, 2, 4});
                },
            .shapes = {{2, 3, 1, 35, 2}},
            .second_order = false,
            .bf16 = {true}});
  check_op({.op =
                [](Context& c, const auto& in) {
                  return transpose(c, in[0], {1, 0});
                },
            .shapes = {{34, 33}},
            .second_order = false,
            .bf16 = {true}});
  // Rows that stay whole, of words of every width.
  for (int64_t channels : {1, 2, 4, 6, 8})
    check_op({.op =
                  [](Context& c, const auto& in) {
                    return transpose(c, in[0], {1, 0, 2});
                  },
              .shapes = {{3, 5, channels}},
              .second_order = false,
              .bf16 = {true}});
  Context context;
  for (DataType type : {DataType::f64, DataType::f32, DataType::bf16}) {
    const Tensor x = counted({17, 2, 35}, type);
    for (const auto& axes : orders)
      EXPECT_EQ(values(transpose(context, x, axes)), values(permuted(x, axes)));
  }
}

TEST(Views, Cast) {
  check_op(
      {.op = [](Context& c,
                const auto& in) { return cast(c, cast(c, in[0], DataType::f64), in[0].type()); },
       .shapes = {{3, 7}},
       .bf16 = {true}});
  Tensor x = random_tensor({1000}, DataType::f32, 5, -1e3, 1e3);
  x.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  x.data<float>()[1] = -std::numeric_limits<float>::infinity();
  x.data<float>()[2] = std::numeric_limits<float>::max();
  for_each_device([&](Context& context) {
    const Tensor rounded = cast(context, to_device(x, context.device), DataType::bf16);
    const Tensor brief = host_copy(rounded), expected = converted(x, DataType::bf16);
    for (int64_t i = 0; i < x.numel(); ++i)
      ASSERT_EQ(brief.data<bfloat16>()[i].bits, expected.data<bfloat16>()[i].bits) << i;
    const Tensor back = host_copy(cast(context, rounded, DataType::f32));
    EXPECT_TRUE(std::isnan(back.data<float>()[0]));
    for (int64_t i = 1; i < x.numel(); ++i)
      ASSERT_EQ(back.data<float>()[i], static_cast<float>(brief.data<bfloat16>()[i])) << i;
  });
}

TEST(Views, NamesWhatDoesNotFit) {
  Context context;
  const Tensor a = host_tensor({2, 3}, DataType::f32), b = host_tensor({4, 2}, DataType::f32);
  EXPECT_EQ(error_of([&] {
              concat(context, {a, b}, 1);
            }),
            "concat: tensor 1 is f32 [4, 2] but tensor 0 is f32 [2, 3] and they may differ in axis "
            "1 only");
  EXPECT_EQ(error_of([&] { concat(context, {}, 1); }), "concat: there is no tensor to join");
  EXPECT_EQ(error_of([&] { narrow(context, a, 1, 2, 2); }),
            "narrow: indices 2 to 3 leave axis 1 of x, which is [2, 3]");
  EXPECT_EQ(error_of([&] {
              slices(context, a, 1, {1, 1});
            }),
            "slices: parts of 2 indices of axis 1 of x, which is [2, 3]");
  EXPECT_EQ(error_of([&] { pad(context, a, 1, -1, 0); }),
            "pad: -1 zeros before and 0 after; neither may be negative");
  EXPECT_EQ(error_of([&] {
              transpose(context, a, {0, 0});
            }),
            "transpose: (0, 0) does not order the axes of x, which is [2, 3]");
  EXPECT_EQ(error_of([&] { reshape(context, a, {5}); }), "reshape: [2, 3] has not the size of [5]");
}

}  // namespace
}  // namespace py4cast::testing
