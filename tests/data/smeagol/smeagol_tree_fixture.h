// A small smeagol tree, written straight with netCDF-C.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/smeagol/smeagol_dataset.h"
#include "data/smeagol/smeagol_source.h"
#include "data/weather/conformal.h"
#include "tests/data/netcdf/test_files.h"

namespace py4cast {

// 5 rows x 4 columns, 10 km apart; two runs and members; terms 1, 1.5, 2 and 2.5 h; T on levels 90, 45
// and 1, PS and SUN at the surface. Values count everything that there is:
//   variable 1e5 + run 1e4 + member 1e3 + step 1e2 ... see value().
class SmeagolFiles : public NetcdfFolder {
 protected:
  static constexpr int rows = 5, columns = 4;
  const std::vector<std::string> runs = {"20220806H00", "20220806H03"};
  const std::vector<double> steps = {1, 1.5, 2, 2.5}, levels = {90, 45, 1};

  static double value(int variable, int run, int member, int step, int level, int point) {
    return variable * 10000 + run * 3000 + member * 1000 + step * step * 100 + level * 30 +
           point * (1 + 0.1 * step);
  }

  void SetUp() override {
    NetcdfFolder::SetUp();
    std::filesystem::create_directories(tree("constant"));
    constants(rows, columns);
    for (int run = 0; run < 2; ++run)
      for (int member = 0; member < 2; ++member) {
        std::filesystem::create_directories(tree(runs[static_cast<size_t>(run)]));
        level_file(run, member, rows);
        surface_file(run, member);
      }
  }

  std::string tree(const std::string& name) const { return path("nc/dom/mod_geo/" + name); }
  std::string file(int run, int member, const std::string& stem) const {
    return tree(runs[static_cast<size_t>(run)] + "/mb_00" + std::to_string(member) + "_" + stem +
                ".nc");
  }

  void constants(int height, int width) const {
    const ConformalMap projection = ConformalMap::lambert({}, 46.7, 46.7, 46.7, 2);
    std::vector<double> x, y, latitude, longitude, relief, land;
    for (int i = 0; i < width; ++i) x.push_back(1e5 + 1e4 * i);
    for (int i = 0; i < height; ++i) y.push_back(-2e5 + 1e4 * i);
    for (const double row : y)
      for (const double column : x) {
        const auto place = projection.earth({column - 3e5, row - 1e5});
        latitude.push_back(place.latitude);
        longitude.push_back(place.longitude < 0 ? place.longitude + 360 : place.longitude);
        relief.push_back(row + column);
        land.push_back(column > 1.15e5);
      }
    TestFile(tree("constant/Mesh_and_SurfGeo.nc"))
        .dimension("Y", y.size())
        .dimension("X", x.size())
        .variable("x", NC_DOUBLE, {"X"}, {}, x)
        .variable("y", NC_DOUBLE, {"Y"}, {}, y)
        .variable("lat", NC_DOUBLE, {"Y", "X"}, {}, latitude)
        .variable("lon", NC_DOUBLE, {"Y", "X"}, {}, longitude)
        .variable("SURFGEOPOTENTIEL", NC_FLOAT, {"Y", "X"}, {}, relief)
        .variable("LandSeaMask", NC_FLOAT, {"Y", "X"}, {}, land);
  }

  void level_file(int run, int member, int height, size_t terms = 4, int type = NC_FLOAT) const {
    std::vector<double> values;
    for (size_t step = 0; step < terms; ++step)
      for (int level = 0; level < 3; ++level)
        for (int point = 0; point < height * columns; ++point)
          values.push_back(value(1, run, member, static_cast<int>(step), level, point));
    TestFile(file(run, member, "T"))
        .axis("step", {{"units", "hours"}},
              {steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(terms)})
        .axis("level", {}, levels)
        .dimension("Y", static_cast<size_t>(height))
        .dimension("X", columns)
        .variable("T", type, {"step", "level", "Y", "X"}, {{"units", "K"}}, values);
  }

  void surface_file(int run, int member) const {
    TestFile out(file(run, member, "surface"));
    out.axis("step", {}, steps).dimension("Y", rows).dimension("X", columns);
    for (const auto& [name, number] : {std::pair("PS", 2), {"SUN", 3}}) {
      std::vector<double> values;
      for (int step = 0; step < 4; ++step)
        for (int point = 0; point < rows * columns; ++point)
          values.push_back(value(number, run, member, step, 0, point));
      out.variable(name, NC_FLOAT, {"step", "Y", "X"}, {{"units", "Pa"}}, values);
    }
  }

  SmeagolSettings own() const {
    SmeagolSettings settings;
    settings.root = folder_.string();
    settings.domain = "dom";
    settings.model = "mod";
    settings.geometry = "geo";
    settings.term.start = 1;
    settings.term.end = 3;
    settings.term.timestep = 0.5;
    return settings;
  }

  DatasetSettings settings() const {
    DatasetSettings result;
    result.name = "smeagol";
    result.own = std::make_shared<const Json>(to_json(own()));
    DatasetVariable t, ps, sun;
    t.name = "T";
    t.short_name = "t";
    t.levels = {1, 90};
    ps.name = "PS";
    ps.short_name = "ps";
    sun.name = "SUN";
    sun.short_name = "sun";
    sun.role = Role::forcing;
    result.variables = {t, ps, sun};
    result.periods.train.start = result.periods.train.end = "2022-08-06";
    result.windows = Windows::disjoint;
    return result;
  }

  static std::vector<float> field(FieldSource& source, const FieldRequest& request) {
    std::vector<float> values(static_cast<size_t>(rows * columns));
    source.read(request, {0, rows, 0, columns}, values.data());
    return values;
  }
};

}  // namespace py4cast
