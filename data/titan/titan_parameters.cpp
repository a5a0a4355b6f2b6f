#include "data/titan/titan_parameters.h"

#include <cstdio>
#include <map>
#include <sstream>

#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {
namespace {

struct TitanField {
  const char *units, *code;
};
const std::map<std::string, TitanField> titan_fields = {{"prec", {"kg m**-2", ""}},
                                                        {"u10", {"m s**-1", "0_2_2"}},
                                                        {"v10", {"m s**-1", "0_2_3"}},
                                                        {"t2m", {"K", "0_0_0"}},
                                                        {"r2", {"%", "0_1_1"}},
                                                        {"sd", {"kg m**-2", "0_1_60"}},
                                                        {"ugust", {"m s**-1", "0_2_23"}},
                                                        {"vgust", {"m s**-1", "0_2_24"}},
                                                        {"tp", {"kg m**-2", "0_1_52"}},
                                                        {"tirf", {"kg m**-2", "0_1_65"}},
                                                        {"sprate", {"kg m**-2 s**-1", "0_1_66"}},
                                                        {"z", {"m**2 s**-2", "0_3_4"}},
                                                        {"t", {"K", "0_0_0"}},
                                                        {"u", {"m s**-1", "0_2_2"}},
                                                        {"v", {"m s**-1", "0_2_3"}},
                                                        {"wz", {"m s**-1", "0_2_9"}},
                                                        {"r", {"%", "0_1_1"}},
                                                        {"ciwc", {"kg kg**-1", "0_1_84"}},
                                                        {"clwc", {"kg kg**-1", "0_1_83"}},
                                                        {"crwc", {"kg kg**-1", "0_1_85"}},
                                                        {"cswc", {"kg kg**-1", "0_1_86"}},
                                                        {"prmsl", {"Pa", "0_3_1"}},
                                                        {"tciwv", {"kg m**-2", "0_1_64"}},
                                                        {"str", {"J m**-2", "0_5_5"}},
                                                        {"ssr", {"J m**-2", "0_4_9"}}};

struct TitanFile {
  const char *name, *fields;
  int level;
};
std::string level_type_of(const std::string& file) {
  if (file.ends_with("_ISOBARE")) return "isobaricInhPa";
  if (file.ends_with("_MER")) return "meanSea";
  return file.ends_with("M") ? "heightAboveGround" : "surface";
}

constexpr TitanFile titan_files[] = {
    {"ANTJP7CLIM_1S100_60_SOL", "prec", 0},
    {"PAAROME_1S100_ECH0_10M", "u10 v10", 10},
    {"PAAROME_1S100_ECH0_2M", "t2m r2", 2},
    {"PAAROME_1S100_ECH0_SOL", "sd", 0},
    {"PAAROME_1S100_ECH1_10M", "ugust vgust", 10},
    {"PAAROME_1S100_ECH1_SOL", "tp tirf sprate", 0},
    {"PAAROME_1S40_ECH0_ISOBARE", "z t u v wz r ciwc clwc crwc cswc", 0},
    {"PAAROME_1S40_ECH0_MER", "prmsl", 0},
    {"PAAROME_1S40_ECH0_SOL", "tciwv", 0},
    {"PAAROME_1S40_ECH1_SOL", "str ssr", 0},
    {"PA_01D_10M", "u10 v10", 10},
    {"PA_01D_2M", "t2m r2", 2},
    {"PA_01D_ISOBARE", "z t u v r", 0},
    {"PA_01D_MER", "prmsl", 0}};

constexpr const char* titan_grids[][2] = {{"ANTJP7CLIM_1S100", "ant"},
                                          {"PAAROME_1S100", "aro"},
                                          {"PAAROME_1S40", "aro"},
                                          {"PA_01D", "arp"}};

std::vector<TitanParameter> make_parameters() {
  std::vector<TitanParameter> parameters;
  for (const TitanFile& file : titan_files)
    for (const auto& [grid, prefix] : titan_grids) {
      const std::string name = file.name;
      if (!name.starts_with(grid)) continue;
      std::istringstream fields(file.fields);
      for (std::string field; fields >> field;)
        parameters.push_back({.name = std::string(prefix) + "_" + field,
                              .file = name + ".grib",
                              .grid = grid,
                              .field = field,
                              .code = titan_fields.at(field).code,
                              .units = titan_fields.at(field).units,
                              .level_type = level_type_of(name),
                              .level = file.level,
                              .on_pressure = name.ends_with("_ISOBARE"),
                              .next_hour = name.find("_ECH1_") != std::string::npos});
    }
  return parameters;
}

}  // namespace

const std::vector<TitanParameter>& titan_parameters() {
  static const std::vector<TitanParameter> parameters = make_parameters();
  return parameters;
}

std::optional<Time> titan_time(const std::string& name) {
  DateTime date;
  int year = 0, end = 0;
  if (std::sscanf(name.c_str(), "%4d-%2d-%2d_%2dh%2d%n", &year, &date.month, &date.day, &date.hour,
                  &date.minute, &end) != 5 ||
      static_cast<size_t>(end) != name.size())
    return {};
  date.year = year;
  try {
    return to_time(Calendar::standard, date);
  } catch (const Error&) {
    return {};  // a day that does not exist
  }
}

std::string titan_folder(Time time) {
  const DateTime date = to_date(Calendar::standard, time);
  char name[32];
  std::snprintf(name, sizeof name, "%04d-%02d-%02d_%02dh%02d", static_cast<int>(date.year),
                date.month, date.day, date.hour, date.minute);
  return name;
}

}  // namespace py4cast
