// What a GRIB message is a field of.
#pragma once

#include <optional>
#include <string>

#include "data/grib/grib_handle.h"
#include "data/weather/source.h"

namespace py4cast {

struct GribProduct {
  // The name that cfgrib and users know ("t2m", "u10", "t"): ecCodes' cfVarName; its shortName where
  // that is a mere number ("p3008"); where ecCodes knows no name, the numbers of the tables:
  // "parameter_DISCIPLINE_CATEGORY_NUMBER" or, of edition 1, "parameter_TABLE_NUMBER".
  std::string name;
  std::string code;  // those numbers: "0_2_23" (discipline, category, number), or "128_167"
  std::string
      level_type;  // ecCodes' typeOfLevel: "isobaricInhPa" (in Pa, too), "heightAboveGround" ...
  std::string step_type;  // ecCodes' stepType: "instant", "accum", "avg", "max" ...
  std::string units, long_name, standard_name;
  double level =
      0;  // in level_units; of a layer, its top; of "2t" or "10u", the height in that name
  std::string level_units, level_standard_name, level_positive;
  Time lead = 0;  // seconds from the reference time to the end of the time range
  std::optional<int64_t> member;
};

// Error(data): a step that cannot be given in seconds; ecCodes fails.
GribProduct read_grib_product(GribHandle& handle, int edition);

}  // namespace py4cast
