// What the ops of products, of the training and of fields tell their observers.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "engine/parameters.h"
#include "engine/tape.h"
#include "kernels/fields/autoregressive_update.h"
#include "kernels/fields/decode_fields.h"
#include "kernels/fields/error_sums.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/products/convolution.h"
#include "kernels/products/linear.h"
#include "kernels/training/adamw.h"
#include "kernels/training/gradient_norm.h"
#include "kernels/training/loss.h"
#include "kernels/training/running_statistics.h"

namespace py4cast::testing {
namespace {

std::string shapes(std::span<const Tensor> tensors) {
  std::ostringstream text;
  for (const Tensor& tensor : tensors) {
    if (&tensor != tensors.data()) text << ' ';
    if (tensor.defined())
      text << tensor.shape();
    else
      text << "none";
  }
  return text.str();
}

// Each op in a line: "name flops: inputs -> outputs; attribute=value".
class NoteListener : public OpObserver {
 public:
  void op(const Context&, const OpNote& note, std::span<const Tensor> inputs,
          std::span<const Tensor> outputs) override {
    std::ostringstream line;
    line << std::boolalpha << note.name << ' ' << note.flops << ": " << shapes(inputs) << " -> "
         << shapes(outputs);
    for (const Attribute& attribute : note.attributes) {
      line << "; " << attribute.name << '=';
      std::visit([&](const auto& value) { line << value; }, attribute.value);
    }
    lines.push_back(line.str());
  }
  std::vector<std::string> lines;
};

Tensor of(const Shape& shape) {
  return host_tensor(shape, DataType::f32);
}

// The lines of what f does.
std::vector<std::string> told(const std::function<void(Context&)>& f) {
  NoteListener listener;
  Context context;
  context.observer = &listener;
  f(context);
  return listener.lines;
}

// Those of the forward and of the backward pass of an op of the inputs.
std::vector<std::string> told_of_both(std::vector<Tensor> inputs,
                                      Tensor (*op)(Context&, const std::vector<Tensor>&)) {
  return told([&](Context& context) {
    Tape tape(add);
    context.tape = &tape;
    for (Tensor& input : inputs) input = tape.watch(input);
    const Tensor y = op(context, inputs);
    tape.backward(
        context, {&y, 1}, {of(y.shape())}, [](Context&, const Parameter&, Tensor) {}, inputs);
  });
}

using Lines = std::vector<std::string>;

constexpr const char* plain_attributes =
    "; stride=[1, 1]; padding=[0, 0]; dilation=[1, 1]; groups=1";

TEST(OpNotes, Convolution) {
  const Tensor x = of({2, 5, 6, 4}), weight = of({3, 2, 2, 6}), bias = of({6});
  // 2 x 120 results, 3 x 2 elements of the kernel, 2 channels of a group
  EXPECT_EQ(told([&](Context& c) {
              convolution(c, x, weight, bias,
                          {.stride = {1, 2}, .padding = {1, 0}, .dilation = {1, 3}, .groups = 2});
            }),
            Lines{"convolution 2880: [2, 5, 6, 4] [3, 2, 2, 6] [6] -> [2, 5, 2, 6]; "
                  "stride=[1, 2]; padding=[1, 0]; dilation=[1, 3]; groups=2"});
}

TEST(OpNotes, GradientsOfAConvolutionHaveItsArithmetic) {
  const Tensor x = of({1, 5, 6, 4}), weight = of({3, 2, 4, 6});
  const Lines lines = told_of_both({x, weight}, [](Context& c, const std::vector<Tensor>& in) {
    return convolution(c, in[0], in[1], {});
  });
  const std::string shape = plain_attributes;
  EXPECT_EQ(lines,
            (Lines{"convolution 4320: [1, 5, 6, 4] [3, 2, 4, 6] none -> [1, 3, 5, 6]" + shape,
                   "convolution_weight_gradient 4320: [1, 5, 6, 4] [1, 3, 5, 6] -> "
                   "[3, 2, 4, 6]" +
                       shape,
                   "convolution_data_gradient 4320: [1, 3, 5, 6] [3, 2, 4, 6] -> "
                   "[1, 5, 6, 4]" +
                       shape}));
}

TEST(OpNotes, TransposedConvolution) {
  // 2 x 48 elements of x, 2 x 2 elements of the kernel, 3 channels of the result
  EXPECT_EQ(
      told([&](Context& c) {
        transposed_convolution(c, of({1, 3, 4, 4}), of({2, 2, 3, 4}), of({3}), {.stride = {2, 2}});
      }),
      Lines{"transposed_convolution 1152: [1, 3, 4, 4] [2, 2, 3, 4] [3] -> [1, 6, 8, 3]; "
            "stride=[2, 2]; padding=[0, 0]; dilation=[1, 1]; groups=1"});
}

TEST(OpNotes, Linear) {
  const Lines lines = told_of_both(
      {of({2, 5, 3}), of({3, 4}), of({4})},
      [](Context& c, const std::vector<Tensor>& in) { return linear(c, in[0], in[1], in[2]); });
  EXPECT_EQ(lines, (Lines{"linear 240: [2, 5, 3] [3, 4] [4] -> [2, 5, 4]",
                          "linear_data_gradient 240: [2, 5, 4] [3, 4] -> [2, 5, 3]",
                          "linear_weight_gradient 240: [2, 5, 3] [2, 5, 4] -> [3, 4] [4]"}));
}

TEST(OpNotes, WeightedLoss) {
  const Lines lines = told_of_both({of({2, 5, 3})}, [](Context& c, const std::vector<Tensor>& in) {
    return weighted_loss(c, in[0], of({2, 5, 3}), of({5, 1}), of({3}), LossKind::absolute);
  });
  EXPECT_EQ(lines, (Lines{"weighted_loss 150: [2, 5, 3] [2, 5, 3] [5, 1] [3] -> [2]; "
                          "error=absolute",
                          "weighted_loss_gradient 120: [2] [2, 5, 3] [2, 5, 3] [5, 1] [2, 3] -> "
                          "[2, 5, 3]"}));
}

TEST(OpNotes, ScaledUpdate) {
  const Lines lines =
      told_of_both({of({5, 3}), of({5, 3})}, [](Context& c, const std::vector<Tensor>& in) {
        return scaled_update(c, in[0], in[1], of({3}), of({3}), of({5, 3}), of({5, 1}));
      });
  EXPECT_EQ(lines, (Lines{"scaled_update 45: [5, 3] [5, 3] [3] [3] [5, 3] [5, 1] -> [5, 3]",
                          "scaled_update_gradient 45: [5, 3] [3] [5, 1] -> [5, 3] [5, 3] none"}));
  EXPECT_EQ(told([](Context& c) {
              scaled_update(c, of({5, 3}), of({5, 3}), of({3}), of({3}), {}, of({5, 1}));
            }),
            Lines{"scaled_update 45: [5, 3] [5, 3] [3] [3] none none -> [5, 3]"});
}

TEST(OpNotes, WhatHasNoDerivativeTellsItselfToo) {
  const Tensor slab = of({10}), factors = host_tensor({adamw_factor_count}, DataType::f64),
               norm = host_tensor({gradient_norm_count}, DataType::f64),
               count = host_tensor({1}, DataType::i64), fields = of({2, 4, 3});
  EXPECT_EQ(told([&](Context& c) {
              gradient_norm(c, slab, {}, 0.5, norm);
              adamw(c, slab, slab, slab, slab, factors, norm);
              update_running_statistics(c, slab, slab, count, slab, slab, 0.25, {});
              error_sums(c, fields, fields, of({4, 1}));
            }),
            (Lines{"gradient_norm 20: [10] none -> [3]; max_norm=0.5",
                   "adamw 170: [10] [10] [10] [10] [9] [3] -> [10] [10] [10]",
                   "update_running_statistics 60: [10] [10] [1] [10] [10] none -> [10] [10] [1]; "
                   "momentum=0.25",
                   "error_sums 168: [2, 4, 3] [2, 4, 3] [4, 1] -> [2, 3, 4]"}));
  const Tensor planes = host_tensor({2, 1, 3, plane_words}, DataType::i64);
  for (FieldPlane& plane : std::span(reinterpret_cast<FieldPlane*>(planes.raw()), 6)) plane = {};
  EXPECT_EQ(told([&](Context& c) {
              decode_fields(c, of({2, 1}), planes, {.values = of({2, 1, 4, 3})});
            }),
            Lines{"decode_fields 96: [2, 1] [2, 1, 3, " + std::to_string(plane_words) +
                  "] -> [2, 1, 4, 3] none none"});
}

}  // namespace
}  // namespace py4cast::testing
