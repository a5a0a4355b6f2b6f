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
  // What is made of the members of an ensemble: "mean", "weighted_mean", "spread", "minimum", "maximum",
  // "derived_N" (code table 4.7), "probability", "percentile_N"; empty: none of that.
  std::string derived;
  std::string units, long_name, standard_name;
  double level =
      0;  // in level_units; of a layer, its top; of "2t" or "10u", the height in that name
  double bottom = 0;  // of a layer; else the level
  std::string level_units, level_standard_name, level_positive;
  Time begin = 0, lead = 0;  // seconds from the reference time to begin and end of the time range
  std::optional<int64_t> member;  // none of what is derived
};

// Error(data): a step that cannot be given in seconds; ecCodes fails.
GribProduct read_grib_product(GribHandle& handle, int edition);

}  // namespace py4cast
