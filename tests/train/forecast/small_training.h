// A small training on made-up data, from inside.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/runtime.h"
#include "tests/train/built_in.h"
#include "train/trainer.h"

namespace py4cast {

struct SmallOptions {
  std::string device = "cpu";
  int64_t accumulate = 1;
  bool cuda_graph = true;
  Precision precision = Precision::fp32;
  bool little = device != "cpu";  // a GPU may be an emulated one
  int64_t epochs = 2;
  int64_t limit = 5;  // of a little one: batches of training, and of validation
  std::string model = "halfunet", settings = R"({"num_filters": 4})";
  bool embed_once = false;
};

struct SmallTraining {
  explicit SmallTraining(const SmallOptions& options = {})
      : runtime(options.device), configuration(configuration_of(options)) {
    runtime.set_precision(options.precision);
    experiment = std::make_unique<Experiment>(
        built_in().general, built_in().forecast,
        TaskSource{.configuration = configuration, .runtime = runtime, .log = quiet});
    network = &experiment->network;
    optimizer = experiment->optimizer.get();
    task = &experiment->task;
    TrainerSettings settings;
    settings.epochs = options.epochs;
    settings.limit_train_batches = configuration.training.limit_train_batches;
    settings.step.cuda_graph = options.cuda_graph;
    settings.step.shared_values = options.embed_once;
    trainer = std::make_unique<Trainer>(runtime.context(), *task, runtime.communicator(), settings);
  }

  static Configuration configuration_of(const SmallOptions& options) {
    std::vector<FlagValue> flags = {{"--dataset", "dummy"},
                                    {"--model", options.model},
                                    {"--model.settings", options.settings},
                                    {"--model.autopad", "true"},
                                    {"--strategy", "scaled_ar"},
                                    {"--batch_size", "2"},
                                    {"--num_pred_steps_train", "2"},
                                    {"--num_pred_steps_val_test", "3"},
                                    {"--num_workers", "0"},
                                    {"--accumulate_batches", std::to_string(options.accumulate)}};
    if (options.little)
      flags.insert(flags.end(), {{"--limit_train_batches", std::to_string(options.limit)},
                                 {"--dataset.subgrid", "0,32,0,32"},
                                 {"--training.clip_norm", "0.5"}});
    return built_in().general.resolve({.flags = flags});
  }

  int64_t micro_batches() const {
    const int64_t all = task->batches_per_epoch(),
                  limit = configuration.training.limit_train_batches;
    return limit ? std::min(all, limit) : all;
  }
  // Parameters and running statistics after training, as bytes, and the losses of the steps.
  std::pair<std::string, std::vector<double>> train() {
    std::vector<double> losses;
    TrainerObserver observer;
    observer.on_step = [&](const StepReport& report, int64_t) { losses.push_back(report.loss); };
    trainer->fit(observer);
    std::string bytes;
    for (const auto& [name, tensor] : network->slab().state())
      bytes.append(reinterpret_cast<const char*>(tensor.raw()), tensor.bytes());
    return {bytes, losses};
  }

  Runtime runtime;
  Logger quiet{nullptr};
  MemoryLedger& ledger = runtime.ledger();
  Configuration configuration;
  std::unique_ptr<Experiment> experiment;
  Network* network = nullptr;  // of the experiment
  Optimizer* optimizer = nullptr;
  ForecastTask* task = nullptr;
  std::unique_ptr<Trainer> trainer;
};

}  // namespace py4cast
