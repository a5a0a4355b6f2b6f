#include "train/gradient_sums.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/runtime.h"
#include "tests/devices.h"

namespace py4cast::testing {
namespace {

// Many parameters of several sizes, added twice in whole numbers: all sums are right, and each parameter is told
// after it was added, those without a gradient of their own too.
class GradientSumsOn : public ::testing::TestWithParam<std::string> {};
TEST_P(GradientSumsOn, AddAllAndTellOfEach) {
  Runtime runtime(GetParam());
  Context context = runtime.context();
  ParameterSlab slab;
  constexpr int count = 230;
  for (int i = 0; i < count; ++i)
    slab.add({.name = "p" + std::to_string(i), .file_shape = {1 + i * 37 % 2001}});
  slab.allocate(context.device, context.ledger, true);
  int told = 0;
  GradientSums sums(context, slab, [&](const Parameter& parameter) {
    EXPECT_EQ(parameter.name(), "p" + std::to_string(told++ % count));
  });
  EXPECT_EQ(sums.weights() == nullptr, context.device.kind == DeviceKind::cpu);
  for (int round = 1; round <= 2; ++round)
    for (int i = 0; i < count; ++i) {
      const Parameter& parameter = slab.parameters()[static_cast<size_t>(i)];
      if (i % 50 == 49) {
        sums.add(parameter, {});
        continue;
      }
      const Tensor gradient = host_tensor(parameter.shape(), DataType::f32);
      for (int64_t k = 0; k < gradient.numel(); ++k)
        gradient.data<float>()[k] = static_cast<float>(round * (i + k));
      sums.add(parameter, on_device_of(context, gradient, Owner::other, "gradient"));
    }
  sums.finish();
  EXPECT_EQ(told, 2 * count);
  for (int i = 0; i < count; ++i) {
    const Tensor sum = on_host(slab.parameters()[static_cast<size_t>(i)].gradient());
    for (int64_t k = 0; k < sum.numel(); ++k)
      ASSERT_EQ(sum.data<float>()[k], i % 50 == 49 ? 0 : static_cast<float>(3 * (i + k))) << i;
  }
}
INSTANTIATE_TEST_SUITE_P(Devices, GradientSumsOn, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace py4cast::testing
