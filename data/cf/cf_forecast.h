// Forecasts as CF describes them, whatever the format.
#pragma once

#include <string>

#include "data/cf/cf_writer.h"
#include "data/weather/forecast.h"

namespace py4cast {

constexpr float missing_value = 9.96920996838687e+36F;  // in files: netCDF's own

// Writes after CF-1.8, fields in float32: dimensions time [realization] [level] y x; coordinates time,
// forecast_reference_time (scalar), forecast_period, and latitude and longitude: with one dimension where
// the grid is separable, else with two; the grid mapping, if the grid has one. Times are whole hours if
// possible, else seconds. Does not finish the writer. Error(shape): data that do not fit, with the path;
// Error(input_output): see data/cf/cf_writer.h.
void write_forecast(CfWriter& writer, const std::string& path, const ForecastFile& forecast);

// The parts of it that other writers of CF files need.
// Dimensions, coordinates and grid mapping of the horizontal grid; `coordinates` names the
// two-dimensional ones, `mapping` the grid mapping.
struct GridIds {
  int y = 0, x = 0;
  std::string coordinates, mapping;
};
GridIds write_grid(CfWriter& writer, const Grid& grid, const Region& region);

}  // namespace py4cast
