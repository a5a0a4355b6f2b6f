// Units as texts, as UDUNITS-2 reads them, and in the spellings of weather files that it does not know or takes for something else
// ("C", "mb", "hpa", "m of water equivalent", "(0 - 1)", "ms-1").
#pragma once

#include <optional>
#include <string>

namespace py4cast {

// From one unit to another.
struct UnitConversion {
  double factor = 1, offset = 0;
  double operator()(double x) const { return factor * x + offset; }
  bool same() const;  // nothing to convert, but for rounding
};

// Nothing: they measure something else ("m" and "kg m-2"), an empty text, or one that is no unit (unless both texts are the same).
// Error(input_output): the table of units of UDUNITS is not there.
std::optional<UnitConversion> unit_conversion(const std::string& from, const std::string& to);

// True if two texts mean the same unit, or none: "hPa" and "Pa" differ.
bool same_units(const std::string& a, const std::string& b);

// Of a unit of pressure ("Pa", "hPa", "millibars"): how many hPa it is. Nothing: another unit.
std::optional<double> hectopascals_in(const std::string& units);

}  // namespace py4cast
