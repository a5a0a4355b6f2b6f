// What is in files, in words.
#pragma once

#include <string>

#include "data/weather/source.h"

namespace py4cast {

// Grid, times, members, and one line per variable: name, unit, levels, long name.
std::string source_summary(const FieldSource& source);

}  // namespace py4cast
