#include "layers/dropout.h"

#include <gtest/gtest.h>

#include "kernels/ops/arithmetic.h"

namespace py4cast {
namespace {

TEST(DropoutLayer, DropsElementsChannelsOrSamples) {
  ParameterSlab slab;
  const Builder builder(slab);
  Context context;
  const Tensor x = full(context, {6, 4, 4, 5}, DataType::f32, 1);
  const auto sums = [&](Dropped dropped) {  // of the channels
    const Tensor y = Dropout(builder, 0.5, dropped)(context, x);
    std::vector<float> result(30);
    for (size_t i = 0; i < 480; ++i) result[i / 80 * 5 + i % 5] += y.span<float>()[i];
    return result;
  };
  int whole = 0, same = 0;
  for (float sum : sums(Dropped::elements)) whole += sum == 0 || sum == 32;
  EXPECT_LT(whole, 3);
  const std::vector<float> channels = sums(Dropped::channels), samples = sums(Dropped::samples);
  for (size_t i = 0; i < 30; ++i) {
    EXPECT_TRUE(channels[i] == 0 || channels[i] == 32);
    EXPECT_TRUE(samples[i] == 0 || samples[i] == 32);
    EXPECT_EQ(samples[i], samples[i / 5 * 5]);
    same += channels[i] == channels[i / 5 * 5];
  }
  EXPECT_LT(same, 29);
}

TEST(DropoutLayer, ModulesDrawOtherNumbers) {
  ParameterSlab slab;
  Context context;
  const Tensor x = full(context, {1, 100}, DataType::f32, 1);
  const auto draw = [&](const char* path) {
    const Tensor y = Dropout(Builder(slab, path), 0.5)(context, x);
    return std::vector(y.span<float>().begin(), y.span<float>().end());
  };
  EXPECT_EQ(draw("a"), draw("a"));
  EXPECT_NE(draw("a"), draw("b"));
}

}  // namespace
}  // namespace py4cast
