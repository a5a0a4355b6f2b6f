#include "kernels/products/convolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/parameters.h"
#include "kernels/ops/views.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

struct ConvolutionCase {
  Shape x, weight;
  ConvolutionGeometry geometry = {};
};

class Convolutions : public ::testing::TestWithParam<ConvolutionCase> {};

TEST_P(Convolutions, ForwardChecked) {
  const auto [x, weight, geometry] = GetParam();
  check_op({.op = [g = geometry](Context& c,
                                 const auto& in) { return convolution(c, in[0], in[1], in[2], g); },
            .shapes = {x, weight, {weight.back()}},
            .bf16 = {true, false, false}});
}

TEST_P(Convolutions, DataGradientChecked) {
  const auto [x, weight, geometry] = GetParam();
  Context context;
  const Shape y = convolution_shape(context, x, weight, geometry);
  check_op({.op = [g = geometry, x_ = x](
                      Context& c,
                      const auto& in) { return convolution_data_gradient(c, in[0], in[1], x_, g); },
            .shapes = {y, weight},
            .bf16 = {true, false}});
}

TEST_P(Convolutions, WeightGradientChecked) {
  const auto [x, weight, geometry] = GetParam();
  Context context;
  const Shape y = convolution_shape(context, x, weight, geometry);
  check_op({.op =
                [g = geometry, w = weight](Context& c, const auto& in) {
                  return convolution_weight_gradient(c, in[0], in[1], w, g);
                },
            .shapes = {x, y},
            .bf16 = {true, true}});
}

INSTANTIATE_TEST_SUITE_P(
    OddSizes, Convolutions,
    ::testing::Values(
        ConvolutionCase{{2, 7, 3}, {3, 3, 5}, {.padding = {1}}},
        ConvolutionCase{{1, 5, 4, 2}, {3, 3, 2, 3}, {.padding = {1, 1}}},
        ConvolutionCase{{1, 4, 17, 1}, {3, 3, 1, 2}, {.padding = {1, 1}}},
        ConvolutionCase{{2, 3, 3, 2}, {1, 1, 2, 3}},
        ConvolutionCase{{1, 7, 6, 2}, {3, 2, 2, 2}, {.stride = {2, 3}, .padding = {1, 0}}},
        ConvolutionCase{{1, 6, 7, 2}, {3, 3, 2, 2}, {.padding = {2, 2}, .dilation = {2, 2}}},
        ConvolutionCase{{1, 3, 5, 4}, {3, 3, 2, 6}, {.padding = {1, 1}, .groups = 2}},
        ConvolutionCase{{1, 4, 5, 3}, {3, 3, 1, 3}, {.padding = {1, 1}, .groups = 3}},
        ConvolutionCase{{1, 5, 7, 3},
                        {2, 3, 1, 3},
                        {.stride = {2, 2}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 3}},
        ConvolutionCase{{1, 3, 4, 3, 2}, {2, 3, 2, 2, 2}, {.padding = {1, 1, 0}}},
        ConvolutionCase{{1, 4, 4, 1}, {2, 2, 1, 2}, {.stride = {2, 2}}},
        ConvolutionCase{{1, 5, 2}, {1, 2, 1}, {.stride = {3}}}));

// Enough channels and tiles for Winograd's products. Values in every type, at every level, with threads and
// in poisoned memory; the formula is below, and the rules are those of smaller ones.
TEST(Convolution, ByFewerProductsChecked) {
  const ConvolutionCase cases[] = {{{2, 7, 9, 16}, {3, 3, 16, 19}, {.padding = {1, 1}}},
                                   {{1, 9, 8, 17}, {3, 3, 17, 16}, {.padding = {0, 2}}},
                                   {{1, 4, 9, 16}, {3, 3, 16, 33}, {.padding = {3, 0}}},
                                   {{1, 2, 8, 5, 16}, {1, 3, 3, 16, 16}, {.padding = {0, 1, 1}}}};
  for (const auto& [x_, weight_, g_] : cases) {
    const Shape x = x_, weight = weight_;
    const ConvolutionGeometry g = g_;
    const Shape y = convolution_shape(Context(), x, weight, g);
    const auto check = [](Op op, const std::vector<Shape>& shapes, std::vector<bool> bf16) {
      check_op({.op = std::move(op),
                .shapes = shapes,
                .constant = std::vector<bool>(shapes.size(), true),
                .second_order = false,
                .bf16 = std::move(bf16)});
    };
    check([&](Context& c, const auto& in) { return convolution(c, in[0], in[1], in[2], g); },
          {x, weight, {weight.back()}}, {true, false, false});
    check([&](Context& c,
              const auto& in) { return convolution_data_gradient(c, in[0], in[1], x, g); },
          {y, weight}, {true, false});
    check([&](Context& c,
              const auto& in) { return convolution_weight_gradient(c, in[0], in[1], weight, g); },
          {x, y}, {true, true});
  }
}

TEST(Convolution, WithOneSliceOfThreeAxesIsThatOfTwo) {
  Context context;
  const Tensor x = random_tensor({1, 2, 8, 5, 16}, DataType::f64, 1),
               weight = random_tensor({1, 3, 3, 16, 17}, DataType::f64, 2);
  const auto reshaped = [&](const Tensor& t, const Shape& shape) {
    return reshape(context, t, shape);
  };
  EXPECT_EQ(difference(reshaped(convolution(context, x, weight, {}, {.padding = {0, 1, 1}}),
                                {2, 8, 5, 17}),
                       convolution(context, reshaped(x, {2, 8, 5, 16}),
                                   reshaped(weight, {3, 3, 16, 17}), {}, {.padding = {1, 1}})),
            0);
}

// Naive sums in double precision, from the formula.
Tensor naive(const Tensor& x, const Tensor& weight, const Shape& y_shape,
             const ConvolutionGeometry& g) {
  Tensor y = host_tensor(y_shape, DataType::f64);
  const auto xs = x.shape(), ws = weight.shape();
  const int64_t in = ws[2], out = ws[3], per_group = out / g.groups;
  int64_t index = 0;
  for (int64_t b = 0; b < y_shape[0]; ++b)
    for (int64_t h = 0; h < y_shape[1]; ++h)
      for (int64_t w = 0; w < y_shape[2]; ++w)
        for (int64_t o = 0; o < out; ++o, ++index)
          for (int64_t ky = 0; ky < ws[0]; ++ky)
            for (int64_t kx = 0; kx < ws[1]; ++kx) {
              const int64_t iy = h * g.stride[0] + ky * g.dilation[0] - g.padding[0];
              const int64_t ix = w * g.stride[1] + kx * g.dilation[1] - g.padding[1];
              if (iy < 0 || iy >= xs[1] || ix < 0 || ix >= xs[2]) continue;
              for (int64_t i = 0; i < in; ++i)
                y.data<double>()[index] +=
                    x.data<double>()[((b * xs[1] + iy) * xs[2] + ix) * xs[3] + o / per_group * in +
                                     i] *
                    weight.data<double>()[((ky * ws[1] + kx) * in + i) * out + o];
            }
  return y;
}

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.numel(); ++i) sum += a.data<double>()[i] * b.data<double>()[i];
  return sum;
}

// Widths that fill several register tiles, with remainders of each kind; the gradients are adjoints
// of the value.
TEST(Convolution, EqualsTheFormulaAtEveryWidth) {
  const ConvolutionGeometry plain{
      .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1};
  ConvolutionGeometry strided = plain, grouped = plain, wide = plain;
  strided.stride = {2, 2};
  grouped.groups = 3;
  wide.padding = {3, 0};
  for (CpuLevel level : cpu_levels())
    for (const ConvolutionGeometry& g : {plain, strided, grouped, wide})
      for (int64_t out : {1, 3, 16, 21, 32, 48, 49, 64, 67, 131})
        for (int64_t in : {6, 18})
          for (auto [height, width] : {std::pair<int64_t, int64_t>{3, 5}, {5, 33}}) {
            const int64_t outs = g.groups == 3 ? 3 * out : out;
            Context context;
            context.cpu_level = level;
            const Tensor x = random_tensor({2, height, width, in}, DataType::f64, 1);
            const Tensor weight = random_tensor({3, 3, in / g.groups, outs}, DataType::f64, 2);
            const Tensor y = convolution(context, x, weight, {}, g);
            SCOPED_TRACE(::testing::Message()
                         << name_of(level) << " in " << in << " out " << outs << " width " << width
                         << " stride " << g.stride[0] << " padding " << g.padding[0]);
            EXPECT_LT(difference(y, naive(x, weight, y.shape(), g)), 1e-13);
            EXPECT_LT(difference(convolution(context, converted(x, DataType::f32),
                                             converted(weight, DataType::f32), {}, g),
                                 y),
                      2e-6);
            const Tensor dy = random_tensor(y.shape(), DataType::f64, 3);
            const double product = dot(y, dy);
            EXPECT_NEAR(
                dot(x, convolution_data_gradient(context, dy, weight, x.shape(), g)) / product, 1,
                1e-11);
            EXPECT_NEAR(
                dot(weight, convolution_weight_gradient(context, x, dy, weight.shape(), g)) /
                    product,
                1, 1e-11);
          }
}

// More tiles than one round of sums takes, more input channels than one slice, and a bias where the kernel
// is turned around.
TEST(Convolution, EqualsTheFormulaOfManyTilesAndChannels) {
  const ConvolutionGeometry g{.stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}};
  const auto as = [](const Tensor& t, DataType type) { return converted(t, type); };
  for (CpuLevel level : cpu_levels())
    for (auto [side, in, out] : {std::tuple<int64_t, int64_t, int64_t>{130, 16, 17}, {9, 125, 33}})
      for (DataType type : {DataType::f64, DataType::f32}) {
        Context context;
        context.cpu_level = level;
        SCOPED_TRACE(::testing::Message()
                     << name_of(level) << " side " << side << " " << name_of(type));
        const double rounding = type == DataType::f64 ? 1e-13 : 2e-6,
                     of_sums = type == DataType::f64 ? 1e-11 : 1e-4;
        const Tensor x = random_tensor({1, side, side, in}, DataType::f64, 1),
                     weight = random_tensor({3, 3, in, out}, DataType::f64, 2),
                     dy = random_tensor({1, side, side, out}, DataType::f64, 3),
                     bias = random_tensor({in}, DataType::f64, 4);
        const Tensor y = naive(x, weight, dy.shape(), g);
        EXPECT_LT(difference(convolution(context, as(x, type), as(weight, type), {}, g), y),
                  rounding);
        const Tensor dx = as(convolution_data_gradient(context, as(dy, type), as(weight, type),
                                                       x.shape(), g),
                             DataType::f64),
                     dw = as(convolution_weight_gradient(context, as(x, type), as(dy, type),
                                                         weight.shape(), g),
                             DataType::f64);
        const double product = dot(y, dy);
        EXPECT_NEAR(dot(x, dx) / product, 1, of_sums);
        EXPECT_NEAR(dot(weight, dw) / product, 1, of_sums);
        const Tensor with_bias =
            as(transposed_convolution(context, as(dy, type), as(weight, type), as(bias, type), g),
               DataType::f64);
        double error = 0;
        for (int64_t i = 0; i < dx.numel(); ++i)
          error = std::max(error, std::abs(with_bias.data<double>()[i] - dx.data<double>()[i] -
                                           bias.data<double>()[i % in]));
        EXPECT_LT(error, of_sums);
      }
}

// In bf16: the same widths, and input channels in whole and in broken tiles, against f64.
TEST(Convolution, InBf16IsRoundedOnceAtEveryWidth) {
  const auto brief = [](const Shape& shape, uint64_t stream) {
    return random_tensor(shape, DataType::bf16, stream);
  };
  const auto as = [](const Tensor& t, DataType type) { return converted(t, type); };
  constexpr double rounding = 1.0 / 256 + 1e-5;
  for (CpuLevel level : cpu_levels(DataType::bf16))
    for (int64_t stride : {1, 2})
      for (auto [in, out] : {std::pair<int64_t, int64_t>{6, 1},
                             {1, 16},
                             {64, 21},
                             {31, 32},
                             {67, 64},
                             {32, 49},
                             {64, 131},
                             {129, 3}})
        for (int64_t width : {5, 33, 100}) {
          const ConvolutionGeometry g{.stride = {stride, stride}, .padding = {1, 1}};
          Context context, plain;
          context.cpu_level = level;
          SCOPED_TRACE(::testing::Message() << name_of(level) << ", " << in << " to " << out
                                            << ", width " << width << " stride " << stride);
          const Tensor x = brief({2, 5, width, in}, 1), weight = brief({3, 3, in, out}, 2);
          const Tensor bias = brief({out}, 4);
          const Tensor x64 = as(x, DataType::f64), w32 = as(weight, DataType::f32),
                       w64 = as(weight, DataType::f64);
          const Tensor y = convolution(context, x, w32, as(bias, DataType::f32), g);
          EXPECT_EQ(y.type(), DataType::bf16);
          EXPECT_LT(difference(y, convolution(plain, x64, w64, as(bias, DataType::f64), g)),
                    rounding);
          const Tensor dy = brief(y.shape(), 3), dy64 = as(dy, DataType::f64);
          EXPECT_LT(difference(convolution_data_gradient(context, dy, w32, x.shape(), g),
                               convolution_data_gradient(plain, dy64, w64, x.shape(), g)),
                    rounding);
          const Tensor dw = convolution_weight_gradient(context, x, dy, weight.shape(), g);
          EXPECT_EQ(dw.type(), DataType::f32);
          EXPECT_LT(
              difference(dw, convolution_weight_gradient(plain, x64, dy64, weight.shape(), g)),
              1e-5);
        }
}

TEST(Convolution, InBf16RoundsTheWeight) {
  for (auto [channels, groups] : {std::pair<int64_t, int64_t>{8, 1}, {8, 8}, {16, 1}}) {
    const Tensor x = random_tensor({1, 8, 7, channels}, DataType::bf16, 1);
    for (CpuLevel level : cpu_levels(DataType::bf16)) {
      Context context;
      context.cpu_level = level;
      const Tensor weight = random_tensor({3, 3, channels / groups, channels}, DataType::f32, 2),
                   rounded = converted(converted(weight, DataType::bf16), DataType::f32);
      const ConvolutionGeometry g{.padding = {1, 1}, .groups = groups};
      EXPECT_EQ(difference(convolution(context, x, weight, {}, g),
                           convolution(context, x, rounded, {}, g)),
                0);
      EXPECT_EQ(difference(convolution_data_gradient(context, x, weight, x.shape(), g),
                           convolution_data_gradient(context, x, rounded, x.shape(), g)),
                0);
    }
  }
}

TEST(Convolution, DoesNotDependOnThreads) {
  const ConvolutionGeometry g{.padding = {1, 1}};
  for (DataType type : {DataType::f32, DataType::bf16})
    for (auto [rows, in] : {std::pair<int64_t, int64_t>{40, 35}, {40, 15}, {130, 17}}) {
      const Tensor x = random_tensor({2, rows, 70, in}, type, 1),
                   weight = random_tensor({3, 3, in, 20}, DataType::f32, 2),
                   dy = random_tensor({2, rows, 70, 20}, type, 3);
      check_threads([&](Context& c) { return convolution(c, x, weight, {}, g); }, type);
      check_threads(
          [&](Context& c) { return convolution_data_gradient(c, dy, weight, x.shape(), g); }, type);
      check_threads(
          [&](Context& c) { return convolution_weight_gradient(c, x, dy, weight.shape(), g); },
          type);
    }
}

// Values of torch.nn.functional.conv2d and conv_transpose2d, whose weights are [out, in, kernel...]
// and [in, out, kernel...].
TEST(Convolution, HasTheConventionsOfTheReference) {
  const auto filled = [](const Shape& shape, auto&& value) {
    const Tensor t = host_tensor(shape, DataType::f64);
    for (int64_t i = 0; i < t.numel(); ++i) t.data<double>()[i] = value(i);
    return t;
  };
  // The place of element i of our layout in a tensor of the reference's layout.
  const auto image = [](int64_t i, int64_t channels, int64_t pixels) {
    return i % channels * pixels + i / channels;
  };
  const auto expect = [](const Tensor& y, const std::vector<double>& expected) {
    ASSERT_EQ(y.numel(), static_cast<int64_t>(expected.size()));
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(y.data<double>()[i], expected[i], 2e-6);
  };
  Context context;
  expect(convolution(context,
                     filled({1, 4, 3, 2}, [&](int64_t i) { return (image(i, 2, 12) + 1.0) / 10; }),
                     filled({3, 3, 2, 2},
                            [](int64_t i) {
                              const int64_t place = (i % 2 * 2 + i / 2 % 2) * 9 + i / 4;
                              return std::sin(static_cast<double>(place + 1));
                            }),
                     filled({2}, [](int64_t i) { return i == 0 ? 0.5 : -1; }),
                     {.stride = {2, 1}, .padding = {2, 1}, .dilation = {2, 1}}),
         {0.24003303, -0.64721966, 0.63260937, -0.25089133, 0.95637774, -0.25474614, 0.85591483,
          -1.25662506, 0.49303102, -1.67358017, 0.13160408, -1.73108256});
  const Tensor y = transposed_convolution(
      context,
      filled({1, 2, 2, 2},
             [](int64_t i) {
               const int64_t place = i % 2 * 12 + i / 4 * 3 + i / 2 % 2;
               return static_cast<double>(place + 1) / 10;
             }),
      filled({2, 2, 3, 2},
             [](int64_t i) {
               const int64_t place = (i % 2 * 3 + i / 2 % 3) * 4 + i / 6;
               return std::cos(static_cast<double>(place + 1));
             }),
      filled({3}, [](int64_t i) { return i + 1.0; }), {.stride = {2, 2}}, {1, 0});
  EXPECT_EQ(y.shape(), (Shape{1, 5, 4, 3}));
  expect(y, {2.23371100,  1.67065382, 2.19683886, 1.13614368,  2.95442867, 1.61614382,
             2.37848616,  1.67150378, 2.05095291, 1.10820270,  3.11647749, 1.43224061,
             -0.08659351, 3.36070633, 2.30775976, -0.31032169, 2.51595664, 3.63581800,
             -0.26156151, 3.53496695, 2.25491881, -0.47145200, 2.54221487, 3.76262140,
             2.66803598,  1.67320347, 1.75918114, 1.05232084,  3.44057488, 1.06443405,
             2.81281090,  1.67405343, 1.61329508, 1.02437985,  3.60262346, 0.88053083,
             -0.61149776, 3.88348818, 2.14923739, -0.79371262, 2.59473133, 4.01622773,
             -0.78646564, 4.05774879, 2.09639668, -0.95484293, 2.62098956, 4.14303112,
             1,           2,          3,          1,           2,          3,
             1,           2,          3,          1,           2,          3});
}

TEST(Convolution, TransposedHasTheShapeAndBiasOfItsFormula) {
  check_op({.op =
                [](Context& c, const auto& in) {
                  return transposed_convolution(c, in[0], in[1], in[2], {.stride = {2, 2}});
                },
            .shapes = {{1, 3, 2, 3}, {2, 2, 2, 3}, {2}},
            .bf16 = {true, false, false}});
  Context context;
  const Tensor x = random_tensor({1, 5, 4, 2}, DataType::f64, 1);
  const Tensor weight = random_tensor({3, 3, 6, 2}, DataType::f64, 2);
  EXPECT_EQ(
      transposed_convolution(context, x, weight, {}, {.stride = {2, 3}, .padding = {1, 1}}, {1, 0})
          .shape(),
      (Shape{1, 10, 10, 6}));
}

TEST(Convolution, NamesWhatDoesNotFit) {
  Context context;
  context.path = "encoder1.conv1";
  const Tensor x = host_tensor({1, 2, 4, 3}, DataType::f32);
  EXPECT_EQ(error_of([&] {
              convolution(context, x, host_tensor({3, 3, 4, 8}, DataType::f32), {});
            }),
            "convolution: x has 3 channels, weight is [3, 3, 4, 8] and there are 1 groups [in "
            "encoder1.conv1]");
  EXPECT_EQ(error_of([&] {
              convolution(context, x, host_tensor({3, 3, 3, 8}, DataType::f32), {});
            }),
            "convolution: the kernel spans 3 points (stride 1) but axis 1 of x [1, 2, 4, 3] has 2 "
            "with its padding [in encoder1.conv1]");
  EXPECT_EQ(error_of([&] {
              convolution(context, x, host_tensor({1, 1, 3, 8}, DataType::f32),
                          host_tensor({7}, DataType::f32));
            }),
            "convolution: bias is [7] but the convolution gives [8] [in encoder1.conv1]");
}

}  // namespace
}  // namespace py4cast::testing
