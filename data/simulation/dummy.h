// Random fields for tests: a data set that needs no file.
#pragma once

#include "data/weather/dataset_kind.h"

namespace py4cast {

// "dummy": 64 x 64 points, latitude (row - 16) / 2, longitude (column + 30) / 2 degrees; hourly
// from 2023-01-01 00:00 for three days; states input_output_00 ... 02, forcings forcing_00 and 01:
// standard normal numbers clamped to +-3, a function of (seed, variable, time, point);
// geopotential 1 everywhere.
// As in the original the border is 10 and no forcings are made from the time, if the configuration says
// nothing else. What the settings leave open: the five variables, with weights |N(0, 1)| of the states; one day
// each for training, validation and test. Statistics, unless given: mean 0, deviation 1, range +-3,
// difference mean 0 and deviation 1.42.
DatasetKind dummy_dataset();

}  // namespace py4cast
