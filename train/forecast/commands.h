// The commands of forecasting, one file each.
#pragma once

#include <cstdint>
#include <string>

#include "train/command_line.h"
#include "train/forecast/registries.h"
#include "train/registries.h"

namespace py4cast {

// A forecast of a trained run, as netCDF.
Command predict_command(const Registries& registries, const ForecastRegistries& kinds);
// A first configuration for files (train/forecast/init.h).
Command init_command(const ForecastRegistries& kinds);
Command data_info_command(const ForecastRegistries& kinds);  // train/forecast/source_summary.h
Command data_simulate_command();                             // data/simulation/simulate.h
// The graph of a network over the grid of its data, or over a grid of equal steps.
Command model_graph_command(const Registries& registries, const ForecastRegistries& kinds);
// What a forecast must beat (train/forecast/baselines.h).
Command baselines_command(const Registries& registries, const ForecastRegistries& kinds);
Command data_order_command(const Registries& registries, const ForecastRegistries& kinds);

struct PredictRequest {
  std::string run;              // run folder or checkpoint
  Configuration configuration;  // the run's, with this command's flags
  std::string start;            // validity time of the last input state, ISO 8601
  int64_t steps = 0;            // steps of the data to forecast
  int64_t member = 0;
  std::string out;         // netCDF file
  bool overwrite = false;  // an existing one
};
PredictRequest predict_request(const Registries& registries, const Arguments& arguments);

}  // namespace py4cast
