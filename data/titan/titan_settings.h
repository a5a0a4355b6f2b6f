// The keys of the data set "titan": dataset.settings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/settings/settings.h"

namespace py4cast {

enum class TitanFormat { grib, npy };
enum class TitanSide { south, north };

struct TitanSettings : Settings {
  PY4CAST_SETTING(std::string, root, "",
                  "Folder that holds the hours grib/2023-01-01_00h00/...; empty: that of the "
                  "environment variable PY4CAST_TITAN_PATH.");
  PY4CAST_SETTING(
      std::string, grid, "PAAROME_1S100",
      "Grid of the data set: 0.01 degree (PAAROME_1S100) or 0.025 (PAAROME_1S40); fields of "
      "other grids are interpolated.",
      .choices = {"PAAROME_1S100", "PAAROME_1S40"});
  PY4CAST_SETTING(TitanFormat, file_format, TitanFormat::grib,
                  "grib: several parameters in a file; npy: an array for each parameter.",
                  .choices = {"grib", "npy"});
  PY4CAST_SETTING(
      std::string, subdataset, "",
      "Of npy: the folder below subdatasets in which later versions of the original "
      "keep arrays of a part of the grid, NAME_GRID_0-512-0-640; empty: the folder npy.");
  PY4CAST_SETTING(
      std::vector<int64_t>, subdomain, {},
      "Of grib: part of the grid, [first row, end, first column, end], as later versions "
      "of the original count it; []: all.");
  PY4CAST_SETTING(
      TitanSide, rows_from, TitanSide::south,
      "Where the rows of a sub-domain, or in the name of a sub-data set, begin to count: "
      "south, as in the original since December 2024, or north, as before.",
      .choices = {"south", "north"});
  PY4CAST_SETTING(std::string, original_file, "",
                  "The file in the original's layout that this was made from; for the record.");
};

}  // namespace py4cast
