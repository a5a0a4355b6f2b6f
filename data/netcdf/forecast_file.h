// Forecasts as CF netCDF files.
#pragma once

#include <string>

#include "data/cf/cf_forecast.h"

namespace py4cast {

// Writes a netCDF-4 file (data/cf/cf_forecast.h), fields deflated. It appears whole or not at all.
void write_forecast(const std::string& path, const ForecastFile& forecast);

}  // namespace py4cast
