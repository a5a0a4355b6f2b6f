// The tape with real ops.
#include "engine/tape.h"

#include <gtest/gtest.h>

#include "engine/kept_values.h"
#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/layer_norm.h"
#include "kernels/ops/reduce.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

struct Net {
  ParameterSlab slab{DataType::f64};
  const Parameter* gamma = &slab.add({"gamma", {6}, {}, {1, 0.5}});
  const Parameter* beta = &slab.add({"beta", {6}, {}, {0, 0.5}});
  Net() {
    slab.allocate(Device{}, nullptr, true);
    slab.initialise(RandomKey{1, 1});
  }
  Tensor layer(Context& c, const Tensor& x) const {
    return hyperbolic_tangent(c, layer_norm(c, x, use(c, *gamma), use(c, *beta)));
  }
};

Tensor checkpointed(const Net& net, Context& context, const Tensor& x) {
  return checkpoint(
      context,
      [&net](Context& c, std::span<const Tensor> in) { return std::vector{net.layer(c, in[0])}; },
      {x})[0];
}

TEST(Tape, ParametersAreDeliveredOnceWhenFinal) {
  Net net;
  Context context;
  Tape tape(add);
  context.tape = &tape;
  Tensor x = random_tensor({4, 6}, DataType::f64, 0);
  for (int step = 0; step < 3; ++step) x = net.layer(context, x);
  const Tensor loss = mean_all(context, multiply(context, x, x));
  std::vector<std::string> delivered;
  tape.backward(context, {&loss, 1}, {full(context, {}, DataType::f64, 1)},
                [&](Context&, const Parameter& p, Tensor g) {
                  delivered.push_back(p.name());
                  EXPECT_EQ(g.shape(), p.shape());
                });
  EXPECT_EQ(delivered, (std::vector<std::string>{"gamma", "beta"}));
  EXPECT_EQ(tape.size(), 0u);
}

// y = 2 p, used as 3 y and as 5 y: d/dp = 16, and y is computed once for each batch size, with a tape and without.
TEST(KeptValues, AreComputedOnce) {
  const Net net;
  const int owner = 0;
  int computed = 0;
  Context context;
  KeptValues values;
  Tape tape(add);
  context.kept = &values;
  const auto twice = [&](int64_t batch) {
    return once(context, &owner, batch, DataType::f64, [&] {
      EXPECT_EQ(context.kept, nullptr);  // what is computed within is not kept beside it
      ++computed;
      return scale(context, use(context, *net.gamma), 2);
    });
  };
  for (int pass = 0; pass < 2; ++pass) twice(1);
  EXPECT_EQ(computed, 1);
  context.tape = &tape;
  const Tensor loss =
      sum_all(context, add(context, scale(context, twice(1), 3), scale(context, twice(1), 5)));
  EXPECT_EQ(computed, 2);
  tape.backward(context, {&loss, 1}, {full(context, {}, DataType::f64, 1)},
                [&](Context&, const Parameter&, const Tensor& g) {
                  for (double v : g.span<double>()) EXPECT_EQ(v, 16);
                });
  twice(2);
  EXPECT_EQ(computed, 3);
  context.kept = nullptr;
  EXPECT_FALSE(once(context, &owner, 1, DataType::f64, [] { return Tensor(); }).defined());
}

// Checkpointing changes memory, not values: the same gradients bit for bit, of inputs and of
// parameters.
TEST(Tape, CheckpointEqualsThePlainPass) {
  Net net;
  const Tensor x0 = random_tensor({4, 6}, DataType::f64, 0);
  const auto run = [&](bool recompute) {
    Context context;
    Tape tape(add);
    context.tape = &tape;
    const Tensor leaf = tape.watch(x0);
    Tensor x = leaf;
    for (int step = 0; step < 3; ++step)
      x = recompute ? checkpointed(net, context, x) : net.layer(context, x);
    const Tensor loss = mean_all(context, multiply(context, x, x));
    std::map<std::string, Tensor> result;
    const GradientSink sink = [&](Context&, const Parameter& p, Tensor g) { result[p.name()] = g; };
    const Tensor one = full(context, {}, DataType::f64, 1);
    result["x"] = tape.backward(context, {&loss, 1}, {one}, sink, {&leaf, 1})[0];
    return result;
  };
  const auto plain = run(false), again = run(true);
  ASSERT_EQ(plain.size(), 3u);
  for (const auto& [name, gradient] : plain)
    EXPECT_EQ(difference(again.at(name), gradient), 0) << name;
}

TEST(Tape, CheckpointHasSecondDerivatives) {
  const auto layer = [](Context& c, const Tensor& x, const Tensor& gamma, const Tensor& beta) {
    return hyperbolic_tangent(c, layer_norm(c, x, gamma, beta));
  };
  check_op({.op =
                [&](Context& c, const auto& in) {
                  return checkpoint(
                      c,
                      [&](Context& inner, std::span<const Tensor> given) {
                        return std::vector{layer(inner, given[0], given[1], given[2])};
                      },
                      {in[0], in[1], in[2]})[0];
                },
            .composite = [&](Context& c, const auto& in) { return layer(c, in[0], in[1], in[2]); },
            .shapes = {Shape{2, 6}, Shape{6}, Shape{6}}});
}

TEST(Tape, CheckpointFlagsTheSecondPass) {
  std::vector<bool> flags;
  Context context;
  Tape tape(add);
  context.tape = &tape;
  const Tensor x = tape.watch(random_tensor({3}, DataType::f64, 0));
  const Tensor y = checkpoint(context,
                              [&](Context& c, std::span<const Tensor> in) {
                                flags.push_back(c.recompute);
                                return std::vector{multiply(c, in[0], in[0])};
                              },
                              {x})[0];
  tape.backward(context, {&y, 1}, {full(context, {3}, DataType::f64, 1)},
                [](Context&, const Parameter&, Tensor) {});
  EXPECT_EQ(flags, (std::vector<bool>{false, true}));
}

TEST(Tape, WhatIsNotReachedHasNoGradient) {
  Context context;
  Tape tape(add);
  context.tape = &tape;
  const Tensor a = tape.watch(random_tensor({2}, DataType::f64, 0)),
               b = tape.watch(random_tensor({2}, DataType::f64, 1));
  const Tensor y = scale(context, a, 3), unused = scale(context, b, 2);
  const std::vector<Tensor> leaves{a, b};
  const auto gradients =
      tape.gradient(context, {&y, 1}, {full(context, {2}, DataType::f64, 1)}, leaves);
  EXPECT_EQ(gradients[0].span<double>()[1], 3);
  EXPECT_FALSE(gradients[1].defined());
}

}  // namespace
}  // namespace py4cast::testing
