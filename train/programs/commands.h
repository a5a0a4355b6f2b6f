// The commands of the programs, one file each, and what some of them are asked for.
#pragma once

#include <string>
#include <vector>

#include "train/command_line.h"
#include "train/registries.h"

namespace py4cast {

// Training; py4cast_train has this one, without a name.
Command train_command(const Registries& registries, const std::string& name = "train");
// Scores of a run.
Command test_command(const Registries& registries);
// Layers, shapes, parameters and memory of a network.
Command model_info_command(const Registries& registries);
// Freshly drawn weights as safetensors with PyTorch's names, layouts and shapes.
Command model_weights_command(const Registries& registries);
// A network on tensors: "x" [batch, height, width, features] in, "y" out.
Command model_forward_command(const Registries& registries);
// Weights of graph networks between mfai and neural-lam.
Command model_convert_command(const Registries& registries);
// config/schema.json and config/example.jsonc.
Command config_command(const Registries& registries);

// All of these and those of the tasks: the tool `py4cast`.
std::vector<Command> tool_commands(const Registries& registries);

struct TestRequest {
  std::string run;              // run folder or checkpoint
  Configuration configuration;  // the run's, with this command's flags
  Split split = Split::valid;
  std::vector<FlagValue> added = {};  // which the user did not give
  Configuration own = {};             // without these
  std::string out = {};               // file for the scores; empty: none
};
std::string test_run(const Arguments& arguments);  // the run that the command names
// That of "train --test"; empty: none. Error(configuration): what cannot go with it.
std::string run_to_test(const Arguments& arguments);
TestRequest test_request(const Registries& registries, const std::string& run,
                         const Arguments& arguments);
int run_test(const Registries& registries, const TestRequest& request);

// With `gradients` those of the mean of y^2 by parameter name.
struct ForwardRequest : ModelRequest {
  std::string weights, input, output, gradients;
  bool train = false;  // training mode (batch norm by the batch)
};
ForwardRequest forward_request(const Arguments& arguments);

}  // namespace py4cast
