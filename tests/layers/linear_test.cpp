// Values of torch.nn in f64.
#include "layers/linear.h"

#include <gtest/gtest.h>

#include "tests/layers/numbered.h"

namespace py4cast {
namespace {

TEST(Mlp, HasTheValuesOfTheReference) {
  for (bool norm : {true, false}) {
    ParameterSlab slab(DataType::f64);
    const Mlp mlp(Builder(slab), {2, 3, 3, 3}, norm);
    number(slab);
    EXPECT_EQ(names(slab),
              std::string("0.weight [3, 2], 0.bias [3], 2.weight [3, 3], 2.bias [3], 4.weight [3, "
                          "3], 4.bias [3]") +
                  (norm ? ", 5.weight [3], 5.bias [3]" : ""));
    Context context;
    const Tensor y = mlp(context, numbered({2, 2, 2}, 99));
    EXPECT_EQ(y.shape(), (Shape{2, 2, 3}));
    if (norm)
      expect_near(y, {0.334875274477, -0.71227770999, 0.0872725330225, 1.84218785868,
                      0.304886487489, -1.08901823316, 0.230469884305, -0.630696515233,
                      0.0958313994724, -0.0365169681616, -0.380821968597, 0.0979323999757});
    else
      expect_near(y, {0.564886881864, 0.400752984275, 1.15012605209, 1.22075601788, 0.779572852643,
                      0.111765446294, 0.470454242473, 0.335805091398, 1.31013607293, 0.375442870402,
                      0.471127748782, 1.26851321211});
  }
}

TEST(Linear, MayHaveNoBias) {
  ParameterSlab slab(DataType::f64);
  const Linear layer(Builder(slab, "to_q"), 2, 3, false);
  number(slab);
  EXPECT_EQ(names(slab), "to_q.weight [3, 2]");
  Context context;
  const Tensor x = numbered({1, 2}, 0), w = numbered({3, 2}, 0), y = layer(context, x);
  for (int64_t o = 0; o < 3; ++o)
    EXPECT_NEAR(y.data<double>()[o],
                x.data<double>()[0] * w.data<double>()[2 * o] +
                    x.data<double>()[1] * w.data<double>()[2 * o + 1],
                1e-15);
}

TEST(Linear, StartsAsTheReference) {
  ParameterSlab slab;
  const Mlp mlp(Builder(slab), {64, 100, 3});
  slab.allocate({}, nullptr, true);
  slab.initialise(RandomKey{7});
  const auto state = slab.state();
  for (size_t layer : {0, 2}) {
    const double bound = 1 / std::sqrt(layer ? 100.0 : 64.0);
    expect_uniform(state[layer].second, bound);
    expect_uniform(state[layer + 1].second, bound);
  }
  for (float one : state[4].second.span<float>()) EXPECT_EQ(one, 1);
  for (float zero : state[5].second.span<float>()) EXPECT_EQ(zero, 0);
}

}  // namespace
}  // namespace py4cast
