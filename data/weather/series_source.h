// Forecasts as one series of times: short runs that follow each other, as regional reanalyses are kept.
#pragma once

#include <memory>

#include "data/weather/source.h"

namespace py4cast {

// Runs and lead times as their times of validity, each field from the latest run that has it; a series stays as it
// is.
std::unique_ptr<FieldSource> as_series(std::unique_ptr<FieldSource> source);

// Whether runs are at most 6 h apart and have no time of validity in common.
bool follow_each_other(const TimeAxis& axis);

}  // namespace py4cast
