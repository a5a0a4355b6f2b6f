#include "data/grib/grib_parameters.h"

#include <sstream>

#include "data/weather/units.h"
#include "engine/error.h"

namespace py4cast {
namespace {

constexpr GribParameter grib_parameters[] = {
    {"t2m 2t tas T2 air_temperature_2m", "", "K", 0, 0, 0, "heightAboveGround", 2, false},
    {"d2m 2d dew_point_temperature_2m", "", "K", 0, 0, 6, "heightAboveGround", 2, false},
    {"r2 2r hurs relative_humidity_2m", "", "%", 0, 1, 1, "heightAboveGround", 2, false},
    {"sh2 2sh huss", "", "kg kg-1", 0, 1, 0, "heightAboveGround", 2, false},
    {"u10 10u uas", "", "m s-1", 0, 2, 2, "heightAboveGround", 10, false},
    {"v10 10v vas", "", "m s-1", 0, 2, 3, "heightAboveGround", 10, false},
    {"si10 10si sfcWind wind_speed_10m", "", "m s-1", 0, 2, 1, "heightAboveGround", 10, false},
    {"u100 100u", "", "m s-1", 0, 2, 2, "heightAboveGround", 100, false},
    {"v100 100v", "", "m s-1", 0, 2, 3, "heightAboveGround", 100, false},
    {"msl psl air_pressure_at_sea_level", "", "Pa", 0, 3, 0, "meanSea", 0, false},
    {"prmsl", "", "Pa", 0, 3, 1, "meanSea", 0, false},
    {"sp ps PSFC surface_air_pressure", "", "Pa", 0, 3, 0, "surface", 0, false},
    {"skt ts", "", "K", 0, 0, 17, "surface", 0, false},
    {"sst", "", "K", 10, 3, 0, "surface", 0, false},
    {"sd", "", "kg m-2", 0, 1, 60, "surface", 0, false},
    {"sd", "", "m", 0, 1, 60, "surface", 0, false, 1000},
    {"tcc", "", "%", 0, 6, 1, "entireAtmosphere", 0, false},
    {"tcwv", "", "kg m-2", 0, 1, 64, "entireAtmosphere", 0, false},
    {"tp", "", "kg m-2", 0, 1, 52, "surface", 0, true},
    {"tp", "", "m", 0, 1, 52, "surface", 0, true, 1000},
    {"ssrd", "", "J m-2", 0, 4, 7, "surface", 0, true},
    {"strd", "", "J m-2", 0, 5, 3, "surface", 0, true},
    {"ssr", "", "J m-2", 0, 4, 9, "surface", 0, true},
    {"str", "", "J m-2", 0, 5, 5, "surface", 0, true},
    {"t", "air_temperature", "K", 0, 0, 0, "", 0, false},
    {"u", "eastward_wind", "m s-1", 0, 2, 2, "", 0, false},
    {"v", "northward_wind", "m s-1", 0, 2, 3, "", 0, false},
    {"w", "lagrangian_tendency_of_air_pressure", "Pa s-1", 0, 2, 8, "", 0, false},
    {"q", "specific_humidity", "kg kg-1", 0, 1, 0, "", 0, false},
    {"r", "relative_humidity", "%", 0, 1, 1, "", 0, false},
    {"z", "geopotential", "m2 s-2", 0, 3, 4, "", 0, false},
    {"gh", "geopotential_height", "m", 0, 3, 5, "", 0, false},
    {"vo", "atmosphere_relative_vorticity", "s-1", 0, 2, 12, "", 0, false},
    {"d", "divergence_of_wind", "s-1", 0, 2, 13, "", 0, false},
    // Those of Météo-France's AROME, as `smeagol` has them. Rain is counted from the beginning of a run.
    {"TEMPERATURE", "", "K", 0, 0, 0, "hybrid", 0, false},
    {"WIND.U.PHYS", "", "m s-1", 0, 2, 2, "hybrid", 0, false},
    {"WIND.V.PHYS", "", "m s-1", 0, 2, 3, "hybrid", 0, false},
    {"HUMI.SPECIFI", "", "kg kg-1", 0, 1, 0, "hybrid", 0, false},
    {"SURFTEMPERATURE", "", "K", 0, 0, 0, "surface", 0, false},
    {"CLSTEMPERATURE", "", "K", 0, 0, 0, "heightAboveGround", 2, false},
    {"CLSHUMI.RELATIVE", "", "%", 0, 1, 1, "heightAboveGround", 2, false},
    {"CLSVENT.ZONAL", "", "m s-1", 0, 2, 2, "heightAboveGround", 10, false},
    {"CLSVENT.MERIDIEN", "", "m s-1", 0, 2, 3, "heightAboveGround", 10, false},
    {"CLSU.RAF60M.XFU", "", "m s-1", 0, 2, 23, "heightAboveGround", 10, false},
    {"CLSV.RAF60M.XFU", "", "m s-1", 0, 2, 24, "heightAboveGround", 10, false},
    {"SURFPRESSION", "", "Pa", 0, 3, 0, "surface", 0, false},
    {"SURFACCPLUIE", "", "kg m-2", 0, 1, 52, "surface", 0, true}};

bool is_named(const GribParameter& parameter, const std::string& name) {
  std::istringstream names(parameter.names);
  for (std::string one; names >> one;)
    if (one == name) return true;
  return false;
}

bool has_pressure_levels(const VariableInfo& info) {
  return !info.known_levels().empty() && hectopascals_in(info.level_units).has_value();
}

const GribParameter* find_grib_parameter(const VariableInfo& info) {
  const auto rank = [&](const GribParameter& parameter) {
    const auto conversion = unit_conversion(info.units, parameter.units);
    return !conversion ? 0 : conversion->same() ? 2 : 1;
  };
  const auto first_of = [&](const auto& fits) {
    const GribParameter* found = nullptr;
    for (const GribParameter& parameter : grib_parameters)
      if (fits(parameter) && (!found || rank(parameter) > rank(*found))) found = &parameter;
    return found;
  };
  const GribParameter* named =
      first_of([&](const GribParameter& parameter) { return is_named(parameter, info.name); });
  if (named || info.standard_name.empty() ||
      !(has_pressure_levels(info) || height_above_ground(info)))
    return named;
  return first_of([&](const GribParameter& parameter) {
    return info.standard_name == parameter.standard_name;
  });
}

}  // namespace

std::optional<double> height_above_ground(const VariableInfo& info) {
  const auto metres = unit_conversion(info.level_units, "m");
  if (!info.only_level || !metres || info.level_positive == "down") return {};
  return (*metres)(*info.only_level);
}

const GribParameter& grib_parameter_of(const VariableInfo& info) {
  const GribParameter* parameter = find_grib_parameter(info);
  if (!parameter)
    throw Error(ErrorKind::data, "no parameter is known for its name",
                info.standard_name.empty()
                    ? ""
                    : (has_pressure_levels(info) || height_above_ground(info)
                           ? " or its standard name "
                           : ", or without pressure levels or one height for ") +
                          info.standard_name);
  if (!unit_conversion(info.units, parameter->units))
    throw Error(ErrorKind::data, "its unit is '", info.units, "', but the parameter's is '",
                parameter->units, "'");
  const bool on_pressure = std::string_view(parameter->level_type).empty();
  if (on_pressure && !has_pressure_levels(info) && !height_above_ground(info))
    throw Error(ErrorKind::data, "it has no pressure levels");
  if (std::string_view(parameter->level_type) != "hybrid" && !on_pressure && info.levels.size() > 1)
    throw Error(ErrorKind::data, "it has ", info.levels.size(), " levels, but the parameter one");
  if (std::string_view(parameter->level_type) == "hybrid" && info.levels.empty())
    throw Error(ErrorKind::data, "it has no model levels");
  return *parameter;
}

}  // namespace py4cast
