#include "data/grib/grib_product.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <vector>

namespace py4cast {
namespace {

bool is_known(const std::string& name) {
  return !name.empty() && name != "unknown" && name != "~";
}

// "p3008": the number of a parameter, not a name.
bool is_parameter_number(const std::string& name) {
  return name.size() > 1 && name[0] == 'p' &&
         std::all_of(name.begin() + 1, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string code_of_product(const GribHandle& handle, int edition) {
  std::vector<const char*> keys = {"discipline", "parameterCategory", "parameterNumber"};
  if (edition == 1) keys = {"table2Version", "indicatorOfParameter"};
  std::string code;
  for (const char* key : keys)
    code += (code.empty() ? "" : "_") + std::to_string(handle.integer(key));
  return code;
}

std::string name_of_product(const GribHandle& handle, const std::string& code) {
  const std::string cf = handle.text("cfVarName"), brief = handle.text("shortName");
  if (is_known(cf) && !is_parameter_number(cf)) return cf;
  if (is_known(brief)) return brief;
  if (is_known(cf)) return cf;
  return "parameter_" + code;
}

std::string derived_of(const GribHandle& handle) {
  static const std::map<double, const char*> statistics = {
      {0, "mean"}, {1, "weighted_mean"}, {4, "spread"}, {8, "minimum"}, {9, "maximum"}};
  if (const auto kind = handle.find("derivedForecast")) {
    const auto found = statistics.find(*kind);
    return found != statistics.end() ? found->second : "derived_" + handle.text("derivedForecast");
  }
  if (handle.find("probabilityType")) return "probability";
  if (handle.find("percentileValue")) return "percentile_" + handle.text("percentileValue");
  const std::string type = handle.text("dataType");  // ECMWF's, edition 1
  return type == "em" ? "mean" : type == "es" ? "spread" : "";
}

// The level of edition 2, of the "First" or "Second" surface of a layer, in hPa or the unit of its kind. ecCodes
// gives whole hPa, and other numbers rounded.
double exact_level(const GribHandle& handle, const std::string& surface, const std::string& type,
                   double level) {
  const auto value = handle.find(("scaledValueOf" + surface + "FixedSurface").c_str()),
             factor = handle.find(("scaleFactorOf" + surface + "FixedSurface").c_str());
  if (!value || !factor) return level;
  const double power = std::pow(10.0, std::abs(*factor));  // exact
  const double scaled = *factor > 0 ? *value / power : *value * power;
  if (type == "isobaricInhPa" || type == "isobaricLayer") return scaled / 100;
  return std::abs(scaled - level) <= 1e-9 * std::abs(scaled) ? scaled : level;
}

struct LevelKind {
  std::string units = "1", standard_name = "", positive = "";
};

// Of ecCodes' types of level.
LevelKind kind_of_level(const std::string& type) {
  static const std::map<std::string, LevelKind> kinds = {
      {"isobaricInhPa", {"hPa", "air_pressure", "down"}},
      {"isobaricLayer", {"hPa", "air_pressure", "down"}},
      {"heightAboveGround", {"m", "height", "up"}},
      {"heightAboveGroundLayer", {"m", "height", "up"}},
      {"heightAboveSea", {"m", "height_above_mean_sea_level", "up"}},
      {"heightAboveSeaLayer", {"m", "height_above_mean_sea_level", "up"}},
      {"depthBelowLand", {"m", "depth", "down"}},
      {"depthBelowLandLayer", {"m", "depth", "down"}},
      {"depthBelowSea", {"m", "depth", "down"}},
      {"oceanSurfaceLayer", {"m", "depth", "down"}},
      {"theta", {"K", "air_potential_temperature", "up"}},
      {"thetaLayer", {"K", "air_potential_temperature", "up"}},
      {"potentialVorticity", {"K m2 kg-1 s-1"}}};
  const auto found = kinds.find(type);
  return found == kinds.end() ? LevelKind{} : found->second;
}

}  // namespace

GribProduct read_grib_product(GribHandle& handle, int edition) {
  GribProduct product;
  product.code = code_of_product(handle, edition);
  product.name = name_of_product(handle, product.code);
  product.level_type = handle.text("typeOfLevel");
  product.step_type = handle.text("stepType");
  product.derived = derived_of(handle);
  product.units = handle.text("units");
  product.long_name = handle.text("name");
  product.standard_name = handle.text("cfName");
  if (!is_known(product.standard_name)) product.standard_name.clear();
  product.level = handle.find("level").value_or(0);
  if (product.level_type.ends_with("Layer"))
    product.level = handle.find("topLevel").value_or(product.level);
  if (product.level_type == "isobaricInPa") {
    product.level_type = "isobaricInhPa";
    product.level /= 100;
  } else if (edition == 2) {
    product.level = exact_level(handle, "First", product.level_type, product.level);
  }
  // Edition 1 mostly calls "2t" and "10u" fields of the surface, edition 2 of a height above the ground.
  const std::string brief = handle.text("shortName");
  const bool at_ground =
      product.level_type == "surface" || product.level_type == "heightAboveGround";
  if (at_ground && !brief.empty() && brief[0] >= '0' && brief[0] <= '9') {
    product.level_type = "heightAboveGround";
    product.level = std::atoi(brief.c_str());
  }
  product.bottom = product.level;
  if (product.level_type.ends_with("Layer"))
    product.bottom = handle.find("bottomLevel").value_or(product.level);
  if (edition == 2 && product.level_type.ends_with("Layer"))
    product.bottom = exact_level(handle, "Second", product.level_type, product.bottom);
  const LevelKind kind = kind_of_level(product.level_type);
  product.level_units = kind.units;
  product.level_standard_name = kind.standard_name;
  product.level_positive = kind.positive;
  const auto member = handle.find("number");
  if (member && product.derived.empty()) product.member = static_cast<int64_t>(*member);
  handle.set("stepUnits", "s");
  product.begin = handle.integer("startStep");
  product.lead = handle.integer("endStep");
  return product;
}

}  // namespace py4cast
