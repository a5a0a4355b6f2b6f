#include "kernels/training/sgd.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/training/gradient_norm.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

// By hand, two steps from value 1 with gradients 0.5 and -0.25, lr 0.1, momentum 0.5, decay 0.2:
//   step 1: g = 0.7, velocity 0.7;            value 0.93, with nesterov 1 - 0.1 (0.7 + 0.35) = 0.895
//   step 2: g = -0.25 + 0.2 value (-0.064; nesterov -0.071), velocity 0.5 0.7 + g (0.286; 0.279);
//           value 0.93 - 0.0286 = 0.9014, with nesterov 0.895 - 0.1 (-0.071 + 0.1395) = 0.88815
TEST(Sgd, HasMomentumAndNesterovsForm) {
  for (const DataType type : {DataType::f64, DataType::f32})
    for (const bool nesterov : {false, true})
      for (const int64_t size : {3, 16})
        for_each_device([&](Context& context) {
          const auto filled = [&](double x) { return full(context, {size}, type, x); };
          const Tensor value = filled(1), velocity = filled(0),
                       host = host_tensor({4}, DataType::f64);
          write_sgd_factors({.lr = 0.1, .momentum = 0.5, .weight_decay = 0.2, .nesterov = nesterov},
                            host);
          const Tensor factors = to_device(host, context.device);
          for (const double gradient : {0.5, -0.25})
            sgd(context, value, filled(gradient), velocity, factors, {});
          const Tensor found = converted(host_copy(value), DataType::f64);
          for (const double x : found.span<double>())
            EXPECT_NEAR(x, nesterov ? 0.88815 : 0.9014, type == DataType::f64 ? 1e-15 : 1e-6);
        });
}

TEST(Sgd, ChangesNothingIfTheNormIsNotFinite) {
  for_each_device([&](Context& context) {
    const auto filled = [&](double x) { return full(context, {5}, DataType::f32, x); };
    const Tensor value = filled(1), velocity = filled(2), host = host_tensor({4}, DataType::f64),
                 norm = full(context, {gradient_norm_count}, DataType::f64, 0);
    write_sgd_factors({}, host);
    sgd(context, value, filled(3), velocity, to_device(host, context.device), norm);
    const Tensor values = host_copy(value), velocities = host_copy(velocity);
    for (const float x : values.span<float>()) EXPECT_EQ(x, 1);
    for (const float x : velocities.span<float>()) EXPECT_EQ(x, 2);
  });
}

TEST(Sgd, NamesWhatDoesNotFit) {
  Context context;
  const Tensor a = host_tensor({4}, DataType::f32), b = host_tensor({5}, DataType::f32);
  EXPECT_EQ(error_of([&] { sgd(context, a, b, a, a, {}); }),
            "sgd: values is f32 [4] but gradients is f32 [5]");
}

}  // namespace
}  // namespace py4cast::testing
