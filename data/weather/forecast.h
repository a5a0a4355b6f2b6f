// Forecasts in physical units, before they are written (data/netcdf/forecast_file.h,
// data/grib/grib_forecast.h).
#pragma once

#include <algorithm>
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
  // [member][level]: a message of the input that holds it; empty: none is known.
  std::vector<SourceMessage> messages = {};
};

struct ForecastFile {
  Grid grid;
  Region region;  // what of the grid is written; empty: all of it
  Calendar calendar = Calendar::standard;
  std::optional<Time> reference_time;  // start of the forecast; absent: a series of observations
  bool of_runs =
      false;  // the data are runs with lead times: their sums count from the start of one
  std::vector<Time> times;       // of validity, sorted
  std::vector<int64_t> members;  // their numbers; empty: no ensemble
  std::vector<ForecastField> fields;
  std::map<std::string, std::string> attributes;  // of the file: title, history, source ...

  size_t planes() const { return std::max<size_t>(members.size(), 1); }  // of each level and time
};

}  // namespace py4cast
