// What the tests of netCDF sources share.
#pragma once

#include "data/netcdf/netcdf_dataset.h"
#include "tests/data/netcdf/test_files.h"

namespace py4cast {

// Opens files of the test's folder.
class CfSourceTest : public NetcdfFolder {
 protected:
  std::unique_ptr<FieldSource> open(const std::vector<std::string>& names) {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(path(name));
    return open_netcdf(paths);
  }
  std::string refusal(const std::vector<std::string>& names) {
    return error_of([&] { open(names); });
  }
  static std::vector<float> field(FieldSource& source, const FieldRequest& request) {
    const Region region = {0, source.grid().rows, 0, source.grid().columns};
    std::vector<float> values(static_cast<size_t>(region.rows() * region.columns()));
    source.read(request, region, values.data());
    return values;
  }
  // A file of the 2 x 3 grid with times in hours; value = 100 * hour + index.
  void hourly(const std::string& name, const std::vector<double>& hours,
              const std::string& variable = "t2m", double latitude = 50) {
    std::vector<double> values;
    for (double hour : hours)
      for (int i = 0; i < 6; ++i) values.push_back(100 * hour + i);
    TestFile(path(name))
        .axis("latitude", {{"units", "degrees_north"}}, {latitude, latitude - 1})
        .axis("longitude", {{"units", "degrees_east"}}, {1, 2, 3})
        .time(hours)
        .variable(variable, NC_FLOAT, {"time", "latitude", "longitude"}, {{"units", "K"}}, values);
  }
};

}  // namespace py4cast
