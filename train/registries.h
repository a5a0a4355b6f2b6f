// What a configuration may name: networks, optimisers, observers and tasks. `main` owns the
// registries; what is built in and plug-ins fill them, whoever needs them gets them handed down.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/log.h"
#include "engine/runtime.h"
#include "engine/settings/layout.h"
#include "models/model.h"
#include "train/command_line.h"
#include "train/configuration.h"
#include "train/optimizer.h"
#include "train/run_folder.h"
#include "train/task.h"
#include "train/trainer.h"

namespace py4cast {

// Who is told of a training: run.observers. Its keys stand in run.observer_settings.NAME.
struct ObserverKind {
  std::string name;
  const SettingsTable* settings = nullptr;  // null: none
  // folder: null without one, and on ranks that write nothing.
  std::function<TrainerObserver(const Json& settings, const RunFolder* folder, Task& task,
                                Logger& log)>
      make;
};

// What a task is made of. Runtime and log must outlive it.
struct TaskSource {
  const Configuration& configuration;
  Runtime& runtime;
  Logger& log;
  bool training = true;  // with gradients and optimisers
  std::string run = {};  // the run folder or checkpoint whose weights will be loaded; empty: none
};

// A network without its data.
struct ModelRequest {
  std::string model;
  Json settings = Json::object();
  bool autopad = false;
  int64_t inputs = 0, outputs = 0;  // features; 0: not known
  int64_t height = 64, width = 64, batch = 1;
  int64_t seed = 42;
  std::string device = "auto", precision = "fp32";
};

struct TaskKind {
  std::string name;
  // Its keys, beside the general ones; asked for when all registries are filled.
  std::function<Layout()> layout;
  // What can be said of a configuration without data. Error(configuration).
  std::function<void(const Configuration& configuration)> check = {};
  std::function<std::shared_ptr<Task>(const TaskSource& source)> make;
  // The network that a checkpoint of this task holds; absent: `model info RUN` is refused.
  std::function<ModelRequest(const Configuration& configuration, const std::string& checkpoint)>
      network = {};
  std::vector<FlagValue> test_flags = {};  // that `test` begins with
  // Keys that do not change what is trained: where its data lie (as long as Task::check_same_data finds
  // them equal), how they are read and kept. A run may go on with other values.
  std::vector<std::string> free_keys = {};
  std::vector<Command> commands = {};  // of the tool
};

struct Registries {
  ModelRegistry models = {"model.name", "network"};
  Registry<OptimizerKind> optimizers = {"training.optimizer.name", "optimiser"};
  Registry<ObserverKind> observers = {"run.observers", "observer"};
  Registry<TaskKind> tasks = {"task", "task"};
  TensorReader read_tensors = {};  // the files that settings and commands name; null: none

  // All keys of a configuration.
  Layout layout() const;
  // Defaults < file < environment < flags, checked as far as it can be without data.
  // Error(configuration): names the file, variable or flag, the key and the nearest known one.
  Configuration resolve(const ConfigurationSources& sources) const;

  // The task that a configuration names.
  const TaskKind& task_of(const Configuration& configuration) const;
  // `learner`: its name in checkpoints.
  std::unique_ptr<Optimizer> make_optimizer(const Configuration& configuration,
                                            const std::string& learner, ParameterSlab& slab,
                                            const Context& context) const;
  // One that tells all of run.observers.
  TrainerObserver make_observer(const Configuration& configuration, const RunFolder* folder,
                                Task& task, Logger& log) const;
};

TrainerSettings trainer_settings(const Configuration& configuration);

// The networks and optimisers that are built in, and the reader.
void add_built_in(Registries& registries, const TensorReader& read = {});

// Of config/schema.json and config/example.jsonc.
Json configuration_schema(const Registries& registries);
std::string configuration_example(const Registries& registries);

}  // namespace py4cast
