// The parameters of titan, by the files that hold them.
#pragma once

#include <string>
#include <vector>

namespace py4cast {

struct TitanParameter {
  std::string name;   // "aro_t2m": prefix of the model, then the name in the file
  std::string file;   // "PAAROME_1S100_ECH0_2M.grib"
  std::string grid;   // "PAAROME_1S100": the beginning of the file's name
  std::string field;  // "t2m": GribProduct::name
  std::string units;
  int level = 0;  // the only one; of those on pressure levels, 0
  bool on_pressure = false;

  // The level's unit in names of features: "m" or "hPa".
  std::string level_unit() const { return on_pressure ? "hPa" : "m"; }
};

// All that py4cast's original knows.
// Source: https://github.com/meteofrance/py4cast, doc/titan.md.
const std::vector<TitanParameter>& titan_parameters();

}  // namespace py4cast
