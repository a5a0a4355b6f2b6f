// Values of torch.nn in f64, channels last.
#include "layers/convolution.h"

#include <gtest/gtest.h>

#include "kernels/ops/arithmetic.h"
#include "tests/layers/numbered.h"

namespace py4cast {
namespace {

TEST(ConvolutionLayer, HasStrideAndPaddingOfTheReference) {
  struct Case {
    ConvSettings settings;
    std::vector<double> y;
  };
  for (const Case& test :
       {Case{{.in = 3, .out = 2, .kernel = 3, .stride = 2},
             {-3.59006320894, -4.30909467848, 2.95120252766, 2.31882481786, 2.19048708186,
              1.80144630031, 0.946158123862, 0.0163788306446}},
        Case{{.in = 3, .out = 2, .kernel = 2, .stride = 2, .padding = 0},
             {0.574315436649, -0.0968324471221, 0.486005911573, -0.117091588898, 0.486321841971,
              -0.115641013523, 0.557786099396, -0.172725902578}}}) {
    ParameterSlab slab(DataType::f64);
    const Convolution layer(Builder(slab), test.settings);
    number(slab);
    Context context;
    const Tensor y = layer(context, numbered({1, 4, 4, 3}, 99));
    EXPECT_EQ(y.shape(), (Shape{1, 2, 2, 2}));
    expect_near(y, test.y);
  }
}

TEST(ConvolutionLayer, StartsAsTheReference) {
  ParameterSlab slab;
  const Convolution plain(Builder(slab, "plain"), {.in = 12, .out = 32, .kernel = 7, .stride = 4});
  const Convolution grouped(Builder(slab, "grouped"), {.in = 128, .out = 128, .groups = 128});
  const TransposedConvolution transposed(Builder(slab, "transposed"), 40, 20);
  slab.allocate({}, nullptr, true);
  slab.initialise(RandomKey{7});
  EXPECT_EQ(names(slab),
            "plain.weight [32, 12, 7, 7], plain.bias [32], grouped.weight [128, 1, 3, 3], "
            "grouped.bias [128], transposed.weight [40, 20, 2, 2], transposed.bias [20]");
  const auto state = slab.state();
  const double bounds[] = {1 / std::sqrt(12.0 * 49), 1.0 / 3, 1 / std::sqrt(80.0)};
  for (size_t i = 0; i < state.size(); ++i) expect_uniform(state[i].second, bounds[i / 2]);
}

TEST(TransposedConvolutionLayer, HasTheValuesOfTheReference) {
  ParameterSlab slab(DataType::f64);
  const TransposedConvolution layer(Builder(slab), 3, 2);
  number(slab);
  Context context;
  Tape tape(add);
  context.tape = &tape;
  const Tensor y = layer(context, numbered({1, 2, 3, 3}, 99));
  EXPECT_EQ(y.shape(), (Shape{1, 4, 6, 2}));
  expect_near(y,
              {1.30424772021,   -0.380883776679, 2.02416576028,   -1.33406920101,  1.53449919259,
               -1.12995252414,  1.17694740853,   -0.992478962892, -1.2274759594,   1.13400576639,
               -1.58637674873,  1.94838520695,   2.04619963173,   -1.72041861361,  1.35998646054,
               -1.35822584887,  0.519971484837,  -0.448824616399, -0.127442536048, 0.245321381346,
               -0.945067148397, 1.78581106141,   0.394834915812,  0.722744490698,  1.33101736119,
               -0.40282653405,  2.0509484761,    -1.36257267177,  1.50970174009,   -1.11505722398,
               1.14169369152,   -0.96038846648,  -1.22920780578,  1.14090885524,   -1.57756406114,
               1.9444871535,    2.06039909265,   -1.74207717009,  1.35492443822,   -1.36285313353,
               0.490841877286,  -0.414631585626, -0.13674792455,  0.265535429826,  -0.929854671514,
               1.7729451811,    0.409292516409,  0.706961808084});
  // Of the sum of squares.
  tape.backward(context, {&y, 1}, {scale(context, y.detached(), 2)},
                [](Context& inner, const Parameter& parameter, Tensor gradient) {
                  add_into(inner, parameter.gradient(), gradient);
                });
  const auto gradients = slab.state(slab.gradients());
  expect_near(gradients[0].second,
              {9.7492731461,   9.93716695771,  5.44320184938,  -1.61904016831, -7.90634125235,
               -10.4949332604, -8.14562585168, -1.96333500948, 10.1240604032,  13.0391098355,
               9.81881352398,  1.97772714237,  -6.78886261191, -12.3693661433, -12.1316841914,
               -6.18760229217, 5.73734385983,  10.008555616,   9.57648377506,  4.64433847515,
               -2.47847580618, -8.42629285233, -10.4120218932, -7.5017435329});
  expect_near(gradients[1].second, {25.8998698249, -6.11630798915});
}

// The other way to compute it, in every type of elements.
TEST(TransposedConvolutionLayer, IsTheTransposedConvolution) {
  for (DataType type : {DataType::f64, DataType::f32, DataType::bf16}) {
    ParameterSlab slab(type == DataType::f64 ? type : DataType::f32);
    const TransposedConvolution layer(Builder(slab), 5, 3, 3);
    slab.allocate({}, nullptr, true);
    slab.initialise(RandomKey{7});
    const auto& parameters = slab.parameters();
    const Tensor weight = permuted(parameters[0].value(), {1, 2, 3, 0});
    Context context;
    const Tensor x = converted(numbered({2, 3, 1, 5}, 1), type);
    const Tensor expected =
        transposed_convolution(context, x, weight, parameters[1].value(), {.stride = {3, 3}});
    const Tensor y = layer(context, x);
    ASSERT_EQ(y.shape(), expected.shape());
    ASSERT_EQ(y.type(), type);
    const Tensor a = converted(y, DataType::f64), b = converted(expected, DataType::f64);
    for (int64_t i = 0; i < a.numel(); ++i)
      EXPECT_NEAR(a.data<double>()[i], b.data<double>()[i],
                  type == DataType::bf16 ? 1.0 / 128 : 1e-6);
  }
}

}  // namespace
}  // namespace py4cast
