// A small training on made-up data, from inside: HalfUNet of 4 filters.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/simulation/dummy.h"
#include "engine/runtime.h"
#include "train/forecast/dataset_settings.h"
#include "train/forecast/forecast_task.h"
#include "train/network.h"
#include "train/trainer.h"

namespace py4cast {

struct SmallOptions {
  std::string device = "cpu";
  int64_t accumulate = 1;
  bool cuda_graph = true;
  Precision precision = Precision::fp32;
  bool little = device != "cpu";  // a GPU may be an emulated one
  int64_t epochs = 2;
};

struct SmallTraining {
  explicit SmallTraining(const SmallOptions& options = {}) : runtime(options.device) {
    runtime.set_precision(options.precision);
    configuration.dataset.name = "dummy";
    configuration.training.strategy = "scaled_ar";
    configuration.training.batch_size = 2;
    configuration.training.num_pred_steps_train = 2;
    configuration.training.num_pred_steps_val_test = 3;
    configuration.training.num_workers = 0;
    configuration.training.accumulate_batches = options.accumulate;
    if (options.little) {
      configuration.training.limit_train_batches = 5;
      configuration.dataset.subgrid = {0, 32, 0, 32};
    }
    steps = make_steps(configuration.training);
    store = dummy_dataset().open(dataset_settings(configuration), &ledger, {});
    network =
        std::make_unique<Network>(built_in_models(), "halfunet", Forecaster::ports(*store, steps),
                                  Json{{"num_filters", 4}}, false, 42, runtime.context(), true);
    optimizer =
        std::make_unique<Optimizer>("network", runtime.context(), network->slab(), make_adamw({}),
                                    Schedule{.lr = 1e-3}, options.little ? 0.5 : 0);
    task = std::make_unique<ForecastTask>(configuration, store, network->model(), optimizer.get(),
                                          steps, runtime.communicator(), runtime.context());
    TrainerSettings settings;
    settings.epochs = options.epochs;
    settings.limit_train_batches = configuration.training.limit_train_batches;
    settings.step.cuda_graph = options.cuda_graph;
    trainer = std::make_unique<Trainer>(runtime.context(), *task, runtime.communicator(), settings);
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
  MemoryLedger& ledger = runtime.ledger();
  Configuration configuration;
  Steps steps;
  std::shared_ptr<FieldStore> store;
  std::unique_ptr<Network> network;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<ForecastTask> task;
  std::unique_ptr<Trainer> trainer;
};

}  // namespace py4cast
