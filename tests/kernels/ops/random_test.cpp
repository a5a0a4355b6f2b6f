#include "kernels/ops/random.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/cuda.h"
#include "engine/parameters.h"
#include "engine/step_graphs.h"
#include "kernels/ops/arithmetic.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

Tensor counter_of(int64_t value, Device device) {
  const Tensor result = host_tensor({1}, DataType::i64);
  *result.data<int64_t>() = value;
  return to_device(result, device);
}

// By the philox of engine/random.h, whose known answers are in tests/engine/random_test.cpp.
Tensor expected(const RandomKey& key, int64_t size, DataType type, double low, double high) {
  const int digits = type == DataType::f64 ? 53 : type == DataType::f32 ? 24 : 8;
  const double unit = std::ldexp(1.0, -digits);
  Tensor result = host_tensor({size}, DataType::f64);
  for (uint64_t i = 0; double& value : result.span<double>())
    value = low + (high - low) * (std::floor(key.uniform(i++) / unit) * unit);
  return type == DataType::f64 ? result : converted(converted(result, DataType::f32), type);
}

TEST(Random, IsThePhiloxOfTheEngineOnEveryDevice) {
  for (DataType type : {DataType::f64, DataType::f32, DataType::bf16})
    for_each_device([&](Context& context) {
      context.random = {0x123456789abcdef0, 17};
      context.random_counter = {};
      const auto draw = [&] { return host_copy(uniform(context, {10007}, type, 5, -2, 0.7)); };
      const RandomKey key = context.random.child(5);
      EXPECT_EQ(difference(draw(), expected(key.child(0), 10007, type, -2, 0.7)), 0);
      context.random_counter = counter_of(3, context.device);
      EXPECT_EQ(difference(draw(), expected(key.child(3), 10007, type, -2, 0.7)), 0);
    });
}

TEST(Random, Moments) {
  for_each_device([&](Context& context) {
    const Tensor y =
        converted(host_copy(uniform(context, {50000}, DataType::f32, 1)), DataType::f64);
    double mean = 0, square = 0;
    for (double value : y.span<double>()) {
      ASSERT_GE(value, 0);
      ASSERT_LT(value, 1);
      mean += value / 50000;
      square += (value - 0.5) * (value - 0.5) / 50000;
    }
    EXPECT_NEAR(mean, 0.5, 0.005);
    EXPECT_NEAR(square, 1.0 / 12, 0.002);
  });
}

TEST(Random, TheSameBitsEverywhere) {
  for (DataType type : {DataType::f64, DataType::f32, DataType::bf16}) {
    const auto draw = [&](Context& c) { return uniform(c, {3, 5001}, type, 2, 0.3, 1.7); };
    check_threads(draw, type);
    Context plain;
    plain.cpu_level = CpuLevel::baseline;
    const Tensor reference = draw(plain);
    for_each_device(
        [&](Context& context) { EXPECT_EQ(difference(host_copy(draw(context)), reference), 0); });
  }
}

TEST(Random, StreamsAndCountersDiffer) {
  for_each_device([&](Context& context) {
    const auto draw = [&](uint64_t stream, int64_t counter) {
      context.random_counter = counter_of(counter, context.device);
      return host_copy(uniform(context, {64}, DataType::f32, stream));
    };
    const Tensor first = draw(1, 0);
    EXPECT_EQ(difference(draw(1, 0), first), 0);
    EXPECT_GT(difference(draw(1, 1), first), 0.5);
    EXPECT_GT(difference(draw(2, 0), first), 0.5);
  });
}

// y = sum of x times noise: the gradient of x is the noise, drawn again in the backward pass.
TEST(Random, ACheckpointDrawsTheSameAgain) {
  for_each_device([&](Context& context) {
    Tape tape(add);
    context.tape = &tape;
    context.random_counter = counter_of(4, context.device);
    const Tensor x = tape.watch(full(context, {100}, DataType::f32, 1));
    const Tensor y =
        checkpoint(context,
                   [](Context& c, std::span<const Tensor> in) {
                     return std::vector{multiply(c, in[0], uniform(c, {100}, DataType::f32, 3))};
                   },
                   {x})[0];
    const Tensor noise = host_copy(y);
    context.random = {1, 1};  // of a later step
    const Tensor dx = host_copy(
        tape.gradient(context, {&y, 1}, {full(context, {100}, DataType::f32, 1)}, {&x, 1})[0]);
    EXPECT_EQ(difference(dx, noise), 0);
  });
}

TEST(Random, NamesWhatDoesNotFit) {
  Context context;
  EXPECT_EQ(error_of([&] { uniform(context, {2}, DataType::f32, 1, 1, 1); }),
            "uniform: low is 1 and high is 1");
  context.random_counter = host_tensor({2}, DataType::i64);
  EXPECT_EQ(error_of([&] { uniform(context, {2}, DataType::f32, 1); }),
            "uniform: the counter is i64 [2] on cpu but must be i64 [1] on cpu");
  context.random_counter = {};
  EXPECT_EQ(error_of([&] { uniform(context, {2}, DataType::i32, 1); }),
            "uniform: no kernel for elements of type i32");
}

#if PY4CAST_CUDA
class CapturedRandom : public ::testing::Test {
 protected:
  CapturedRandom() : stream_(test_device()) {
    context_.device = test_device();
    context_.stream = stream_.get();
  }
  CudaStream stream_;
  Context context_;
};

TEST_F(CapturedRandom, EachReplayDrawsWhatTheCounterSays) {
  MemoryLedger ledger;
  StepArena arena(ledger, StepArena::Mode::plan, 0, context_.device);
  const Tensor y = context_.empty({32}, DataType::f32);
  context_.random_counter = counter_of(0, context_.device);
  context_.ledger = &ledger;
  context_.arena = &arena;
  StepGraphs graphs(arena, context_, true);
  for (int64_t step : {7, 8, 9, 8, 7}) {
    copy(counter_of(step, {}), context_.random_counter);
    graphs.run("draw", [&] {
      const Tensor drawn = uniform(context_, {32}, DataType::f32, 1);
      if (!context_.dry()) copy_async(drawn, y, stream_.get());
    });
    synchronize(stream_.get());
    Context host;
    host.random_counter = counter_of(step, {});
    EXPECT_EQ(difference(host_copy(y), uniform(host, {32}, DataType::f32, 1)), 0) << step;
  }
  EXPECT_EQ(graphs.captured(), 1);
}

TEST_F(CapturedRandom, IsRefusedWithoutACounter) {
  EXPECT_EQ(error_of([&] {
              const CudaGraph graph(stream_.get(),
                                    [&] { uniform(context_, {32}, DataType::f32, 1); });
            }),
            "uniform: this step is being captured without a counter (Context::random_counter), so "
            "every replay would draw the same numbers");
  EXPECT_NO_THROW(uniform(context_, {32}, DataType::f32, 1));  // no capture, no counter
  synchronize(stream_.get());
}
#endif

}  // namespace
}  // namespace py4cast::testing
