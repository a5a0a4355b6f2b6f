#include "train/configuration.h"

#include <cmath>
#include <cstdio>

#include "engine/error.h"

namespace py4cast {

void check_ranks(const Configuration& configuration, int64_t ranks) {
  constexpr int64_t most = 1'000'000'000;  // their products can be counted
  const TrainingSection& training = configuration.training;
  for (const auto& [key, batches] :
       {std::pair("accumulate_batches", training.accumulate_batches),
        std::pair("limit_train_batches", training.limit_train_batches)})
    if (batches > most)
      throw Error(ErrorKind::configuration, "training.", key, ": ", batches, " is above ", most);
  const int64_t expected = configuration.run.gpu;
  if (expected == 0 || expected == ranks) return;
  throw Error(ErrorKind::configuration, "run.gpu (--gpu) asks for ", expected,
              expected == 1 ? " rank" : " ranks", " but the program runs on ", ranks,
              "; start it with 'mpirun -np ", expected, " ...'");
}

CheckpointEvery checkpoint_every(const std::string& text) {
  if (text.empty()) return {};
  double number = 0;
  char unit[16] = "";
  int end = 0;
  const bool good = std::sscanf(text.c_str(), "%lf %15[a-z]%n", &number, unit, &end) == 2 &&
                    static_cast<size_t>(end) == text.size() && number > 0 && number <= 1e9;
  const std::string name = unit;
  if (good && (name == "minutes" || name == "minute" || name == "min")) return {.minutes = number};
  if (good && (name == "steps" || name == "step") && number == std::floor(number))
    return {.steps = static_cast<int64_t>(number)};
  throw Error(
      ErrorKind::configuration, "run.checkpoint_every '", text,
      "' is neither a number of steps, as \"500 steps\", nor of minutes, as \"20 minutes\"");
}

std::pair<int64_t, int64_t> profiled_steps(const std::string& text) {
  if (text.empty()) return {0, -1};
  long long first = 0, last = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%lld%*1[:-]%lld%n", &first, &last, &end) != 2 ||
      static_cast<size_t>(end) != text.size() || first < 1 || last < first)
    throw Error(ErrorKind::configuration, "run.profile_steps '", text,
                "' is not FIRST:LAST with two optimiser steps that count from 1");
  return {first, last};
}

}  // namespace py4cast
