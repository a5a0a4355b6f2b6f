// Forecasts as CF netCDF files.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

// One variable of a forecast.
struct ForecastField {
  // Written: name, units, long_name, standard_name, levels with their name and units. Constant
  // fields (has_time = false) have neither times nor members.
  VariableInfo info;
  // [time][member][level][row][column] of the region, in the variable's units; NaN = missing.
  std::vector<float> data;
};

struct ForecastFile {
  Grid grid;
  Region region;  // what of the grid is written; empty: all of it
  Calendar calendar = Calendar::standard;
  std::optional<Time> reference_time;  // start of the forecast; absent: a series of observations
  std::vector<Time> times;             // of validity, sorted
  int64_t members = 1;                 // one: no member dimension
  std::vector<ForecastField> fields;
  std::map<std::string, std::string> attributes;  // of the file: title, history, source ...
};

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
