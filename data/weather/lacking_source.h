// Diagnostics that the files of a forecast lack: the network gives them all the same.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

// The source, with those of the variables that it lacks, or of which it lacks levels or times: known by what they
// were in the training, without any field (FieldSource::exists). A note names them.
std::unique_ptr<FieldSource> with_absent(std::unique_ptr<FieldSource> source,
                                         const std::vector<VariableInfo>& variables);

}  // namespace py4cast
