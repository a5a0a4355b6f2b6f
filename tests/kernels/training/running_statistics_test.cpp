#include "kernels/training/running_statistics.h"

#include <gtest/gtest.h>

#include "engine/parameters.h"
#include "kernels/training/gradient_norm.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

Tensor doubles(const std::vector<double>& values) {
  const Tensor result = host_tensor({static_cast<int64_t>(values.size())}, DataType::f64);
  std::ranges::copy(values, result.span<double>().begin());
  return result;
}

struct Statistics {
  Tensor mean, variance, count;
};

// After one update of running statistics by a batch's, momentum 0.1.
Statistics updated(Context& context, DataType type, const Tensor& norm) {
  const auto here = [&](const Tensor& x, DataType as) {
    return to_device(converted(x, as), context.device);
  };
  const Statistics s{here(doubles({1, -2, 0}), type), here(doubles({1, 4, 0.5}), type),
                     to_device(host_tensor({}, DataType::i64), context.device)};
  update_running_statistics(context, s.mean, s.variance, s.count, here(doubles({3, 8, -1}), type),
                            here(doubles({2, 0, 1}), type), 0.1,
                            norm.defined() ? to_device(norm, context.device) : norm);
  return {host_copy(s.mean), host_copy(s.variance), host_copy(s.count)};
}

void expect(const Tensor& found, const std::vector<double>& values, double tolerance) {
  EXPECT_LE(difference(converted(found, DataType::f64), doubles(values)), tolerance);
}

// 0.9 running + 0.1 batch, by hand.
TEST(RunningStatistics, AreTheFormula) {
  for (auto [type, tolerance] : {std::pair{DataType::f32, 1e-7}, {DataType::f64, 1e-15}})
    for_each_device([&, type = type, tolerance = tolerance](Context& context) {
      for (const Tensor& norm : {Tensor(), doubles({5, 1, 1})}) {
        const Statistics s = updated(context, type, norm);
        expect(s.mean, {1.2, -1, -0.1}, tolerance);
        expect(s.variance, {1.1, 3.6, 0.55}, tolerance);
        EXPECT_EQ(s.count.data<int64_t>()[0], 1);
      }
    });
}

TEST(RunningStatistics, StayIfTheNormIsNotFinite) {
  for_each_device([](Context& context) {
    const Statistics s = updated(context, DataType::f32, doubles({0, 1, 0}));
    expect(s.mean, {1, -2, 0}, 0);
    expect(s.variance, {1, 4, 0.5}, 0);
    EXPECT_EQ(s.count.data<int64_t>()[0], 0);
  });
}

TEST(RunningStatistics, NameWhatDoesNotFit) {
  Context context;
  const Tensor x = host_tensor({3}, DataType::f32), y = host_tensor({2}, DataType::f32),
               count = host_tensor({2}, DataType::i64);
  EXPECT_EQ(error_of([&] { update_running_statistics(context, x, x, count, y, x, 0.1, {}); }),
            "update_running_statistics: mean is f32 [3] but batch_mean is f32 [2]");
  EXPECT_EQ(error_of([&] { update_running_statistics(context, x, x, count, x, x, 0.1, {}); }),
            "update_running_statistics: count has 2 elements, not one");
}

}  // namespace
}  // namespace py4cast::testing
