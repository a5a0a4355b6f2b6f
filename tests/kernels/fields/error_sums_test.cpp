#include "kernels/fields/error_sums.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

TEST(ErrorSums, EqualsAPlainLoopAndSkipsMaskedAndMissingPoints) {
  const int64_t batch = 2, points = 5 * 131, features = 3;
  const Tensor prediction = random_tensor({batch, 5, 131, features}, DataType::f32, 1);
  const Tensor target = random_tensor({batch, 5, 131, features}, DataType::f32, 2);
  Tensor mask = host_tensor({5, 131, 1}, DataType::f32);
  for (size_t i = 0; i < mask.span<float>().size(); ++i) mask.span<float>()[i] = i % 3 ? 1 : 0;
  target.span<float>()[3 * 7 + 1] = std::nanf("");
  for_each_device([&](Context& context) {
    const Device device = context.device;
    const Tensor sums = host_copy(error_sums(context, to_device(prediction, device),
                                             to_device(target, device), to_device(mask, device)));
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t f = 0; f < features; ++f) {
        double squared = 0, absolute = 0, sum = 0, count = 0;
        for (int64_t p = 0; p < points; ++p) {
          const auto i = static_cast<size_t>((b * points + p) * features + f);
          if (p % 3 == 0 || std::isnan(target.span<float>()[i])) continue;
          const double e = static_cast<double>(prediction.span<float>()[i]) -
                           static_cast<double>(target.span<float>()[i]);
          squared += e * e;
          absolute += std::abs(e);
          sum += e;
          ++count;
        }
        const double* found = sums.data<double>() + (b * features + f) * 4;
        EXPECT_NEAR(found[0], squared, 1e-9);
        EXPECT_NEAR(found[1], absolute, 1e-9);
        EXPECT_NEAR(found[2], sum, 1e-9);
        EXPECT_EQ(found[3], count);
      }
  });
}

TEST(ErrorSums, NamesTheMaskThatDoesNotFit) {
  Context context;
  const Tensor x = host_tensor({1, 4, 4, 2}, DataType::f32),
               mask = host_tensor({4, 3, 1}, DataType::f32);
  EXPECT_EQ(error_of([&] { error_sums(context, x, x, mask); }),
            "error_sums: mask is f32 [4, 3, 1] but prediction is f32 [1, 4, 4, 2]");
}

}  // namespace
}  // namespace py4cast::testing
