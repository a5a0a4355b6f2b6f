// The parameters of titan, by the files that hold them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

struct TitanParameter {
  std::string name;   // "aro_t2m": prefix of the model, then the name in the file
  std::string file;   // "PAAROME_1S100_ECH0_2M.grib"
  std::string grid;   // "PAAROME_1S100": the beginning of the file's name
  std::string field;  // "t2m": GribProduct::name
  std::string code;   // "0_0_0": GribProduct::code, for names change between versions of ecCodes
  std::string units;
  std::string level_type;  // ecCodes' typeOfLevel
  int level = 0;           // the only one; of those on pressure levels, 0
  bool on_pressure = false;
  bool next_hour = false;  // a forecast for the end of the hour, or a sum over it

  // The level's unit in names of features: "m" or "hPa".
  std::string level_unit() const { return on_pressure ? "hPa" : "m"; }
};

// All that py4cast's original knows but one without a name.
// Source: https://github.com/meteofrance/py4cast, doc/titan.md.
const std::vector<TitanParameter>& titan_parameters();

// The folder of an hour: "2023-01-01_06h00".
std::string titan_folder(Time time);
// The other way round; none: no folder of an hour is called so.
std::optional<Time> titan_time(const std::string& folder);

}  // namespace py4cast
