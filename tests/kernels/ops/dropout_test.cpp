#include "kernels/ops/dropout.h"

#include <gtest/gtest.h>

#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

TEST(Dropout, Checked) {
  for (const Shape& decisions : {Shape{3, 4, 5}, Shape{3, 1, 5}, Shape{3, 1, 1}})
    check_op(
        {.op = [=](Context& c, const auto& in) { return dropout(c, in[0], 0.3, decisions, 7); },
         .shapes = {{3, 4, 5}},
         .bf16 = {true}});
}

// By the philox of engine/random.h.
TEST(Dropout, KeepsWhatItsNumbersSay) {
  const Tensor x = random_tensor({20, 50, 2}, DataType::f64, 1, 1, 2);
  for (const Shape& decisions : {Shape{20, 50, 2}, Shape{20, 1, 2}, Shape{20, 1, 1}})
    for (DataType type : {DataType::f64, DataType::f32, DataType::bf16})
      for_each_device([&](Context& context) {
        context.random = {5, 6};
        const Tensor given = converted(x, type), exact = converted(given, DataType::f64);
        const Tensor y =
            host_copy(dropout(context, to_device(given, context.device), 0.25, decisions, 7));
        ASSERT_EQ(y.type(), type);
        const Tensor found = converted(y, DataType::f64);
        const RandomKey key = context.random.child(7).child(0);
        int64_t kept = 0;
        Tensor expected = host_tensor(x.shape(), DataType::f64);
        for (int64_t i = 0; i < x.numel(); ++i) {
          const int64_t sample = i / 100, channel = i % 2;
          const int64_t decision = decisions[1] == 50  ? i
                                   : decisions[2] == 2 ? 2 * sample + channel
                                                       : sample;
          const bool keep = key.uniform(static_cast<uint64_t>(decision)) > 0.25;
          kept += keep;
          expected.data<double>()[i] = keep ? exact.data<double>()[i] / 0.75 : 0;
          if (!keep) {
            EXPECT_EQ(found.data<double>()[i], 0);
          }
        }
        EXPECT_LT(difference(found, expected), type == DataType::f64   ? 1e-15
                                               : type == DataType::f32 ? 1e-7
                                                                       : 1.0 / 256);
        if (decisions[1] == 50) {
          EXPECT_NEAR(static_cast<double>(kept) / 2000, 0.75, 0.04);
        }
      });
}

TEST(Dropout, DoesNothingInEvaluationAndWithoutProbability) {
  Context context;
  const Tensor x = random_tensor({2, 3}, DataType::f32, 1);
  EXPECT_EQ(dropout(context, x, 0, x.shape(), 1).raw(), x.raw());
  context.phase = Phase::evaluate;
  EXPECT_EQ(dropout(context, x, 0.9, x.shape(), 1).raw(), x.raw());
}

// The gradient of the sum tells what was kept: the same with and without a checkpoint.
TEST(Dropout, ACheckpointDropsTheSameAgain) {
  for_each_device([&](Context& context) {
    Tape tape(add);
    context.tape = &tape;
    const Tensor x = tape.watch(full(context, {40, 3}, DataType::f32, 1));
    const auto f = [](Context& c, std::span<const Tensor> in) {
      return std::vector{dropout(c, in[0], 0.5, {40, 3}, 3)};
    };
    const Tensor plain = f(context, {&x, 1})[0], y = checkpoint(context, f, {x})[0];
    EXPECT_EQ(difference(host_copy(y), host_copy(plain)), 0);
    const Tensor dy = full(context, {40, 3}, DataType::f32, 1);
    const Tensor dx = tape.gradient(context, {&y, 1}, {dy}, {&x, 1})[0];
    EXPECT_EQ(difference(host_copy(dx), host_copy(plain)), 0);
  });
}

TEST(Dropout, NamesWhatDoesNotFit) {
  Context context;
  const Tensor x = host_tensor({2, 3}, DataType::f32);
  EXPECT_EQ(error_of([&] {
              dropout(context, x, 0.5, {2, 2}, 1);
            }),
            "broadcast: [2, 2] does not broadcast to [2, 3]");
  EXPECT_EQ(error_of([&] {
              dropout(context, x, 1, {2, 3}, 1);
            }),
            "dropout: the probability is 1 but must be in [0, 1)");
}

}  // namespace
}  // namespace py4cast::testing
