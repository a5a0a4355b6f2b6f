// What dataset.name may be. The one place that lists the kinds of data sets.
#pragma once

#include "data/weather/dataset_kind.h"

namespace py4cast {

// Error(configuration): there is none of that name, with the nearest.
const DatasetKind& dataset_kind(const std::string& name);

}  // namespace py4cast
