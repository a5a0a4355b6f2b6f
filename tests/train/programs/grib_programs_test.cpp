// The programs on GRIB files.
#include <cmath>

#include "data/netcdf/netcdf_dataset.h"
#include "tests/data/grib/grib_test_files.h"
#include "tests/train/programs/programs.h"

namespace py4cast {
namespace {

// Temperature of 16 x 16 points that warms and cools with the sun, for five
// days.
void write_grib_days(const std::string& file) {
  std::ofstream out(file, std::ios::binary);
  for (int64_t hour = 0; hour < 120; ++hour) {
    std::vector<double> values;
    for (int i = 0; i < 256; ++i)
      values.push_back(280 + 5 * std::sin(static_cast<double>(hour) * 0.2618 + i * 0.02) + 0.1 * i);
    GribTestMessage message(hour % 2 ? "regular_ll_sfc_grib1" : "regular_ll_sfc_grib2");
    message.region(16, 16, 55, -8, 47.5, -0.5);
    message.set("dataDate", 20190301 + hour / 24).set("dataTime", 100 * (hour % 24));
    out << message.values(values).bytes();
  }
}

TEST_F(Programs, GribFromFirstSightToForecast) {
  const std::string folder = (root_ / "data").string(), config = (root_ / "c.json").string(),
                    forecast = (root_ / "forecast.nc").string();
  fs::create_directories(folder);
  write_grib_days(folder + "/march.grib");
  Outcome outcome = run(tool() + "data info " + folder);
  EXPECT_NE(
      outcome.output.find("16 rows x 16 columns, latitude 47.5 ... 55, longitude -8 ... -0.5"),
      std::string::npos)
      << outcome.output;
  outcome = run(tool() + "init " + folder + " --out " + config);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  outcome = run(train() + config +
                " --model halfunet --model.settings '{\"num_filters\": 4}' "
                "--epochs 1 --batch_size 8 "
                "--num_pred_steps_val_test 2 --run_name run --device cpu");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("RMSE of t2m [K]"), std::string::npos) << outcome.output;
  const std::string run_folder = (root_ / "camp0/grib/halfunet/run_0").string();
  outcome =
      run(tool() + "predict " + run_folder + " --start 2019-03-05T12 --steps 2 --out " + forecast);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const auto netcdf = open_netcdf({forecast});
  EXPECT_EQ(netcdf->variable("t2m").units, "K");
  const std::string grib = (root_ / "forecast.grib2").string();
  outcome =
      run(tool() + "predict " + run_folder + " --start 2019-03-05T12 --steps 2 --out " + grib);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  GribSource source({grib});
  std::vector<float> expected(256), found(256);
  netcdf->read({"t2m", 0, 1}, {0, 16, 0, 16}, expected.data());
  source.read({"t2m", 0, 1}, {0, 16, 0, 16}, found.data());
  for (size_t i = 0; i < 256; ++i) EXPECT_NEAR(found[i], expected[i], 1e-3);
  EXPECT_EQ(source.grid().latitude, netcdf->grid().latitude);
  EXPECT_EQ(source.times().runs, (std::vector<Time>{1551790800, 1551794400}));  // 13 and 14 UTC
  outcome = run(train() + config + " --dataset.name netcdf --dry-run");
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_NE(outcome.output.find("this is grib, not netcdf"), std::string::npos) << outcome.output;
}

}  // namespace
}  // namespace py4cast
