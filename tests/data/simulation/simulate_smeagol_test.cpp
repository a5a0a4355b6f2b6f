#include "data/simulation/simulate_smeagol.h"

#include <cmath>
#include <fstream>
#include <iterator>

#include "data/smeagol/smeagol_dataset.h"
#include "data/smeagol/smeagol_source.h"
#include "data/weather/dataset.h"
#include "tests/data/netcdf/test_files.h"

namespace py4cast {
namespace {

class SimulateSmeagolTest : public NetcdfFolder {
 protected:
  SmeagolSimulation small(const std::string& name) const {
    return {
        .root = path(name), .grid = 16, .members = 2, .runs = 2, .end_term = 4, .spin_up_hours = 4};
  }
  static std::string bytes(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
};

TEST_F(SimulateSmeagolTest, IsTheDefaultDataSetAndAlwaysTheSame) {
  simulate_smeagol(small("a"));
  simulate_smeagol(small("b"));
  SmeagolSettings settings;
  settings.root = path("a");
  SmeagolSource source(settings, {});
  EXPECT_EQ(source.times().runs.size(), 6u);
  EXPECT_EQ(source.times().members, 2);
  EXPECT_EQ(source.variable("WIND.U.PHYS").levels.size(), 15u);
  EXPECT_EQ(source.grid().mapping.name, "lambert_conformal");
  EXPECT_TRUE(source.left_out().empty());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path("a"))) {
    const std::string file = entry.path();
    if (!entry.is_regular_file()) continue;
    EXPECT_TRUE(bytes(file) == bytes(path("b") + file.substr(path("a").size()))) << file;
  }
  EXPECT_NE(error_of([&] { simulate_smeagol(small("a")); }, ErrorKind::input_output), "");
  EXPECT_NE(
      error_of([&] { simulate_smeagol({.root = path("c"), .grid = 8}); }, ErrorKind::configuration),
      "");
}

TEST_F(SimulateSmeagolTest, RunsContinueEachOtherAndMembersDiffer) {
  SmeagolSimulation settings = small("a");
  settings.end_term = 7;
  simulate_smeagol(settings);
  SmeagolSettings own;
  own.root = path("a");
  SmeagolSource source(own, {});
  const auto field = [&](const char* name, int64_t level, int64_t run, int64_t lead,
                         int64_t member) {
    std::vector<float> values(256);
    source.read({name, level, run, lead, member}, {0, 16, 0, 16}, values.data());
    return values;
  };
  const auto distance = [](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
    return sum / static_cast<double>(a.size());
  };
  // 06 UTC of the run of 00 UTC (lead 12 is 6 h) is near 06 UTC of the next run (lead 0 is 3 h).
  const auto early = field("CLSTEMPERATURE", 0, 0, 12, 0),
             late = field("CLSTEMPERATURE", 0, 1, 0, 0);
  EXPECT_LT(distance(early, late), distance(early, field("CLSTEMPERATURE", 0, 0, 0, 0)));
  EXPECT_GT(distance(field("WIND.U.PHYS", 0, 0, 0, 0), field("WIND.U.PHYS", 0, 0, 0, 1)), 0.01);
  // Cold and dry above.
  EXPECT_LT(field("TEMPERATURE", 14, 0, 0, 0)[0], field("TEMPERATURE", 0, 0, 0, 0)[0] - 50);
  EXPECT_LT(field("HUMI.SPECIFI", 14, 0, 0, 0)[0], 0.01f * field("HUMI.SPECIFI", 0, 0, 0, 0)[0]);
}

}  // namespace
}  // namespace py4cast
