#include "data/cf/axis_role.h"

#include <map>
#include <set>
#include <utility>

#include "data/weather/calendar.h"
#include "data/weather/units.h"
#include "engine/text.h"

namespace py4cast {
namespace {

using Names = std::set<std::string>;

bool is_degrees(const std::string& units, char direction) {
  const std::string u = lower_case(units);
  for (const char* stem : {"degrees_", "degree_", "degrees", "degree"})
    if (u == std::string(stem) + direction) return true;
  return u == (direction == 'n' ? "degrees_north" : "degrees_east") ||
         u == (direction == 'n' ? "degree_north" : "degree_east");
}

const Names run_names = {"forecast_reference_time",
                         "run",
                         "runs",
                         "reference_time",
                         "init_time",
                         "init",
                         "initial_time",
                         "reftime",
                         "base_time",
                         "model_run",
                         "analysis_time",
                         "forecast_date",
                         "start_time",
                         "launch_time"};
const Names lead_names = {"lead",          "leads", "lead_time",       "leadtime",
                          "step",          "steps", "forecast_period", "prediction_timedelta",
                          "forecast_hour", "fhour", "forecast_time",   "elapsed_forecast_duration"};
const Names member_names = {"member",
                            "members",
                            "member_id",
                            "realization",
                            "realisation",
                            "realization_id",
                            "number",
                            "ens",
                            "ens_id",
                            "ensemble",
                            "ensemble_id",
                            "ensemble_member",
                            "ensemble_member_id",
                            "ensemble_number",
                            "variant_label",
                            "eps",
                            "perturbation"};
const Names version_names = {"expver"};
const Names level_names = {
    "level",    "levels",     "lev", "plev",   "isobaricinhpa", "pressure", "pressure_level",
    "height",   "depth",      "z",   "hybrid", "model_level",   "altitude", "heightaboveground",
    "isobaric", "bottom_top", "mlev"};

}  // namespace

bool is_latitude(const CfVariable& v) {
  const std::string standard = v.text("standard_name");
  if (!standard.empty()) return standard == "latitude";
  static const Names names = {"lat", "latitude", "xlat", "nav_lat"};
  return is_degrees(v.text("units"), 'n') || names.count(lower_case(v.name)) > 0;
}

bool is_longitude(const CfVariable& v) {
  const std::string standard = v.text("standard_name");
  if (!standard.empty()) return standard == "longitude";
  static const Names names = {"lon", "longitude", "xlong", "xlon", "nav_lon"};
  return is_degrees(v.text("units"), 'e') || names.count(lower_case(v.name)) > 0;
}

std::optional<AxisRole> role_of_name(const std::string& dimension) {
  static const Names time_names = {"time", "valid_time", "t", "date", "datetime", "times"};
  static const Names y_names = {"lat",  "latitude", "y",   "rlat", "south_north",
                                "nlat", "yc",       "row", "rows"};
  static const Names x_names = {"lon",  "longitude", "x",      "rlon",   "west_east",
                                "nlon", "xc",        "column", "columns"};
  const std::string name = lower_case(dimension);
  const std::pair<const Names&, AxisRole> table[] = {
      {run_names, AxisRole::run},     {time_names, AxisRole::time},
      {lead_names, AxisRole::lead},   {member_names, AxisRole::member},
      {level_names, AxisRole::level}, {version_names, AxisRole::version},
      {y_names, AxisRole::y},         {x_names, AxisRole::x}};
  for (const auto& [names, role] : table)
    if (names.count(name) > 0) return role;
  return std::nullopt;
}

std::optional<AxisRole> role_of_attributes(const CfVariable& v) {
  static const std::map<std::string, AxisRole> standard_names = {
      {"time", AxisRole::time},
      {"forecast_reference_time", AxisRole::run},
      {"forecast_period", AxisRole::lead},
      {"realization", AxisRole::member},
      {"latitude", AxisRole::y},
      {"longitude", AxisRole::x},
      {"grid_latitude", AxisRole::y},
      {"grid_longitude", AxisRole::x},
      {"projection_y_coordinate", AxisRole::y},
      {"projection_x_coordinate", AxisRole::x},
      {"air_pressure", AxisRole::level},
      {"height", AxisRole::level},
      {"altitude", AxisRole::level},
      {"depth", AxisRole::level},
      {"model_level_number", AxisRole::level}};
  const std::string units = v.text("units"), axis = v.text("axis");
  if (const auto found = standard_names.find(v.text("standard_name"));
      found != standard_names.end())
    return found->second;
  if (is_time_units(units))
    return run_names.count(lower_case(v.name)) > 0 ? AxisRole::run : AxisRole::time;
  if (axis == "T" || axis == "t") return AxisRole::time;
  if (axis == "Y" || axis == "y" || is_degrees(units, 'n')) return AxisRole::y;
  if (axis == "X" || axis == "x" || is_degrees(units, 'e')) return AxisRole::x;
  if (axis == "Z" || axis == "z" || !v.text("positive").empty() || hectopascals_in(units))
    return AxisRole::level;
  return std::nullopt;
}

}  // namespace py4cast
