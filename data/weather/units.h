// Units as texts.
#pragma once

#include <string>

namespace py4cast {

// True if two texts mean the same unit: equal up to blanks, '*', '^' and '.' between the factors, or
// two common names of one ("degC", "Celsius"). Units are not converted: "hPa" and "Pa" differ.
bool same_units(const std::string& a, const std::string& b);

}  // namespace py4cast
