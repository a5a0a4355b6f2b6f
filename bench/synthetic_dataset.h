// Random fields in memory, in any number and size: what loading costs beside a training step.
#pragma once

#include "data/weather/dataset_kind.h"

namespace py4cast {

// "synthetic": `states` fields that are forecast and `forcings` that are given, hourly over 31 days, of which
// the first 29 are for training, on rows x columns points; relief and a land-sea mask. A field is
// copied from memory when it is read, standardised and interleaved as any other.
DatasetKind synthetic_dataset();

}  // namespace py4cast
