// By hand: momentum 0.1 and the unbiased variance of PyTorch's BatchNorm2d.
#include "layers/batch_norm.h"

#include <gtest/gtest.h>

#include "tests/layers/numbered.h"

namespace py4cast {
namespace {

TEST(BatchNormLayer, RunningStatisticsTakeATenthOfEachBatchOnce) {
  ParameterSlab slab(DataType::f64);
  const BatchNorm norm(Builder(slab, "norm"), 2);
  slab.allocate({}, nullptr, true);
  slab.initialise(RandomKey{7});
  const Tensor x = host_tensor({1, 1, 3, 2}, DataType::f64);
  std::ranges::copy(std::vector<double>{0, 10, 1, 20, 5, 60}, x.data<double>());
  std::vector<BufferUpdate> updates;
  Context context;
  context.buffer_updates = &updates;
  norm(context, x);
  context.recompute = true;  // for the backward pass
  norm(context, x);
  ASSERT_EQ(updates.size(), 1u);
  apply_statistics(context, updates, joined_statistics(context, updates));
  const auto state = slab.state();
  const auto near = [&](size_t k, const std::vector<double>& expected) {
    const Tensor values = converted(state[k].second, DataType::f64);
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(values.data<double>()[i], expected[i], 1e-5) << state[k].first;
  };
  near(2, {0.2, 3});     // means 2 and 30
  near(3, {1.6, 70.9});  // variances 7 and 700, from 1
  near(4, {1});
}

}  // namespace
}  // namespace py4cast
