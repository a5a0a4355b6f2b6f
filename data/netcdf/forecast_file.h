// Forecasts as CF netCDF files.
#pragma once

#include <string>

#include "data/weather/forecast.h"

namespace py4cast {

// Writes a netCDF-4 file after CF-1.8, fields in deflated float32: dimensions time [realization]
// [level] y x; coordinates time, forecast_reference_time (scalar), forecast_period, and latitude
// and longitude: with one dimension where the grid is separable, else with two; the grid mapping, if
// the grid has one. Times are whole hours if possible, else seconds. The file appears whole or not at all. Error(shape): data that do
// not fit; Error(input_output): see data/netcdf/netcdf_writer.h.
void write_forecast(const std::string& path, const ForecastFile& forecast);

// The parts of it that other writers of CF files need.
class NetcdfWriter;
// Dimensions, coordinates and grid mapping of the horizontal grid; `coordinates` names the
// two-dimensional ones, `mapping` the grid mapping.
struct GridIds {
  int y = 0, x = 0;
  std::string coordinates, mapping;
};
GridIds write_grid(NetcdfWriter& writer, const Grid& grid, const Region& region);

}  // namespace py4cast
