#include "bench/training_rate.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/stopwatch.h"
#include "train/precision.h"
#include "train/trainer.h"

namespace py4cast {
namespace {

Configuration configuration_of(const Registries& registries, const TrainingCase& what) {
  const Json data = {{"rows", what.side},
                     {"columns", what.side},
                     {"states", what.states},
                     {"forcings", what.forcings}};
  return registries.resolve({.file = {},
                             .environment = {},
                             .flags = {{"--dataset", "synthetic"},
                                       {"--dataset.settings", data.dump()},
                                       {"--dataset.border", "10"},
                                       {"--model", what.network.model},
                                       {"--model.settings", what.network.settings.dump()},
                                       {"--model.autopad", "true"},
                                       {"--num_input_steps", "2"},
                                       {"--num_pred_steps_train", std::to_string(what.forecasts)},
                                       {"--training.accumulate_batches", "1"},
                                       {"--batch_size", "1"},
                                       {"--num_workers", std::to_string(what.workers)},
                                       {"--prefetch_factor", std::to_string(what.prefetch)},
                                       {"--epochs", "1"},
                                       {"--device", what.device},
                                       {"--precision", what.precision},
                                       {"--no_log", std::nullopt}}});
}

}  // namespace

double TrainingRate::rate(size_t first, size_t last) const {
  const auto from = steps.begin() + static_cast<std::ptrdiff_t>(first),
             to = steps.begin() + static_cast<std::ptrdiff_t>(last);
  return static_cast<double>(last - first) / std::accumulate(from, to, 0.0);
}

double TrainingRate::seconds(int64_t count) const {
  const auto made = std::min(steps.size(), static_cast<size_t>(count));
  const double seconds =
      std::accumulate(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(made), 0.0);
  return seconds + static_cast<double>(count - static_cast<int64_t>(made)) / rate();
}

TrainingRate train_for(const Registries& registries, Runtime& runtime, const TrainingCase& what,
                       int64_t steps, StepSeconds* parts) {
  Stopwatch time;
  const Configuration configuration = configuration_of(registries, what);
  set_precision(runtime, configuration.precision);
  Logger log(nullptr);
  const auto task = registries.task_of(configuration)
                        .make({.configuration = configuration, .runtime = runtime, .log = log});
  TrainerSettings settings = trainer_settings(configuration);
  settings.step.seconds = parts;
  TrainingRate result;
  // Asked before each step; the one before which a rank asks to stop is the last.
  settings.stop = [&, asked = int64_t{0}]() mutable {
    if (parts && asked == steps / 2) parts->fill(0);
    return ++asked >= steps;
  };
  Trainer trainer(runtime.context(), *task, runtime.communicator(), settings);
  trainer.plan();
  runtime.communicator().barrier();
  result.ready = time.seconds();
  time = Stopwatch();
  trainer.fit({.on_step = [&](const StepReport&, int64_t) {
    result.steps.push_back(time.seconds());
    time = Stopwatch();
  }});
  return result;
}

}  // namespace py4cast
