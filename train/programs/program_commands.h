// The commands of the programs: their options, and how these become requests (train/programs/commands.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "train/command_line.h"
#include "train/programs/commands.h"

namespace py4cast {

// What carries the requests out. Commands without a function are left out of the program.
struct Programs {
  std::function<int(const Configuration&)> train, dry_run;
  std::function<int(const TestRequest&)> test;
  std::function<int(const PredictRequest&)> predict;
  std::function<int(const InitRequest&)> init;
  std::function<int(const SimulateRequest&)> data_simulate;
  std::function<int(const std::vector<std::string>&)> data_info;
  std::function<int(const Configuration&)> data_order;
  std::function<int(const ModelRequest&)> model_info;
  std::function<int(const WeightsRequest&)> model_weights;
  std::function<int(const ForwardRequest&)> model_forward;
  std::function<int(const std::string&)> config;
};

// The one command of py4cast_train, called `name` in the tool.
Command train_command(const Programs& programs, const std::string& name = "train");
std::vector<Command> py4cast_commands(const Programs& programs);

// The configuration of `py4cast_train [CONFIG] [FLAGS]` with the environment of this process. With
// --resume RUN and no file, that of the run.
Configuration train_configuration(const Arguments& arguments);

// The configuration file of a run folder, or of the run that a checkpoint folder belongs to.
// Error(input_output): there is none.
std::string run_configuration_file(const std::string& run);

}  // namespace py4cast
