// The keys of the data set "titan": dataset.settings.
#pragma once

#include <string>

#include "engine/settings/settings.h"

namespace py4cast {

enum class TitanFormat { grib, npy };

struct TitanSettings : Settings {
  PY4CAST_SETTING(std::string, root, "", "Folder that holds the hours: grib/2023-01-01_00h00/...",
                  .environment = "PY4CAST_TITAN_PATH");
  PY4CAST_SETTING(
      std::string, grid, "PAAROME_1S100",
      "Grid of the data set: 0.01 degree (PAAROME_1S100) or 0.025 (PAAROME_1S40); fields of "
      "other grids are interpolated.",
      .choices = {"PAAROME_1S100", "PAAROME_1S40"});
  PY4CAST_SETTING(TitanFormat, file_format, TitanFormat::grib,
                  "grib: several parameters in a file; npy: an array for each parameter.",
                  .choices = {"grib", "npy"});
};

}  // namespace py4cast
