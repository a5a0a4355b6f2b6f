// What the programs do, one function per command. They return the exit code of the program and
// throw Error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/configuration.h"

namespace py4cast {

int run_train(const Configuration& configuration);
// --dry-run: prints the resolved configuration, the parameter count and the memory plan.
int run_dry(const Configuration& configuration);

struct TestRequest {
  std::string run;              // run folder or checkpoint
  Configuration configuration;  // the run's, with this command's flags; the number of predictions
                                // is training.num_pred_steps_val_test
  std::string split = "valid";  // "train", "valid" or "test"
};
int run_test(const TestRequest& request);

struct PredictRequest {
  std::string run;              // run folder or checkpoint
  Configuration configuration;  // the run's, with this command's flags
  std::string start;            // validity time of the last input state, ISO 8601
  int64_t steps = 0;            // steps of the data to forecast
  int64_t member = 0;
  std::string out;  // netCDF file
};
int run_predict(const PredictRequest& request);

// A network without data.
struct ModelRequest {
  std::string model;
  Json settings = Json::object();
  bool autopad = false;
  int64_t inputs = 0, outputs = 0;  // features; outputs 0: from the weights
  int64_t height = 64, width = 64, batch = 1;
  int64_t seed = 42;
  std::string device = "auto", precision = "fp32";
};
// The network of a run folder or checkpoint, on the grid and with the features of its training.
// Error(data): the checkpoint does not say; names file and key.
ModelRequest run_model_request(const std::string& run, const Configuration& configuration);

// Prints layers, shapes, parameters and memory.
int run_model_info(const ModelRequest& request);

// Writes freshly drawn weights as safetensors with PyTorch's names, layouts and shapes.
struct WeightsRequest : ModelRequest {
  std::string output;
};
int run_model_weights(const WeightsRequest& request);

// Tensor "x" [batch, height, width, features] of `input` in, "y" of `output` out; with `gradients`
// the gradient of mean(y^2) by parameter name.
struct ForwardRequest : ModelRequest {
  std::string weights, input, output, gradients;
  bool train = false;  // training mode (batch norm by the batch)
};
int run_model_forward(const ForwardRequest& request);

struct SimulateRequest {
  int64_t grid = 128, hours = 2000, seed = 1;
  std::string out;
};
int run_data_simulate(const SimulateRequest& request);

// Prints grid, times and variables of files (train/forecast/source_summary.h).
int run_data_info(const std::vector<std::string>& files);

// Prints the samples of all epochs in the order in which one rank's training takes them.
int run_data_order(const Configuration& configuration);

struct InitRequest {
  std::vector<std::string> files;
  std::string out;  // empty: standard output
};
int run_init(const InitRequest& request);

// Prints config/schema.json ("schema") or config/example.jsonc ("example").
int run_config(const std::string& document);

}  // namespace py4cast
