#include "data/weather/units.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/text.h"

namespace py4cast {
namespace {

std::string plain(std::string units) {
  std::erase_if(units,
                [](char letter) { return std::string(" *^._").find(letter) != std::string::npos; });
  static const std::set<std::string> names[] = {
      {"K", "Kelvin", "kelvin", "degK", "degreesK"},
      {"C", "degC", "degreeC", "degreesC", "Celsius", "celsius", "degreesCelsius", "degreeCelsius",
       "\u00b0C"},
      {"hPa", "mb", "mbar", "millibar", "millibars", "hectopascal"},
      {"1", "-", "dimensionless", "unitless", "(0-1)"},
      {"m", "metre", "metres", "meter", "meters", "mofwaterequivalent"},
      {"m/s", "ms-1"},
      {"kg/kg", "kgkg-1"},
      {"kg/m2", "kgm-2"},
      {"W/m2", "Wm-2"},
      {"J/m2", "Jm-2"},
      {"m2/s2", "m2s-2"}};
  for (const auto& same : names)
    if (same.contains(units)) return *same.begin();
  return units;
}

}  // namespace

bool same_units(const std::string& a, const std::string& b) {
  return plain(a) == plain(b);
}

std::optional<double> hectopascals_in(const std::string& units) {
  static const std::map<std::string, double> pressures = {
      {"pa", 0.01},       {"pascal", 0.01},    {"pascals", 0.01}, {"hpa", 1},
      {"hectopascal", 1}, {"mb", 1},           {"mbar", 1},       {"millibar", 1},
      {"millibars", 1},   {"hectopascals", 1}, {"kpa", 10}};
  const auto found = pressures.find(lower_case(units));
  if (found == pressures.end()) return {};
  return found->second;
}

}  // namespace py4cast
