#include "train/gradient_sums.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/runtime.h"
#include "tests/devices.h"

namespace py4cast {
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
  GradientSums sums(context, slab, false, [&](const Parameter& parameter) {
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

// To 2^24 adding one changes nothing, adding two does. Parameters come twice, and are told at the end.
TEST_P(GradientSumsOn, ApartAreSumsOfTheirOwn) {
  Runtime runtime(GetParam());
  Context context = runtime.context();
  constexpr float large = 1 << 24;
  for (const bool apart : {false, true}) {
    ParameterSlab slab;
    for (const char* name : {"a", "b"}) slab.add({.name = name, .file_shape = {3}});
    slab.allocate(context.device, context.ledger, true);
    const Tensor start = host_tensor(slab.gradients().shape(), DataType::f32);
    for (float& number : start.span<float>()) number = large;
    copy(start, slab.gradients());
    std::string told;
    GradientSums sums(context, slab, apart, [&](const Parameter& of) { told += of.name(); });
    for (int use = 0; use < 2; ++use)
      for (const Parameter& parameter : slab.parameters())
        sums.add(parameter, full(context, {3}, DataType::f32, 1));
    EXPECT_EQ(told, apart ? "" : told);
    sums.finish();
    EXPECT_EQ(told, "abab");
    for (const Parameter& parameter : slab.parameters()) {
      const Tensor sum = on_host(parameter.gradient());
      for (float number : sum.span<float>())
        EXPECT_EQ(number, apart ? large + 2 : large) << parameter.name();
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Devices, GradientSumsOn, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace py4cast
