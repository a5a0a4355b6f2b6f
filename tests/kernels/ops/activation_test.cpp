#include "kernels/ops/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

// torch.nn (2.15), f32, at -3, -0.5, 0, 0.75, 7 and 25.
struct GoldenActivation {
  const char* name;
  double value[6], derivative[6];
};
const GoldenActivation goldens[] = {
    {"Identity", {-3, -0.5, 0, 0.75, 7, 25}, {1, 1, 1, 1, 1, 1}},
    {"ReLU", {0, 0, 0, 0.75, 7, 25}, {0, 0, 0, 1, 1, 1}},
    {"LeakyReLU",
     {-0.0299999993, -0.00499999989, 0, 0.75, 7, 25},
     {0.00999999978, 0.00999999978, 0.00999999978, 1, 1, 1}},
    {"ELU", {-0.950212955, -0.393469334, 0, 0.75, 7, 25}, {0.0497870669, 0.606530666, 1, 1, 1, 1}},
    {"SELU",
     {-1.6705687, -0.691758156, 0, 0.788025737, 7.35490704, 26.2675247},
     {0.0875306055, 1.06634116, 1.75809932, 1.05070102, 1.05070102, 1.05070102}},
    {"GELU",
     {-0.00405022502, -0.154268771, 0, 0.580029488, 7, 25},
     {-0.0119456053, 0.13250491, 0.5, 0.999225795, 1, 1}},
    {"SiLU",
     {-0.142277613, -0.188770339, 0, 0.509384036, 6.99362278, 25},
     {-0.0881041065, 0.260038823, 0.5, 0.842599928, 1.00546014, 1}},
    {"Sigmoid",
     {0.0474258736, 0.377540678, 0.5, 0.679178715, 0.999089003, 1},
     {0.0451766588, 0.23500371, 0.25, 0.217894986, 0.000910167466, 0}},
    {"Tanh",
     {-0.995054781, -0.462117165, 0, 0.635148942, 0.999998331, 1},
     {0.00986598153, 0.786447704, 1, 0.59658581, 3.33785738e-06, 0}},
    {"Softplus",
     {0.048587352, 0.474076986, 0.693147182, 1.1368711, 7.00091171, 25},
     {0.0474258736, 0.377540678, 0.5, 0.679178715, 0.999088943, 1}},
    {"Hardtanh", {-1, -0.5, 0, 0.75, 1, 1}, {0, 1, 1, 1, 0, 0}},
    {"ReLU6", {0, 0, 0, 0.75, 6, 6}, {0, 0, 0, 1, 0, 0}},
};

class ActivationKinds : public ::testing::TestWithParam<GoldenActivation> {};

TEST_P(ActivationKinds, Checked) {
  const Activation kind = activation_from_name(GetParam().name);
  for (double range : {2.0, 9.0, 30.0}) {
    check_op({.op = [=](Context& c, const auto& in) { return activation(c, in[0], kind); },
              .composite = [=](Context& c,
                               const auto& in) { return activation_composite(c, in[0], kind); },
              .shapes = {{7, 9}},
              .low = -range,
              .high = range,
              .bf16 = {true},
              .bf16_roundings = 3});  // the slope of Sigmoid is made from the rounded result
  }
}

TEST_P(ActivationKinds, EqualsPyTorch) {
  const GoldenActivation& golden = GetParam();
  const Activation kind = activation_from_name(golden.name);
  EXPECT_EQ(name_of(kind), golden.name);
  for_each_device([&](Context& context) {
    Tape tape(add);
    context.tape = &tape;
    Tensor x = host_tensor({6}, DataType::f32);
    const float at[] = {-3, -0.5, 0, 0.75, 7, 25};
    std::copy(at, at + 6, x.data<float>());
    x = tape.watch(to_device(x, context.device));
    const Tensor result = activation(context, x, kind);
    const Tensor dx = host_copy(
        tape.gradient(context, {&result, 1}, {full(context, {6}, DataType::f32, 1)}, {&x, 1})[0]);
    const Tensor y = host_copy(result);
    for (int i = 0; i < 6; ++i) {
      const double value = golden.value[i], slope = golden.derivative[i];
      // PyTorch itself is off by 5e-7 in GELU at -3
      EXPECT_NEAR(y.data<float>()[i], value, 7e-7 + 3e-7 * std::abs(value)) << "at " << at[i];
      EXPECT_NEAR(dx.data<float>()[i], slope, 3e-7 + 3e-7 * std::abs(slope)) << "at " << at[i];
    }
  });
}

TEST_P(ActivationKinds, PassesOnNanAndBearsInfinity) {
  const Activation kind = activation_from_name(GetParam().name);
  const double infinite = std::numeric_limits<double>::infinity();
  for_each_device([&](Context& context) {
    Tensor x = host_tensor({3}, DataType::f32);
    x.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    x.data<float>()[1] = static_cast<float>(infinite);
    x.data<float>()[2] = 1e30F;
    const Tensor y = host_copy(activation(context, to_device(x, context.device), kind));
    EXPECT_TRUE(std::isnan(y.data<float>()[0]));
    EXPECT_FALSE(std::isnan(y.data<float>()[1]));
    EXPECT_FALSE(std::isnan(y.data<float>()[2]));
  });
}
INSTANTIATE_TEST_SUITE_P(All, ActivationKinds, ::testing::ValuesIn(goldens),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(Activation, ReusesMemoryThatIsGivenAway) {
  for (Activation kind : {Activation::relu, Activation::gelu}) {
    Context context;
    Tape tape(add);
    context.tape = &tape;
    Tensor x = tape.watch(random_tensor({8}, DataType::f32, 1));
    Tensor inner = scale(context, x, 2);
    const std::byte* memory = inner.raw();
    const Tensor y = activation(context, std::move(inner), kind);
    EXPECT_EQ(y.raw() == memory, kind == Activation::relu);  // the rule of GELU keeps its input
  }
}

TEST(Activation, NamesTheNearest) {
  EXPECT_EQ(error_of([] { activation_from_name("Relu"); }),
            "there is no activation 'Relu'; the nearest is 'ReLU'");
  EXPECT_EQ(error_of([] { activation_from_name("TANH"); }),
            "there is no activation 'TANH'; the nearest is 'Tanh'");
}

// The largest error of f32 results over [low, high], in units of the last place.
double largest_error(Tensor (*op)(Context&, Tensor), double (*exact)(double), double low,
                     double high, Context& context) {
  const Tensor x = random_tensor({200000}, DataType::f32, 9, low, high);
  const Tensor y = host_copy(op(context, to_device(x, context.device)));
  double largest = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double expected = exact(static_cast<double>(x.data<float>()[i]));
    const float rounded = std::abs(static_cast<float>(expected));
    const double unit =
        static_cast<double>(std::nextafter(rounded, std::numeric_limits<float>::infinity())) -
        static_cast<double>(rounded);
    largest =
        std::max(largest, std::abs(static_cast<double>(y.data<float>()[i]) - expected) / unit);
  }
  return largest;
}

Tensor sigmoid(Context& context, Tensor x) {
  return activation(context, std::move(x), Activation::sigmoid);
}
Tensor softplus(Context& context, Tensor x) {
  return activation(context, std::move(x), Activation::softplus);
}

TEST(VectorMath, IsAccurateToTheLastPlaces) {
  struct {
    Tensor (*op)(Context&, Tensor);
    double (*exact)(double);
    double low, high;
  } const cases[] = {
      {exponential, std::exp, -103, 88.7},
      {exponential, std::exp, -1, 1},
      {hyperbolic_tangent, std::tanh, -10, 10},
      {hyperbolic_tangent, std::tanh, -0.7, 0.7},
      {hyperbolic_tangent, std::tanh, -1e-4, 1e-4},
      {error_function, std::erf, -5, 5},
      {error_function, std::erf, -1.1, 1.1},
      {error_function, std::erf, -1e-4, 1e-4},
      {sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -80, 80},
      {softplus, [](double x) { return std::log1p(std::exp(x)); }, -80, 19.9},
  };
  for_each_device([&](Context& context) {
    for (const auto& [op, exact, low, high] : cases)
      EXPECT_LT(largest_error(op, exact, low, high, context), 2.5)
          << "in [" << low << ", " << high << "]";
  });
}

TEST(VectorMath, EndsOfTheRange) {
  const float infinite = std::numeric_limits<float>::infinity();
  for_each_device([&](Context& context) {
    const auto at = [&](Tensor (*op)(Context&, Tensor), float value) {
      return *host_copy(op(context, full(context, {1}, DataType::f32, static_cast<double>(value))))
                  .data<float>();
    };
    EXPECT_EQ(at(exponential, infinite), infinite);
    EXPECT_EQ(at(exponential, 89), infinite);
    EXPECT_EQ(at(exponential, -infinite), 0);
    EXPECT_EQ(at(exponential, 0), 1);
    EXPECT_EQ(at(hyperbolic_tangent, infinite), 1);
    EXPECT_EQ(at(hyperbolic_tangent, -infinite), -1);
    EXPECT_EQ(at(error_function, infinite), 1);
    EXPECT_EQ(at(error_function, -infinite), -1);
    EXPECT_EQ(at(error_function, 0), 0);
    for (auto op : {exponential, hyperbolic_tangent, error_function})
      EXPECT_TRUE(std::isnan(at(op, std::numeric_limits<float>::quiet_NaN())));
  });
}

// Many elements, so that threads share them; no number of threads divides them.
TEST_P(ActivationKinds, AreTheSameForAnyNumberOfThreads) {
  const Activation kind = activation_from_name(GetParam().name);
  for (const DataType type : {DataType::f32, DataType::bf16, DataType::f64}) {
    const Tensor x = random_tensor({3, 20011}, type, 1, -4, 4),
                 dy = random_tensor({3, 20011}, type, 2);
    check_threads([&](Context& c) { return activation(c, x, kind); }, type);
    const auto gradient = [&](Context& c) {
      Tape tape(add);
      c.tape = &tape;
      const Tensor in = tape.watch(x), y = activation(c, in, kind);
      const Tensor dx = tape.gradient(c, {&y, 1}, {dy}, {&in, 1})[0];
      c.tape = nullptr;
      return dx;
    };
    check_threads(gradient, type);
  }
}

}  // namespace
}  // namespace py4cast::testing
