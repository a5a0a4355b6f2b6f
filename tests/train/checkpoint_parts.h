// What the tests of checkpoints and of run folders share: a small network, folders, processes.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "engine/error.h"
#include "tests/train/in_child.h"
#include "train/checkpoint.h"

namespace py4cast {

namespace fs = std::filesystem;

// An empty folder of the test's own name.
inline std::string fresh_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const std::string folder =
      testing::TempDir() + test->test_suite_name() + "_" + std::string(test->name());
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

// A small network with an AdamW state, all numbers made from `value`.
struct SavedNetwork {
  explicit SavedNetwork(double value, const Shape& last = {3}, const std::string& name = "network",
                        std::unique_ptr<UpdateRule> rule = make_adamw({}))
      : slab(DataType::f32) {
    slab.add({.name = "conv.weight", .file_shape = {4, 3, 1, 2}, .order = {2, 3, 1, 0}});
    slab.add({.name = "norm.running_mean", .file_shape = {4}, .trainable = false});
    slab.add({.name = "norm.num_batches_tracked",
              .file_shape = {},
              .trainable = false,
              .type = DataType::i64});
    slab.add({.name = "bias", .file_shape = last});
    slab.allocate(Device{}, nullptr, true);
    learner = std::make_unique<Optimizer>(name, Context{}, slab, std::move(rule), Schedule{});
    learner->set_steps_done(static_cast<int64_t>(value) + 2);
    list[0] = learner.get();
    double next = value;
    for (const Parameter& parameter : slab.parameters()) {
      if (parameter.value().type() == DataType::i64) {
        parameter.value().data<int64_t>()[0] = static_cast<int64_t>(value);
        continue;
      }
      for (float& x : parameter.value().span<float>()) x = static_cast<float>(next += 0.5);
      if (!parameter.trainable()) continue;
      for (const auto& [slab_name, moments] : learner->state()) {
        const Tensor part = slab.slice(moments, parameter);
        for (float& x : part.span<float>()) x = static_cast<float>(next += 0.25);
      }
    }
  }
  // All of it as one text.
  std::string text() const {
    std::string text;
    const auto append = [&](const Tensor& tensor) {
      text.append(reinterpret_cast<const char*>(tensor.raw()), tensor.bytes());
    };
    for (const Parameter& parameter : slab.parameters()) append(parameter.value());
    for (const auto& [name, moments] : learner->state()) append(moments);
    return text + std::to_string(learner->steps_done());
  }
  Learners learners() const { return list; }
  ParameterSlab slab;
  std::unique_ptr<Optimizer> learner;
  Optimizer* list[1];
};

inline CheckpointState some_state(int64_t step = 7) {
  CheckpointState state;
  state.epoch = 3, state.batch = 5, state.step = step, state.seed = 42;
  state.epoch_loss = 1.0 / 3;
  state.best = 0.1 + 0.2;
  state.configuration_hash = fingerprint("configuration");
  state.metrics_bytes = 11;
  state.extra = {{"patience", 4}};
  return state;
}

// The exit code is the kind of the error, the sentence goes to the file.
template <typename F>
int code_of_error(const std::string& file, F&& f) {
  std::ofstream stream(file);
  try {
    f();
  } catch (const Error& error) {
    stream << error.what() << std::flush;
    return error.exit_code();
  }
  return 0;
}

}  // namespace py4cast
