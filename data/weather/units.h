// Units as texts.
#pragma once

#include <optional>
#include <string>

namespace py4cast {

// True if two texts mean the same unit: equal up to blanks, '*', '^' and '.' between the factors, or
// two common names of one ("degC", "Celsius"). Units are not converted: "hPa" and "Pa" differ.
bool same_units(const std::string& a, const std::string& b);

// Of a unit of pressure ("Pa", "hPa", "millibars", in any case): how many hPa it is. Nothing: another unit.
std::optional<double> hectopascals_in(const std::string& units);

}  // namespace py4cast
