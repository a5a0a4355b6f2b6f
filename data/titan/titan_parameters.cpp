#include "data/titan/titan_parameters.h"

#include <map>
#include <sstream>

namespace py4cast {
namespace {

const std::map<std::string, std::string> titan_units = {{"prec", "kg m**-2"},
                                                        {"u10", "m s**-1"},
                                                        {"v10", "m s**-1"},
                                                        {"t2m", "K"},
                                                        {"r2", "%"},
                                                        {"sd", "kg m**-2"},
                                                        {"ugust", "m s**-1"},
                                                        {"vgust", "m s**-1"},
                                                        {"tp", "kg m**-2"},
                                                        {"tirf", "kg m**-2"},
                                                        {"sprate", "kg m**-2 s**-1"},
                                                        {"z", "m**2 s**-2"},
                                                        {"t", "K"},
                                                        {"u", "m s**-1"},
                                                        {"v", "m s**-1"},
                                                        {"wz", "m s**-1"},
                                                        {"r", "%"},
                                                        {"ciwc", "kg kg**-1"},
                                                        {"clwc", "kg kg**-1"},
                                                        {"crwc", "kg kg**-1"},
                                                        {"cswc", "kg kg**-1"},
                                                        {"prmsl", "Pa"},
                                                        {"tciwv", "kg m**-2"},
                                                        {"str", "J m**-2"},
                                                        {"ssr", "J m**-2"}};

struct TitanFile {
  const char *name, *fields;
  int level;
};
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
                              .units = titan_units.at(field),
                              .level = file.level,
                              .on_pressure = name.ends_with("_ISOBARE")});
    }
  return parameters;
}

}  // namespace

const std::vector<TitanParameter>& titan_parameters() {
  static const std::vector<TitanParameter> parameters = make_parameters();
  return parameters;
}

}  // namespace py4cast
