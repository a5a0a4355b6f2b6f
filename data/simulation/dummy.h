// Random fields for tests: a source that needs no file.
#pragma once

#include <memory>

#include "data/weather/dataset_settings.h"
#include "data/weather/source.h"
#include "data/weather/statistics.h"

namespace py4cast {

// 64 x 64 points, latitude (row - 16) / 2, longitude (column + 30) / 2 degrees; hourly from
// 2023-01-01 00:00 for three days; states input_output_00 ... 02, forcings forcing_00 and 01:
// standard normal numbers clamped to +-3, a function of (seed, variable, time, point);
// geopotential 1 everywhere.
std::unique_ptr<FieldSource> make_dummy_source(uint64_t seed);

// What the settings leave open: the five variables, with weights |N(0, 1)| of the states; one day
// each for training, validation and test.
DatasetSettings dummy_settings(DatasetSettings settings);
// Mean 0, deviation 1, range +-3, difference mean 0 and deviation 1.42, as given, not computed.
Statistics dummy_statistics(const DatasetSettings& settings);

}  // namespace py4cast
