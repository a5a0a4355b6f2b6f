// Parameters of GRIB edition 2 by the names that variables have elsewhere.
#pragma once

#include <optional>
#include <string>

#include "data/weather/source.h"

namespace py4cast {

struct GribParameter {
  const char* names;  // with blanks between; ecCodes' (cfVarName, shortName) first
  const char* standard_name;
  const char* units;
  int discipline, category, number;
  const char* level_type;  // ecCodes' typeOfLevel; empty: pressure levels of the field
  int level;               // of the height above the ground [m]; of "hybrid" it is the field's
  bool sum;                // over the time since the last field
  double scale = 1;        // from those units to those of the parameter
};

// The only level of a variable, in metres; nothing: it has none, or another kind.
std::optional<double> height_above_ground(const VariableInfo& info);

// By its name (of ecCodes, CMIP, MET Norway, WRF or `smeagol`) and unit, else by its standard name if it has pressure
// levels or one height. Error(data): none is known for it, its units cannot be converted to those of the parameter, or it has other levels.
const GribParameter& grib_parameter_of(const VariableInfo& info);

}  // namespace py4cast
