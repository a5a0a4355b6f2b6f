#include "kernels/training/adamw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/training/gradient_norm.h"
#include "kernels/training/running_statistics.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

const Shape odd{1031};

// The formula of the header, element by element in double.
void reference_step(std::span<double> value, std::span<const double> gradient,
                    std::span<double> first, std::span<double> second, const AdamWSettings& s,
                    double scale) {
  for (size_t i = 0; i < value.size(); ++i) {
    const double g = scale * gradient[i];
    value[i] = value[i] - s.lr * s.weight_decay * value[i];
    first[i] = s.beta1 * first[i] + (1 - s.beta1) * g;
    second[i] = s.beta2 * second[i] + (1 - s.beta2) * g * g;
    const double mean = first[i] / (1 - std::pow(s.beta1, s.step)),
                 square = second[i] / (1 - std::pow(s.beta2, s.step));
    value[i] = value[i] - s.lr * mean / (std::sqrt(square) + s.epsilon);
  }
}

Tensor norm_tensor(const GradientNorm& norm, Device device) {
  const Tensor host = host_tensor({gradient_norm_count}, DataType::f64);
  const double numbers[] = {norm.norm, norm.scale, norm.finite};
  std::copy_n(numbers, gradient_norm_count, host.data<double>());
  return to_device(host, device);
}

GradientNorm norm_of(Context& context, const Tensor& x, const Tensor& losses = {},
                     double max_norm = 0) {
  const Tensor result = context.empty({gradient_norm_count}, DataType::f64);
  clear_gradient_norm(context, result);
  gradient_norm(context, to_device(x, context.device),
                losses.defined() ? to_device(losses, context.device) : losses, max_norm, result);
  return read_gradient_norm(result);
}

void check_formula(Context& context, DataType type, const Shape& shape) {
  const Device device = context.device;
  const Tensor start = random_tensor(shape, DataType::f32, 1, -2, 2),
               zero = host_tensor(shape, type);
  const Tensor value = to_device(converted(start, type), device), first = to_device(zero, device),
               second = to_device(zero, device);
  const Tensor exact_value = converted(start, DataType::f64),
               exact_first = host_tensor(shape, DataType::f64),
               exact_second = host_tensor(shape, DataType::f64);
  AdamWSettings settings{.lr = 3e-2, .weight_decay = 0.1};
  for (settings.step = 1; settings.step <= 4; ++settings.step) {
    const double scale = settings.step == 2 ? 0.25 : 1;
    const Tensor gradient =
        random_tensor(shape, DataType::f32, static_cast<uint64_t>(10 + settings.step));
    adamw(context, value, to_device(converted(gradient, type), device), first, second, settings,
          settings.step == 1 ? Tensor() : norm_tensor({3, scale, 1}, device));
    reference_step(exact_value.span<double>(), converted(gradient, DataType::f64).span<double>(),
                   exact_first.span<double>(), exact_second.span<double>(), settings, scale);
  }
  const double tolerance = type == DataType::f64 ? 1e-14 : 1e-6;
  EXPECT_LT(difference(host_copy(value), exact_value), tolerance);
  EXPECT_LT(difference(host_copy(first), exact_first), tolerance);
  EXPECT_LT(difference(host_copy(second), exact_second), tolerance);
}

TEST(AdamW, FollowsTheFormula) {
  for (DataType type : {DataType::f64, DataType::f32})
    for (const Shape& shape : {Shape{1031}, Shape{1312}})
      for_each_device([&](Context& context) { check_formula(context, type, shape); });
}

TEST(AdamW, EqualsPyTorch) {
  // torch.optim.AdamW (2.15), lr 1e-3, betas 0.9 and 0.95, weight decay 0.01, five steps
  const float start[] = {0.5F, -1.25F, 2, 0, -0.003F};
  const float expected[] = {0.504473388F, -1.24876618F, 1.99878478F, -0.00283407164F,
                            -0.00688857818F};
  for_each_device([&](Context& context) {
    const Tensor zero = host_tensor({5}, DataType::f32), gradient = host_tensor({5}, DataType::f32),
                 begin = host_tensor({5}, DataType::f32);
    std::copy(start, start + 5, begin.data<float>());
    const Tensor value = to_device(begin, context.device), first = to_device(zero, context.device),
                 second = to_device(zero, context.device);
    for (int64_t step = 1; step <= 5; ++step) {
      for (int i = 0; i < 5; ++i)
        gradient.data<float>()[i] =
            static_cast<float>((i + 1) * 0.3 - 0.4 * static_cast<double>(step));
      adamw(context, value, to_device(gradient, context.device), first, second, {.step = step});
    }
    const Tensor found = host_copy(value);
    for (int i = 0; i < 5; ++i)
      EXPECT_NEAR(found.data<float>()[i], expected[i], 2e-7 * std::abs(expected[i]) + 1e-9) << i;
  });
}

// Adam as the papers of the two programs have it, with weight decay through the gradient.
//   PyTorch: value -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
//   Keras:   value -= lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)
TEST(AdamW, HasAdamsForms) {
  const double start[] = {0.5, -1.25, 2, 0, -0.003}, lr = 0.02, beta1 = 0.9, beta2 = 0.999,
               epsilon = 1e-3, decay = 0.1;
  for (const EpsilonForm form : {EpsilonForm::pytorch, EpsilonForm::keras}) {
    double expected[5], m[5] = {}, v[5] = {};
    std::copy_n(start, 5, expected);
    const auto gradient_of = [](int64_t step, int i) {
      return (i + 1) * 0.3 - 0.4 * static_cast<double>(step);
    };
    for (int64_t step = 1; step <= 4; ++step)
      for (int i = 0; i < 5; ++i) {
        const double g = gradient_of(step, i) + decay * expected[i];
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        const double first = 1 - std::pow(beta1, step), second = 1 - std::pow(beta2, step);
        expected[i] -= form == EpsilonForm::keras
                           ? lr * std::sqrt(second) / first * m[i] / (std::sqrt(v[i]) + epsilon)
                           : lr * m[i] / first / (std::sqrt(v[i] / second) + epsilon);
      }
    for_each_device([&](Context& context) {
      const Tensor begin = host_tensor({5}, DataType::f64), zero = host_tensor({5}, DataType::f64),
                   gradient = host_tensor({5}, DataType::f64);
      std::copy_n(start, 5, begin.data<double>());
      const Tensor value = to_device(begin, context.device),
                   first = to_device(zero, context.device),
                   second = to_device(zero, context.device);
      for (int64_t step = 1; step <= 4; ++step) {
        for (int i = 0; i < 5; ++i) gradient.data<double>()[i] = gradient_of(step, i);
        adamw(context, value, to_device(gradient, context.device), first, second,
              {.lr = lr,
               .beta1 = beta1,
               .beta2 = beta2,
               .epsilon = epsilon,
               .weight_decay = decay,
               .step = step,
               .decay = WeightDecay::gradient,
               .form = form});
      }
      const Tensor found = host_copy(value);
      for (int i = 0; i < 5; ++i) EXPECT_NEAR(found.data<double>()[i], expected[i], 1e-14) << i;
    });
  }
}

TEST(AdamW, IsTheSameForAnyNumberOfThreads) {
  const Tensor start = random_tensor({60013}, DataType::f32, 1),
               gradient = random_tensor({60013}, DataType::f32, 2);
  check_threads([&](Context& context) {
    const Tensor value = converted(start, DataType::f32),
                 first = host_tensor({60013}, DataType::f32),
                 second = host_tensor({60013}, DataType::f32);
    for (int64_t step = 1; step <= 3; ++step)
      adamw(context, value, gradient, first, second,
            AdamWSettings{.lr = 3e-2, .weight_decay = 0.1, .step = step}, {});
    return value;
  });
}

TEST(AdamW, LeavesPaddingAtZero) {
  const Tensor zero = host_tensor({32}, DataType::f32);
  for_each_device([&](Context& context) {
    const Tensor value = to_device(zero, context.device);
    adamw(context, value, to_device(zero, context.device), to_device(zero, context.device),
          to_device(zero, context.device), AdamWSettings{});
    const Tensor found = host_copy(value);
    for (float v : found.span<float>()) EXPECT_EQ(v, 0);
  });
}

TEST(AdamW, ChangesNothingIfTheNormIsNotFinite) {
  const Tensor start = random_tensor(odd, DataType::f32, 1, 0.5, 1);
  for_each_device([&](Context& context) {
    const Tensor value = to_device(start, context.device), first = to_device(start, context.device),
                 second = to_device(start, context.device);
    adamw(context, value, to_device(start, context.device), first, second, AdamWSettings{},
          norm_tensor({std::nan(""), 1, 0}, context.device));
    for (const Tensor& tensor : {value, first, second})
      EXPECT_EQ(difference(host_copy(tensor), start), 0);
  });
}

TEST(AdamW, NamesWhatDoesNotFit) {
  Context context;
  const Tensor a = host_tensor({4}, DataType::f32), b = host_tensor({5}, DataType::f32);
  EXPECT_EQ(error_of([&] { adamw(context, a, a, b, a, AdamWSettings{}); }),
            "adamw: values is f32 [4] but first is f32 [5]");
  EXPECT_EQ(error_of([&] { adamw(context, a, a, a, a, {.step = 0}); }),
            "adamw: step 0 is not positive");
  EXPECT_EQ(error_of([&] { adamw(context, a, a, a, a, AdamWSettings{}, b); }),
            "adamw: factors are [9] and norm is [5]; they have 9 and 3 elements");
}

TEST(GradientNorm, ClipsAsPyTorch) {
  const Tensor x = host_tensor({4}, DataType::f32);
  const float elements[] = {3, -4, 12, 0};
  std::copy(elements, elements + 4, x.data<float>());
  for_each_device([&](Context& context) {
    const GradientNorm found = norm_of(context, x, {}, 2);
    EXPECT_EQ(found.norm, 13);
    EXPECT_EQ(found.finite, 1);
    // torch.nn.utils.clip_grad_norm_(.., 2.0)
    EXPECT_NEAR(12 * found.scale, 1.84615374, 2e-7);
    EXPECT_EQ(norm_of(context, x, {}, 20).scale, 1);
    EXPECT_EQ(norm_of(context, x).scale, 1);
  });
}

TEST(GradientNorm, LargeSlab) {
  const Tensor x = random_tensor({100003}, DataType::f32, 3);
  double exact = 0;
  for (float e : x.span<float>()) exact += static_cast<double>(e) * static_cast<double>(e);
  for (DataType type : {DataType::f32, DataType::f64})
    for_each_device([&](Context& context) {
      EXPECT_NEAR(norm_of(context, converted(x, type)).norm, std::sqrt(exact),
                  1e-12 * std::sqrt(exact));
    });
  check_threads(
      [&](Context& context) { return full(context, {}, DataType::f64, norm_of(context, x).norm); });
}

TEST(GradientNorm, TellsWhatIsNotFinite) {
  const Tensor x = random_tensor({1000}, DataType::f32, 3),
               losses = random_tensor({3}, DataType::f32, 4);
  const float kept = x.data<float>()[777], infinite = std::numeric_limits<float>::infinity(),
              nan = std::nanf("");
  for_each_device([&](Context& context) {
    for (float bad : {nan, -infinite}) {
      x.data<float>()[777] = bad;
      EXPECT_EQ(norm_of(context, x, losses).finite, 0);
      x.data<float>()[777] = kept;
      const Tensor lost = converted(losses, DataType::f32);
      lost.data<float>()[2] = bad;
      EXPECT_EQ(norm_of(context, x, lost).finite, 0);
    }
    EXPECT_EQ(norm_of(context, x, losses).finite, 1);
    x.data<float>()[777] = std::numeric_limits<float>::max();  // its square fits in f64
    EXPECT_EQ(norm_of(context, x, losses).finite, 1);
    x.data<float>()[777] = kept;
  });
}

// After a step that cannot be used nothing changes, whatever the later steps are like, until the
// host clears the result.
TEST(GradientNorm, StaysNotFiniteUntilItIsCleared) {
  const Tensor x = random_tensor({1000}, DataType::f32, 3, 0.5, 1),
               start = random_tensor({1000}, DataType::f32, 1, 0.5, 1),
               losses = random_tensor({3}, DataType::f32, 4),
               bad = converted(losses, DataType::f32);
  bad.data<float>()[1] = std::numeric_limits<float>::infinity();
  for_each_device([&](Context& context) {
    const auto there = [&](const Tensor& host) { return to_device(host, context.device); };
    const Tensor gradients = there(x), result = there(host_tensor({3}, DataType::f64)),
                 value = there(start), first = there(start), second = there(start),
                 mean = there(start), variance = there(start),
                 count = there(host_tensor({}, DataType::i64));
    const auto changed = [&](const Tensor& of_losses) {
      gradient_norm(context, gradients, there(of_losses), 0, result);
      adamw(context, value, gradients, first, second, AdamWSettings{}, result);
      update_running_statistics(context, mean, variance, count, gradients, gradients, 0.1, result);
      int64_t changes = 0;
      for (const Tensor& tensor : {value, first, second, mean, variance})
        changes += difference(host_copy(tensor), start) != 0;
      return changes + (*host_copy(count).data<int64_t>() != 0);
    };
    clear_gradient_norm(context, result);
    EXPECT_EQ(changed(bad), 0);
    EXPECT_EQ(changed(losses), 0);
    EXPECT_EQ(read_gradient_norm(result).finite, 0);
    EXPECT_TRUE(std::isfinite(read_gradient_norm(result).norm));
    EXPECT_EQ(changed(losses), 0);
    clear_gradient_norm(context, result);
    EXPECT_EQ(read_gradient_norm(result).finite, 1);
    EXPECT_EQ(changed(losses), 6);
  });
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
