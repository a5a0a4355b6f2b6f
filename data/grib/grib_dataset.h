// GRIB files as a data set.
#pragma once

#include "data/weather/dataset_kind.h"

namespace py4cast {

// "grib": the files and folders of DatasetSettings::files (grib_source.h), on the grid that most fields of
// the variables of the settings are on. Error(configuration): no file is given; the program was built
// without ecCodes.
DatasetKind grib_dataset();

}  // namespace py4cast
