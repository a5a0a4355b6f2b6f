// Values of a whole step, beside sums that were made by hand.
#include "layers/shared_values.h"

#include <gtest/gtest.h>

#include "engine/runtime.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/views.h"
#include "layers/linear.h"
#include "tests/devices.h"

namespace py4cast {
namespace {

Tensor row(const std::vector<float>& numbers) {
  const Tensor result = host_tensor({1, static_cast<int64_t>(numbers.size())}, DataType::f32);
  std::ranges::copy(numbers, result.data<float>());
  return result;
}

std::vector<float> numbers_of(const Tensor& x) {
  const Tensor host = converted(on_host(x), DataType::f32);
  return {host.span<float>().begin(), host.span<float>().end()};
}

// f = 2 w0 + 3 w1, and one factor for each micro-batch: the losses are factor x f.
struct FactorSteps {
  FactorSteps(const std::string& device, DataType features) : runtime(device), type(features) {
    slab.allocate(runtime.device(), &runtime.ledger(), true);
    load({1, 10});
  }
  void load(const std::vector<float>& weight) { slab.load({{"weight", row(weight)}}, "numbers"); }

  // f as each micro-batch sees it; gradients are added to those of before.
  std::vector<float> step(const std::vector<float>& factors) {
    std::vector<float> seen;
    for (size_t i = 0; i < factors.size(); ++i) {
      Tape tape(add);
      Context plain = runtime.context(), context = plain;
      context.tape = &tape;
      context.shared_values = &values;
      values.begin(i == 0);
      const Tensor features =
          cast(plain, on_device_of(plain, row({2, 3}), Owner::other, "features"), type);
      const auto f = [this, features](Context& inner) {
        ++calls;
        return layer(inner, features);
      };
      const Tensor y = shared_value(context, {this, type}, f);
      EXPECT_EQ(shared_value(context, {this, type}, f).variable().index, y.variable().index);
      seen.push_back(numbers_of(y)[0]);
      const Tensor loss = scale(context, y, factors[i]);
      const GradientSink sink = [](Context& inner, const Parameter& parameter, Tensor gradient) {
        add_into(inner, parameter.gradient(), gradient);
      };
      values.add(plain, tape.backward(context, {&loss, 1}, {full(plain, {1, 1}, type, 1)}, sink,
                                      values.leaves()));
      if (i + 1 == factors.size()) values.finish(plain, tape, sink);
    }
    return seen;
  }
  std::vector<float> gradient() { return numbers_of(slab.state(slab.gradients())[0].second); }

  Runtime runtime;
  DataType type;
  ParameterSlab slab;
  const Linear layer{Builder(slab), 2, 1, false};
  SharedValues values;
  int calls = 0;
};

class SharedValuesOfSteps : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Devices, SharedValuesOfSteps, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param; });

TEST_P(SharedValuesOfSteps, GradientsAreSummedAndGoBackOnce) {
  FactorSteps steps(GetParam(), DataType::f32);
  EXPECT_EQ(steps.step({1, 2, 4}), (std::vector<float>{32, 32, 32}));
  EXPECT_EQ(steps.gradient(), (std::vector<float>{14, 21}));
  EXPECT_EQ(steps.calls, 2);
  // The next step has other weights, and sums of its own.
  steps.load({1, 1});
  EXPECT_EQ(steps.step({8, -1}), (std::vector<float>{5, 5}));
  EXPECT_EQ(steps.gradient(), (std::vector<float>{14 + 14, 21 + 21}));
  EXPECT_EQ(steps.calls, 4);
}

// In bf16 256 + 1 is 256.
TEST_P(SharedValuesOfSteps, GradientsInBf16AreSummedInF32) {
  FactorSteps steps(GetParam(), DataType::bf16);
  EXPECT_EQ(steps.step({256, 1, 1}), (std::vector<float>{32, 32, 32}));
  EXPECT_EQ(steps.gradient(), (std::vector<float>{2 * 258, 3 * 258}));
}

TEST_P(SharedValuesOfSteps, AMicroBatchMayLeaveThemOut) {
  FactorSteps steps(GetParam(), DataType::f32);
  steps.step({1, 2});
  const Context context = steps.runtime.context();
  Context inner = context;
  steps.values.begin(true);
  const std::vector<Tensor> none(1);
  steps.values.add(inner, none);
  EXPECT_FALSE(steps.values.leaves()[0].defined());
}

}  // namespace
}  // namespace py4cast
