// How fast a training goes, loader and all.
#pragma once

#include <string>
#include <vector>

#include "bench/step_cases.h"
#include "engine/runtime.h"
#include "engine/step_parts.h"
#include "train/registries.h"

namespace py4cast {

// A training on the synthetic data set (bench/synthetic_dataset.h), one batch of one sample to a step,
// two input states; otherwise with the defaults.
struct TrainingCase {
  StepCase network;
  int64_t side = 512, states = 69, forcings = 2;
  int64_t forecasts = 1;  // steps ahead
  int64_t workers = 10, prefetch = 2;
  std::string device = "cpu", precision = "fp32";
};

struct TrainingRate {
  double ready = 0;           // seconds from nothing to the first step: data, network, memory plan
  std::vector<double> steps;  // seconds of each optimiser step, from the first on

  // Steps per second from step `first` to step `last` - 1.
  double rate(size_t first, size_t last) const;
  // Of the second half: warm.
  double rate() const { return rate(steps.size() / 2, steps.size()); }
  // Seconds of so many steps; those that were not made are as fast as the second half.
  double seconds(int64_t count) const;
};

// Trains so many optimiser steps, at least 2. With `parts` it adds up there how long each part takes in the
// second half, as rate() has it, which makes the steps slower on a GPU. All ranks call it.
TrainingRate train_for(const Registries& registries, Runtime& runtime, const TrainingCase& what,
                       int64_t steps, StepSeconds* parts = nullptr);

}  // namespace py4cast
