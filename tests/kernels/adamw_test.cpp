#include "kernels/adamw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/parameters.h"
#include "kernels/arithmetic.h"
#include "kernels/gradient_norm.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

const Shape odd{1031};

// The formula of the header, element by element in double.
void reference_step(std::span<double> value, std::span<const double> gradient,
                    std::span<double> first, std::span<double> second, const AdamWSettings& s) {
  for (size_t i = 0; i < value.size(); ++i) {
    const double g = s.gradient_scale * gradient[i];
    value[i] = value[i] - s.lr * s.weight_decay * value[i];
    first[i] = s.beta1 * first[i] + (1 - s.beta1) * g;
    second[i] = s.beta2 * second[i] + (1 - s.beta2) * g * g;
    const double mean = first[i] / (1 - std::pow(s.beta1, s.step)),
                 square = second[i] / (1 - std::pow(s.beta2, s.step));
    value[i] = value[i] - s.lr * mean / (std::sqrt(square) + s.epsilon);
  }
}

TEST(AdamW, FollowsTheFormula) {
  for (DataType type : {DataType::f64, DataType::f32})
    for (CpuLevel level : cpu_levels()) {
      Context context;
      context.cpu_level = level;
      const Tensor start = random_tensor(odd, DataType::f32, 1, -2, 2);
      const Tensor value = converted(start, type), first = host_tensor(odd, type),
                   second = host_tensor(odd, type);
      const Tensor exact_value = converted(start, DataType::f64),
                   exact_first = host_tensor(odd, DataType::f64),
                   exact_second = host_tensor(odd, DataType::f64);
      AdamWSettings settings{.lr = 3e-2, .weight_decay = 0.1};
      for (settings.step = 1; settings.step <= 6; ++settings.step) {
        settings.gradient_scale = settings.step == 2 ? 0.25 : 1;
        const Tensor gradient =
            random_tensor(odd, DataType::f32, static_cast<uint64_t>(10 + settings.step));
        adamw(context, value, converted(gradient, type), first, second, settings);
        reference_step(exact_value.span<double>(),
                       converted(gradient, DataType::f64).span<double>(),
                       exact_first.span<double>(), exact_second.span<double>(), settings);
      }
      const double tolerance = type == DataType::f64 ? 1e-14 : 1e-6;
      EXPECT_LT(difference(value, exact_value), tolerance);
      EXPECT_LT(difference(first, exact_first), tolerance);
      EXPECT_LT(difference(second, exact_second), tolerance);
    }
}

TEST(AdamW, EqualsPyTorch) {
  // torch.optim.AdamW (2.15), lr 1e-3, betas 0.9 and 0.95, weight decay 0.01, five steps
  const float start[] = {0.5F, -1.25F, 2, 0, -0.003F};
  const float expected[] = {0.504473388F, -1.24876618F, 1.99878478F, -0.00283407164F,
                            -0.00688857818F};
  for (CpuLevel level : cpu_levels()) {
    Context context;
    context.cpu_level = level;
    const Tensor value = host_tensor({5}, DataType::f32),
                 gradient = host_tensor({5}, DataType::f32),
                 first = host_tensor({5}, DataType::f32), second = host_tensor({5}, DataType::f32);
    std::copy(start, start + 5, value.data<float>());
    for (int64_t step = 1; step <= 5; ++step) {
      for (int i = 0; i < 5; ++i)
        gradient.data<float>()[i] =
            static_cast<float>((i + 1) * 0.3 - 0.4 * static_cast<double>(step));
      adamw(context, value, gradient, first, second, {.step = step});
    }
    for (int i = 0; i < 5; ++i)
      EXPECT_NEAR(value.data<float>()[i], expected[i], 2e-7 * std::abs(expected[i]) + 1e-9) << i;
  }
}

TEST(AdamW, LeavesPaddingAtZero) {
  Context context;
  const Tensor zero = host_tensor({32}, DataType::f32), value = host_tensor({32}, DataType::f32),
               first = host_tensor({32}, DataType::f32), second = host_tensor({32}, DataType::f32);
  adamw(context, value, zero, first, second, {});
  for (float v : value.span<float>()) EXPECT_EQ(v, 0);
}

TEST(AdamW, NamesWhatDoesNotFit) {
  Context context;
  const Tensor a = host_tensor({4}, DataType::f32), b = host_tensor({5}, DataType::f32);
  EXPECT_EQ(error_of([&] { adamw(context, a, a, b, a, {}); }),
            "adamw: values is f32 [4] but first is f32 [5]");
  EXPECT_EQ(error_of([&] { adamw(context, a, a, a, a, {.step = 0}); }),
            "adamw: step 0 is not positive");
}

TEST(GradientNorm, ClipsAsPyTorch) {
  Context context;
  const Tensor x = host_tensor({4}, DataType::f32);
  const float elements[] = {3, -4, 12, 0};
  std::copy(elements, elements + 4, x.data<float>());
  const double norm = gradient_norm(context, x);
  EXPECT_EQ(norm, 13);
  // torch.nn.utils.clip_grad_norm_(.., 2.0)
  EXPECT_NEAR(12 * clip_factor(norm, 2), 1.84615374, 2e-7);
  EXPECT_EQ(clip_factor(norm, 20), 1);
}

TEST(GradientNorm, LargeSlab) {
  const Tensor x = random_tensor({100003}, DataType::f32, 3);
  double exact = 0;
  for (float e : x.span<float>()) exact += static_cast<double>(e) * static_cast<double>(e);
  check_threads([&](Context& context) {
    const double norm = gradient_norm(context, x);
    EXPECT_NEAR(norm, std::sqrt(exact), 1e-12 * std::sqrt(exact));
    return full(context, {}, DataType::f64, norm);
  });
}

TEST(GradientNorm, TellsOfElementsThatAreNotFinite) {
  Context context;
  const Tensor x = random_tensor({1000}, DataType::f32, 3);
  for (float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    x.data<float>()[777] = bad;
    EXPECT_FALSE(std::isfinite(gradient_norm(context, x)));
  }
  x.data<float>()[777] = std::numeric_limits<float>::max();  // its square fits in f64
  EXPECT_TRUE(std::isfinite(gradient_norm(context, x)));
}

TEST(Arithmetic, AddsInto) {
  Context context;
  const Tensor sum = full(context, {5}, DataType::f32, 1), x = full(context, {5}, DataType::f32, 2);
  add_into(context, sum, x);
  for (float e : sum.span<float>()) EXPECT_EQ(e, 3);
  EXPECT_EQ(error_of([&] { add_into(context, sum, full(context, {4}, DataType::f32, 1)); }),
            "add_into: sum is f32 [5] but x is f32 [4]");
}

}  // namespace
}  // namespace py4cast::testing
