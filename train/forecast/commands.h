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
Command data_simulate_command();  // data/simulation/simulate*.h
// What files hold (train/forecast/source_summary.h), or what a configuration makes of its data.
Command data_info_command(const Registries& registries, const ForecastRegistries& kinds);
// Statistics into the cache, beforehand.
Command data_prepare_command(const Registries& registries, const ForecastRegistries& kinds);
// Samples a second, by reading threads.
Command data_speed_command(const Registries& registries, const ForecastRegistries& kinds);
// The graph of a network over the grid of its data, or over a grid of equal steps.
Command model_graph_command(const Registries& registries, const ForecastRegistries& kinds);
// What a forecast must beat (train/forecast/baselines.h).
Command baselines_command(const Registries& registries, const ForecastRegistries& kinds);
// Where a run is wrong: errors of each point.
Command errors_command(const Registries& registries, const ForecastRegistries& kinds);
Command data_order_command(const Registries& registries, const ForecastRegistries& kinds);

struct PredictRequest {
  std::string run;              // run folder or checkpoint
  Configuration configuration;  // the run's, with this command's flags
  std::string start;         // validity times of the last input state; empty: the last possible one
  int64_t steps = 0;         // steps of the data to forecast
  std::string member = "0";  // members, counted from 0, comma separated, or "all"
  std::string out;           // netCDF file, may hold "{start}"; empty: none
  std::string points;        // "LAT,LON;LAT,LON"; empty: none
  std::string variables;     // to be written, comma separated; empty: all
  bool overwrite = false;    // an existing one
};
PredictRequest predict_request(const Registries& registries, const Arguments& arguments);

}  // namespace py4cast
