// What the programs share: from a configuration to data, network, task and trainer.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "data/weather/field_store.h"
#include "engine/communicator.h"
#include "engine/log.h"
#include "engine/runtime.h"
#include "train/configuration.h"
#include "train/forecast/dataset_settings.h"
#include "train/forecast/forecast_task.h"
#include "train/network.h"
#include "train/run_folder.h"
#include "train/trainer.h"

namespace py4cast {

// "10:19" or "10-19": the first and the last optimiser step; empty: {0, -1}. Error(configuration).
std::pair<int64_t, int64_t> profiled_steps(const std::string& text);
TrainerSettings trainer_settings(const Configuration& configuration);
std::unique_ptr<Optimizer> make_optimizer(const Configuration& configuration,
                                          const std::string& learner, ParameterSlab& slab,
                                          const Context& context);

// Opens the data: rank 0 first, which fills the cache of statistics, then the others. Notes go to
// the log, if there is one.
std::shared_ptr<FieldStore> open_store(const Configuration& configuration,
                                       Communicator& communicator, Logger* log,
                                       MemoryLedger* ledger,
                                       const std::optional<Statistics>& statistics = {});

// The statistics that a network was trained with, of its run folder. Absent: the run has none.
std::optional<Statistics> read_statistics(const std::string& run);

// The precision of all contexts of a run: "fp32", "tf32", "bf16" or "fp64". Error(configuration):
// tf32 where the device is the CPU.
void set_precision(Runtime& runtime, const std::string& precision);
// Why the precision is slower than fp32 on this processor, in a sentence; empty where it is not.
std::string precision_warning(const Context& context);

// The parts of a run, in the order in which they are made.
struct Experiment {
  // `training`: with gradients. `statistics`: those of the training, where the data may be others.
  // Error(configuration): see make_steps, FieldStore, ModelFactory.
  Experiment(const Configuration& given, Runtime& runtime, Logger& log, bool training,
             const std::optional<Statistics>& statistics = {});

  Configuration configuration;
  Steps steps;
  std::shared_ptr<FieldStore> store;
  Network network;
  std::unique_ptr<Optimizer> optimizer;  // null without training
  ForecastTask task;
};

// The configuration of a checkpoint's run says what the network was trained with.
// Error(configuration): other features, other order of features, another time per network call.
void check_same_features(const Json& trained, const DatasetInfo& info, const Steps& steps,
                         const std::string& origin);
Json feature_record(const DatasetInfo& info, const Steps& steps);

}  // namespace py4cast
