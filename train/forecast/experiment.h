// From a configuration to data, network and task.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "data/weather/field_store.h"
#include "engine/communicator.h"
#include "engine/log.h"
#include "train/forecast/forecast_task.h"
#include "train/network.h"
#include "train/registries.h"

namespace py4cast {

// Opens the data: rank 0 first, which fills the cache of statistics, then the others. Notes and
// warnings go to the log, if there is one.
std::shared_ptr<FieldStore> open_store(const ForecastSettings& settings,
                                       const ForecastRegistries& kinds, Communicator& communicator,
                                       Logger* log, MemoryLedger* ledger,
                                       const std::optional<Statistics>& statistics = {});

// The statistics that a network was trained with, of its run folder. Absent: the run has none.
std::optional<Statistics> read_statistics(const std::string& run);

// The parts of a run, in the order in which they are made.
struct Experiment {
  // With a run: its statistics, and its best (else last) weights; features must be those that it was
  // trained with. Error(configuration): see make_steps, FieldStore, make_model, check_same_features.
  Experiment(const Registries& registries, const ForecastRegistries& kinds,
             const TaskSource& source);

  ForecastSettings settings;
  std::shared_ptr<FieldStore> store;
  ForecastRule rule;
  Network network;
  std::unique_ptr<Optimizer> optimizer;  // null without training
  ForecastTask task;
};

// The configuration of a checkpoint's run says what the network was trained with.
// Error(configuration): other features, other order of features, other units (of levels, too), another
// time per network call.
void check_same_features(const Json& trained, const DatasetInfo& info, const Steps& steps,
                         const std::string& origin);
Json feature_record(const DatasetInfo& info, const Steps& steps);
// The features of the network's input in their order (Forecaster): "t2m 1 step before", "t2m",
// "border_mask", "sin_hour", "input_valid".
std::vector<std::string> input_features(const DatasetInfo& info, const Steps& steps, bool masked);

// The network of a checkpoint, on the grid and with the features of its training. Error(data): the
// checkpoint does not say; names file and key.
ModelRequest trained_network(const Configuration& configuration, const std::string& checkpoint);

}  // namespace py4cast
