#include "kernels/convolution.h"

#include <gtest/gtest.h>

#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

struct Case {
  Shape x, weight;
  ConvolutionGeometry geometry = {};
};

class Convolutions : public ::testing::TestWithParam<Case> {};

TEST_P(Convolutions, ForwardChecked) {
  const auto [x, weight, geometry] = GetParam();
  check_op({.op = [g = geometry](Context& c,
                                 const auto& in) { return convolution(c, in[0], in[1], in[2], g); },
            .shapes = {x, weight, {weight.back()}}});
}

TEST_P(Convolutions, DataGradientChecked) {
  const auto [x, weight, geometry] = GetParam();
  Context context;
  const Shape y = convolution_shape(context, x, weight, geometry);
  check_op({.op = [g = geometry, x_ = x](
                      Context& c,
                      const auto& in) { return convolution_data_gradient(c, in[0], in[1], x_, g); },
            .shapes = {y, weight}});
}

TEST_P(Convolutions, WeightGradientChecked) {
  const auto [x, weight, geometry] = GetParam();
  Context context;
  const Shape y = convolution_shape(context, x, weight, geometry);
  check_op({.op =
                [g = geometry, w = weight](Context& c, const auto& in) {
                  return convolution_weight_gradient(c, in[0], in[1], w, g);
                },
            .shapes = {x, y}});
}

INSTANTIATE_TEST_SUITE_P(
    OddSizes, Convolutions,
    ::testing::Values(Case{{2, 7, 3}, {3, 3, 5}, {.padding = {1}}},
                      Case{{1, 5, 4, 2}, {3, 3, 2, 3}, {.padding = {1, 1}}},
                      Case{{1, 4, 17, 1}, {3, 3, 1, 2}, {.padding = {1, 1}}},
                      Case{{2, 3, 3, 2}, {1, 1, 2, 3}},
                      Case{{1, 7, 6, 2}, {3, 2, 2, 2}, {.stride = {2, 3}, .padding = {1, 0}}},
                      Case{{1, 6, 7, 2}, {3, 3, 2, 2}, {.padding = {2, 2}, .dilation = {2, 2}}},
                      Case{{1, 3, 5, 4}, {3, 3, 2, 6}, {.padding = {1, 1}, .groups = 2}},
                      Case{{1, 4, 5, 3}, {3, 3, 1, 3}, {.padding = {1, 1}, .groups = 3}},
                      Case{{1, 5, 7, 3},
                           {2, 3, 1, 3},
                           {.stride = {2, 2}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 3}},
                      Case{{1, 3, 4, 3, 2}, {2, 3, 2, 2, 2}, {.padding = {1, 1, 0}}},
                      Case{{1, 4, 4, 1}, {2, 2, 1, 2}, {.stride = {2, 2}}},
                      Case{{1, 5, 2}, {1, 2, 1}, {.stride = {3}}}));

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
  ConvolutionGeometry strided = plain, grouped = plain;
  strided.stride = {2, 2};
  grouped.groups = 3;
  for (CpuLevel level : cpu_levels())
    for (const ConvolutionGeometry& g : {plain, strided, grouped})
      for (int64_t out : {1, 3, 16, 21, 32, 48, 49, 64, 67, 131})
        for (auto [height, width] : {std::pair<int64_t, int64_t>{3, 5}, {5, 33}}) {
          const int64_t outs = g.groups == 3 ? 3 * out : out;
          Context context;
          context.cpu_level = level;
          const Tensor x = random_tensor({2, height, width, 6}, DataType::f64, 1);
          const Tensor weight = random_tensor({3, 3, 6 / g.groups, outs}, DataType::f64, 2);
          const Tensor y = convolution(context, x, weight, {}, g);
          SCOPED_TRACE(::testing::Message() << name_of(level) << " out " << outs << " width "
                                            << width << " stride " << g.stride[0]);
          EXPECT_LT(difference(y, naive(x, weight, y.shape(), g)), 1e-13);
          const Tensor dy = random_tensor(y.shape(), DataType::f64, 3);
          const double product = dot(y, dy);
          EXPECT_NEAR(
              dot(x, convolution_data_gradient(context, dy, weight, x.shape(), g)) / product, 1,
              1e-11);
          EXPECT_NEAR(
              dot(weight, convolution_weight_gradient(context, x, dy, weight.shape(), g)) / product,
              1, 1e-11);
        }
}

TEST(Convolution, TransposedHasTheShapeAndBiasOfItsFormula) {
  check_op({.op =
                [](Context& c, const auto& in) {
                  return transposed_convolution(c, in[0], in[1], in[2], {.stride = {2, 2}});
                },
            .shapes = {{1, 3, 2, 3}, {2, 2, 2, 3}, {2}}});
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
