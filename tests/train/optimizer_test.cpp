// From the keys of a configuration to what becomes of the weights, beside PyTorch 2 in float64.
#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/error.h"
#include "kernels/training/gradient_norm.h"
#include "tests/train/built_in.h"

namespace py4cast {
namespace {

// The weights 1, -2, 0.5 after three steps with the gradients (0.3, -0.1, 0.02), (-0.2, 0.4, 0.01), (0.1, 0.1, -0.05).
std::vector<double> after_three_steps(std::vector<FlagValue> flags) {
  flags.push_back({"--lr", "0.1"});
  const Configuration configuration = built_in().general.resolve({.flags = flags});
  Context context;
  ParameterSlab slab(DataType::f64);
  const Parameter& weights = slab.add({.name = "weights", .file_shape = {3}});
  slab.allocate(Device{}, nullptr, true);
  std::ranges::copy(std::vector<double>{1, -2, 0.5}, weights.value().data<double>());
  const auto optimizer = built_in().general.make_optimizer(configuration, "network", slab, context);
  const Tensor factors = host_tensor({optimizer->factor_count()}, DataType::f64),
               norm = host_tensor({gradient_norm_count}, DataType::f64);
  clear_gradient_norm(context, norm);
  for (const std::vector<double>& gradient :
       {std::vector<double>{0.3, -0.1, 0.02}, {-0.2, 0.4, 0.01}, {0.1, 0.1, -0.05}}) {
    std::ranges::copy(gradient, weights.gradient().data<double>());
    optimizer->begin_step(factors);
    optimizer->apply(context, {}, factors, norm);
  }
  const double* values = weights.value().data<double>();
  return {values, values + 3};
}

void expect_weights(const std::vector<FlagValue>& flags, const std::vector<double>& expected) {
  const std::vector<double> found = after_three_steps(flags);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-12) << i;
}

constexpr const char *betas = "--training.optimizer.betas",
                     *weight_decay = "--training.optimizer.weight_decay",
                     *epsilon = "--training.optimizer.epsilon";

TEST(OptimizerKeys, AdamW) {
  expect_weights({{"--optimizer", "adamw"}},
                 {0.854435906656318, -2.00660610465998, 0.333293906508832});
  expect_weights(
      {{"--optimizer", "adamw"}, {betas, "0.6,0.8"}, {weight_decay, "0.5"}, {epsilon, "0.01"}},
      {0.753438980583145, -1.75792904133059, 0.359421989926713});
}

TEST(OptimizerKeys, Adam) {
  expect_weights({{"--optimizer", "adam"}},
                 {0.857697060834597, -2.01304486570667, 0.335710930111745});
  expect_weights(
      {{"--optimizer", "adam"}, {betas, "0.6,0.8"}, {weight_decay, "0.5"}, {epsilon, "0.01"}},
      {0.734337817058851, -1.71846280026298, 0.228290248852415});
  // By Keras' formula, in NumPy.
  expect_weights({{"--optimizer", "adam"},
                  {"--training.optimizer.form", "keras"},
                  {betas, "0.6,0.8"},
                  {epsilon, "0.01"}},
                 {0.890881731517802, -2.04444693357118, 0.448525963405445});
}

TEST(OptimizerKeys, WhatCannotBeIsRefused) {
  const auto refused = [](const char* kind, const char* key, const char* value,
                          const std::vector<FlagValue>& more = {}) {
    std::vector<FlagValue> flags = {{"--optimizer", kind}, {key, value}};
    flags.insert(flags.end(), more.begin(), more.end());
    try {
      after_three_steps(flags);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::configuration);
      return std::string(error.what());
    }
    return std::string();
  };
  for (const char* kind : {"adam", "adamw"}) {
    EXPECT_EQ(refused(kind, betas, "2,0.9"), "optimizer.betas must be below 1, not 2");
    EXPECT_EQ(refused(kind, betas, "0.9,1"), "optimizer.betas must be below 1, not 1");
    EXPECT_EQ(refused(kind, betas, "0,0"), "");
    EXPECT_EQ(refused(kind, epsilon, "0"), "optimizer.epsilon must be above 0");
  }
  EXPECT_EQ(refused("sgd", "--training.optimizer.nesterov", "true"),
            "optimizer.nesterov needs optimizer.momentum above 0");
  const char* least = "--training.schedule.min_lr";
  EXPECT_EQ(refused("adamw", least, "0.2", {{"--training.schedule.name", "cosine"}}),
            "training.schedule.min_lr 0.2 is above training.optimizer.lr 0.1");
  EXPECT_EQ(refused("adamw", least, "0.2"), "") << "of the cosine alone";
}

TEST(OptimizerKeys, Sgd) {
  expect_weights({{"--optimizer", "sgd"}}, {0.98, -2.04, 0.502});
  expect_weights(
      {{"--optimizer", "sgd"}, {"--training.optimizer.momentum", "0.7"}, {weight_decay, "0.5"}},
      {0.7287, -1.588525, 0.3824925});
  expect_weights({{"--optimizer", "sgd"},
                  {"--training.optimizer.momentum", "0.7"},
                  {"--training.optimizer.nesterov", "true"}},
                 {0.95081, -2.07927, 0.501244});
}

// clip_grad_norm_ before the step, and a warm-up of two steps (0, half, whole).
TEST(OptimizerKeys, ClippingAndWarmUp) {
  expect_weights({{"--optimizer", "sgd"},
                  {"--training.clip_norm", "0.2"},
                  {"--training.schedule.warmup_steps", "2"}},
                 {0.994471008345119, -2.01894201669024, 0.504776449582744});
}

}  // namespace
}  // namespace py4cast
