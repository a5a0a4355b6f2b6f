// What ops tell of themselves.
#include <gtest/gtest.h>

#include <sstream>

#include "kernels/ops/activation.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/batch_norm.h"
#include "kernels/ops/gather.h"
#include "kernels/ops/layer_norm.h"
#include "kernels/ops/max_pool.h"
#include "kernels/ops/random.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/softmax.h"
#include "kernels/ops/upsample.h"
#include "kernels/ops/views.h"
#include "kernels/products/attention.h"
#include "tests/kernels/op_check.h"

namespace py4cast::testing {
namespace {

// "concat 0 axis=1: f32 [2, 3], f32 [2, 1] -> f32 [2, 4]"
class Listener : public OpObserver {
 public:
  void op(const Context&, const OpNote& note, std::span<const Tensor> inputs,
          std::span<const Tensor> outputs) override {
    std::ostringstream text;
    text << note.name << " " << note.flops << std::boolalpha;
    for (const Attribute& attribute : note.attributes) {
      text << " " << attribute.name << "=";
      std::visit([&](const auto& value) { text << value; }, attribute.value);
    }
    const auto list = [&](std::span<const Tensor> tensors, const char* before) {
      for (const Tensor& x : tensors) {
        text << before;
        if (x.defined())
          text << name_of(x.type()) << " " << x.shape();
        else
          text << "none";
        before = ", ";
      }
    };
    list(inputs, ": ");
    list(outputs, " -> ");
    heard.push_back(text.str());
  }
  std::vector<std::string> heard;
};

// The same is heard of an evaluation, of a step with a tape and of a dry run.
std::string heard(const std::function<void(Context&)>& f) {
  Listener evaluation, training, dry;
  Context context;
  context.observer = &evaluation;
  f(context);

  Tape tape(add);
  context.tape = &tape;
  context.observer = &training;
  f(context);

  MemoryLedger ledger;
  StepArena arena(ledger);
  context.tape = nullptr;
  context.arena = &arena;
  context.observer = &dry;
  arena.plan("step", [&] { f(context); });

  EXPECT_EQ(training.heard, evaluation.heard);
  EXPECT_EQ(dry.heard, evaluation.heard);
  std::string text;
  for (const std::string& line : evaluation.heard) text += (text.empty() ? "" : "\n") + line;
  return text;
}

const Tensor matrix = random_tensor({2, 3}, DataType::f32, 1, 0.5, 1),
             row = random_tensor({3}, DataType::f32, 2, 0.5, 1),
             image = random_tensor({1, 4, 6, 5}, DataType::f32, 3);

TEST(Notes, Arithmetic) {
  const std::pair<const char*, Tensor (*)(Context&, Tensor, Tensor)> binary[] = {
      {"add", add}, {"subtract", subtract}, {"multiply", multiply}, {"divide", divide}};
  for (const auto& [name, op] : binary)
    EXPECT_EQ(heard([&op = op](Context& c) { op(c, matrix, matrix); }),
              std::string(name) + " 6: f32 [2, 3], f32 [2, 3] -> f32 [2, 3]");
  const std::pair<const char*, Tensor (*)(Context&, Tensor)> unary[] = {
      {"exponential", exponential},
      {"logarithm", logarithm},
      {"absolute", absolute},
      {"hyperbolic_tangent", hyperbolic_tangent},
      {"error_function", error_function},
      {"without_nan", without_nan}};
  for (const auto& [name, op] : unary)
    EXPECT_EQ(heard([&op = op](Context& c) { op(c, matrix); }),
              std::string(name) + " 6: f32 [2, 3] -> f32 [2, 3]");
  EXPECT_EQ(heard([](Context& c) { is_number(c, matrix); }),
            "is_number 6: f32 [2, 3] -> f32 [2, 3]");
  EXPECT_EQ(heard([](Context& c) { affine(c, matrix, 2, 0.5); }),
            "affine 12 scale=2 shift=0.5: f32 [2, 3] -> f32 [2, 3]");
  EXPECT_EQ(heard([](Context& c) { power(c, matrix, -0.5); }),
            "power 6 exponent=-0.5: f32 [2, 3] -> f32 [2, 3]");
  EXPECT_EQ(heard([](Context& c) { greater(c, matrix, 0.25); }),
            "greater 6 bound=0.25: f32 [2, 3] -> f32 [2, 3]");
  EXPECT_EQ(heard([](Context& c) { full(c, {2}, DataType::f64, 3); }), "full 0 value=3 -> f64 [2]");
  EXPECT_EQ(heard([](Context& c) { uniform(c, {2}, DataType::bf16, 7, -1, 1); }),
            "uniform 4 stream=7 low=-1 high=1 -> bf16 [2]");
}

TEST(Notes, SumsAndViews) {
  EXPECT_EQ(heard([](Context& c) {
              wide_sum_to(c, matrix, {1, 3});
            }),
            "sum_to 3: f32 [2, 3] -> f32 [1, 3]");
  EXPECT_EQ(heard([](Context& c) {
              wide_sum_to(c, cast(c, matrix, DataType::bf16), {2, 3});
            }),
            "cast 0: f32 [2, 3] -> bf16 [2, 3]\nsum_to 0: bf16 [2, 3] -> f32 [2, 3]");
  EXPECT_EQ(heard([](Context& c) {
              broadcast(c, reshape(c, row, {1, 3}), {2, 3});
            }),
            "reshape 0: f32 [3] -> f32 [1, 3]\nbroadcast 0: f32 [1, 3] -> f32 [2, 3]");
  EXPECT_EQ(heard([](Context& c) {
              concat(c, {matrix, matrix}, -1);
            }),
            "concat 0 axis=1: f32 [2, 3], f32 [2, 3] -> f32 [2, 6]");
  EXPECT_EQ(heard([](Context& c) { narrow(c, matrix, -1, 1, 2); }),
            "narrow 0 axis=1 start=1: f32 [2, 3] -> f32 [2, 2]");
  EXPECT_EQ(heard([](Context& c) {
              slices(c, matrix, -1, {1, 2});
            }),
            "slices 0 axis=1: f32 [2, 3] -> f32 [2, 1], f32 [2, 2]");
  EXPECT_EQ(heard([](Context& c) { pad(c, matrix, 0, 1, 2); }),
            "pad 0 axis=0 before=1 after=2: f32 [2, 3] -> f32 [5, 3]");
  EXPECT_EQ(heard([](Context& c) {
              transpose(c, image, {0, 3, 1, 2});
            }),
            "transpose 0 axes=[0, 3, 1, 2]: f32 [1, 4, 6, 5] -> f32 [1, 5, 4, 6]");
}

TEST(Notes, Activations) {
  EXPECT_EQ(heard([](Context& c) { activation(c, matrix, Activation::leaky_relu); }),
            "activation 12 kind=LeakyReLU: f32 [2, 3] -> f32 [2, 3]");
  EXPECT_EQ(heard([](Context& c) { activation(c, matrix, Activation::gelu); }),
            "activation 30 kind=GELU: f32 [2, 3] -> f32 [2, 3]");
}

TEST(Notes, Normalisations) {
  EXPECT_EQ(heard([](Context& c) { softmax(c, matrix); }), "softmax 30: f32 [2, 3] -> f32 [2, 3]");
  EXPECT_EQ(heard([](Context& c) { layer_norm(c, matrix, row, row, 0.25); }),
            "layer_norm 48 inside=0.25 outside=0: f32 [2, 3], f32 [3], f32 [3] -> f32 [2, 3]");
  EXPECT_EQ(heard([](Context& c) { batch_norm(c, matrix, row, row, 0.25, Activation::relu); }),
            "batch_norm 48 epsilon=0.25 activation=ReLU: f32 [2, 3], f32 [3], f32 [3] -> f32 [2, "
            "3]");
  EXPECT_EQ(heard([](Context& c) { batch_norm_evaluate(c, matrix, row, row, row, row, 0.25); }),
            "batch_norm_evaluate 18 epsilon=0.25 activation=Identity: f32 [2, 3], f32 [3], f32 "
            "[3], f32 [3], f32 [3] -> f32 [2, 3]");
}

TEST(Notes, Attention) {
  const Tensor q = random_tensor({1, 3, 4}, DataType::f32, 1),
               k = random_tensor({1, 2, 4}, DataType::f32, 2);
  EXPECT_EQ(heard([&](Context& c) { attention(c, q, k, k, 2, 0.5); }),
            "attention 156 heads=2 scale=0.5: f32 [1, 3, 4], f32 [1, 2, 4], f32 [1, 2, 4] -> f32 "
            "[1, 3, 4]");
}

TEST(Notes, Images) {
  EXPECT_EQ(heard([](Context& c) {
              max_pool(c, image, {.window = {2, 3}});
            }),
            "max_pool 100 window=[2, 3] stride=[2, 3] padding=[0, 0]: f32 [1, 4, 6, 5] -> f32 [1, "
            "2, 2, 5]");
  EXPECT_EQ(heard([](Context& c) {
              upsample(c, image, {8, 6}, {Interpolation::linear, true});
            }),
            "upsample 720 interpolation=linear align_corners=true: f32 [1, 4, 6, 5], none -> f32 "
            "[1, 8, 6, 5]");
  EXPECT_EQ(heard([](Context& c) {
              upsample(c, image, {8, 12}, {}, full(c, {1, 8, 12, 5}, DataType::f32, 0));
            }),
            "full 0 value=0 -> f32 [1, 8, 12, 5]\nupsample 4800 interpolation=linear "
            "align_corners=false: f32 [1, 4, 6, 5], f32 [1, 8, 12, 5] -> f32 [1, 8, 12, 5]");
}

TEST(Notes, Graphs) {
  Tensor edges = host_tensor({4}, DataType::i32);
  for (int32_t e = 0; e < 4; ++e) edges.data<int32_t>()[e] = e % 2;
  const SegmentIndex index(edges, 2);
  const Tensor nodes = random_tensor({1, 2, 3}, DataType::f32, 1),
               values = random_tensor({1, 4, 3}, DataType::f32, 1);
  EXPECT_EQ(heard([&](Context& c) { gather(c, nodes, index); }),
            "gather 0 mean=false: f32 [1, 2, 3], i32 [4] -> f32 [1, 4, 3]");
  EXPECT_EQ(heard([&](Context& c) { edge_sum(c, values, nodes, index, nodes, index); }),
            "edge_sum 24: f32 [1, 4, 3], f32 [1, 2, 3], f32 [1, 2, 3], i32 [4], i32 [4] -> "
            "f32 [1, 4, 3]");
  EXPECT_EQ(heard([&](Context& c) { segment_sum(c, values, index); }),
            "segment_sum 12: f32 [1, 4, 3], i32 [4] -> f32 [1, 2, 3]");
  EXPECT_EQ(heard([&](Context& c) { segment_mean(c, values, index); }),
            "segment_mean 18: f32 [1, 4, 3], i32 [4] -> f32 [1, 2, 3]");
}

}  // namespace
}  // namespace py4cast::testing
