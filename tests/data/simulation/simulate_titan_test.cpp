#include "data/simulation/simulate_titan.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "data/titan/titan_parameters.h"
#include "data/titan/titan_source.h"
#include "tests/data/grib/grib_test_files.h"

namespace py4cast {
namespace {

class SimulateTitanTest : public GribFolder {
 protected:
  TitanSimulation small(const std::string& name) const {
    return {.root = path(name), .grid = 21, .hours = 1, .spin_up_hours = 2};
  }
  static std::string bytes(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static ErrorKind refusal(const TitanSimulation& settings) {
    try {
      simulate_titan(settings);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::internal;
  }
};

// 21 points are 21 x 21 of the original's 1791 x 2801: steps of 0.895 and 1.4 degrees; 2.5 and 10 times as long on the
// other grids.
TEST_F(SimulateTitanTest, HasTheOriginalsFilesOnItsGridsAndIsAlwaysTheSame) {
  simulate_titan(small("a"));
  simulate_titan(small("b"));
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path("a"))) {
    const std::string file = entry.path();
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_TRUE(bytes(file) == bytes(path("b") + file.substr(path("a").size()))) << file;
  }
  EXPECT_EQ(files, 2 + 3 * 13);  // the original's 14 without ANTILOPE's
  TitanSettings settings;
  settings.root = path("a");
  TitanSource source(settings);
  EXPECT_EQ(source.times().runs.size(), 3);
  EXPECT_EQ(source.times().runs.front(), 1672552800);  // 2023-01-01 06 UTC
  std::set<std::string> expected = {"h"}, found;
  for (const TitanParameter& parameter : titan_parameters())
    if (parameter.grid != "ANTJP7CLIM_1S100") expected.insert(parameter.name);
  for (const VariableInfo& info : source.variables()) found.insert(info.name);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(source.variable("arp_z").levels.size(), 24);
  EXPECT_EQ(source.variable("aro_tp").units, "kg m**-2");
  EXPECT_EQ(source.grid().rows, 21);
  EXPECT_NEAR(source.grid().latitude.front(), 55.4, 1e-6);
  EXPECT_NEAR(source.grid().latitude.back(), 37.5, 1e-6);
  EXPECT_NEAR(source.grid().longitude.back(), 16, 1e-6);
  settings.grid = "PAAROME_1S40";
  EXPECT_EQ(TitanSource(settings).grid().rows, 9);
  EXPECT_EQ(refusal(small("a")), ErrorKind::input_output);
  EXPECT_EQ(refusal({.root = path("c"), .grid = 8}), ErrorKind::configuration);
}

TEST_F(SimulateTitanTest, IsWeather) {
  simulate_titan(small("a"));
  TitanSettings settings;
  settings.root = path("a");
  TitanSource source(settings);
  const auto mean = [&](const FieldRequest& request) {
    const std::vector<float> values = field(source, request);
    double sum = 0;
    for (const float value : values) sum += static_cast<double>(value);
    return sum / static_cast<double>(values.size());
  };
  // Levels rise: 0 is 100 hPa, 23 is 1000 hPa. Geopotential of the standard atmosphere: 1440 and 54 900 m2 s-2.
  EXPECT_NEAR(mean({"aro_z", 23}), 1440, 1500);
  EXPECT_NEAR(mean({"aro_z", 12}), 54900, 4000);
  EXPECT_LT(mean({"aro_t", 12}), mean({"aro_t", 23}) - 20);
  EXPECT_NEAR(mean({"aro_t2m"}), 280, 15);
  EXPECT_NEAR(mean({"aro_prmsl"}), 101325, 3000);
  EXPECT_GT(mean({"aro_tp", 0, 1}), 0);
  // ARPEGE's field is the same one with a tenth of the points.
  EXPECT_NEAR(mean({"arp_t2m"}), mean({"aro_t2m"}), 4);
  EXPECT_NEAR(mean({"arp_z", 23}), mean({"aro_z", 23}), 600);
}

}  // namespace
}  // namespace py4cast
