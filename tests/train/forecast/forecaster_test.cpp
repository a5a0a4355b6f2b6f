#include "train/forecast/forecaster.h"

#include <gtest/gtest.h>

#include "data/simulation/dummy.h"

namespace py4cast {
namespace {

TEST(Forecaster, PortsAreWhatTheNetworkTakesAndWhereItsPointsAre) {
  DatasetSettings settings;
  settings.name = "dummy";
  settings.subgrid = {8, 24, 4, 36};
  settings.border = 2;
  settings.missing = Missing::mask;
  const auto store = dummy_dataset().open(settings, nullptr, {});
  Steps steps;
  steps.input = 2;
  const Ports ports = Forecaster::ports(*store, steps);
  const DatasetInfo& info = store->info();
  const int64_t in =
      2 * 3 + static_cast<int64_t>(info.static_names.size()) + info.forcing_dim() + 1;
  EXPECT_EQ(ports.inputs, (std::map<std::string, Shape>{{"x", {16, 32, in}}}));
  EXPECT_EQ(ports.outputs, (std::map<std::string, Shape>{{"y", {16, 32, 3}}}));
  ASSERT_TRUE(ports.geometry);
  const Tensor &coordinates = ports.geometry->coordinates, &border = ports.geometry->border;
  ASSERT_EQ(coordinates.shape(), (Shape{16 * 32, 2}));
  ASSERT_EQ(border.shape(), (Shape{16 * 32, 1}));
  const int64_t point = 3 * 32 + 5;  // row 3, column 5 of the sub-grid
  EXPECT_EQ(coordinates.data<double>()[2 * point], (4 + 5 + 30) / 2.0);
  EXPECT_EQ(coordinates.data<double>()[2 * point + 1], (8 + 3 - 16) / 2.0);
  EXPECT_EQ(border.data<float>()[point], 0);
  EXPECT_EQ(border.data<float>()[32 + 5], 1) << "row 1";
}

}  // namespace
}  // namespace py4cast
