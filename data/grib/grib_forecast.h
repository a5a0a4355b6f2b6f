// Forecasts as GRIB files of edition 2.
#pragma once

#include <string>
#include <vector>

#include "data/weather/forecast.h"

namespace py4cast {

// One message for each time, member, field and level, in this order; packed in 16 bits, or in as many as the
// template has if these are more. The file appears whole or not at all.
//
// Where the field has a message of the input, that is the template (converted to edition 2): parameter, level,
// centre, earth and kind of grid are its own, and a sum or mean is one over as long an interval, or from the
// start of the run to which the forecast belongs, if those of the data are. It becomes a
// forecast from the reference time, without the centre's local section. Else the parameter is looked up by
// name and standard name (grib_parameters.h), and the grid made from the forecast's.
//
// Error(configuration): the program was built without ecCodes. Error(data), with the name of the variable:
// a parameter, unit, level, grid or calendar that GRIB or this table does not have; a sum without a message where
// others have one. Error(input_output): as
// write_file.
void write_grib_forecast(const std::string& path, const ForecastFile& forecast);

// Variables that it would write as sums since the field before, although the data may have them over another time:
// there is no message of the input. Error(data): as write_grib_forecast.
std::vector<std::string> assumed_sums(const ForecastFile& forecast);

// By its ending: .grib, .grib2, .grb, .grb2.
bool is_grib_name(const std::string& path);

}  // namespace py4cast
