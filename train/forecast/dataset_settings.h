// The configuration's dataset section as the data folder takes it.
#pragma once

#include "data/weather/dataset_settings.h"
#include "train/configuration.h"

namespace py4cast {

// Statistics are kept in <run.root>/cache. Error(configuration): a period of real data is missing:
// it would be the whole of the data, and the scores those of what was trained on.
DatasetSettings dataset_settings(const Configuration& configuration);

}  // namespace py4cast
