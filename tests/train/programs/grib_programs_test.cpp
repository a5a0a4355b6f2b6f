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

// A coarser model around it: runs every six hours, steps of three up to 24; a plane that gets warmer.
double outer_temperature(double latitude, double longitude, double hours) {
  return 270 + 0.25 * latitude - 0.5 * longitude + 0.125 * hours;
}
void write_outer_runs(const std::string& file, double warmer) {
  std::ofstream out(file, std::ios::binary);
  for (int64_t run = 0; run < 120; run += 6)
    for (int64_t lead = 0; lead <= 24; lead += 3) {
      std::vector<double> values;
      for (int row = 0; row < 12; ++row)
        for (int column = 0; column < 12; ++column)
          values.push_back(
              warmer + outer_temperature(57 - row, -10 + column, static_cast<double>(run + lead)));
      GribTestMessage message;
      message.region(12, 12, 57, -10, 46, 1);
      message.set("dataDate", 20190301 + run / 24).set("dataTime", 100 * (run % 24));
      out << message.set("forecastTime", lead).values(values, 24).bytes();
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
  // As the shell names them beside an index of cfgrib's.
  std::ofstream(folder + "/march.grib.5b7b6.idx") << "index";
  outcome = run(tool() + "init " + folder + "/*");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("left out: 1 index file of GRIB files (.idx)"), std::string::npos);
  EXPECT_EQ(outcome.output.find("5b7b6"), std::string::npos) << outcome.output;
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

// In files and in tables.
TEST_F(Programs, MembersKeepTheirNumbers) {
  const auto file = [&](const char* name) { return (root_ / name).string(); };
  {
    std::ofstream out(file("members.grib"), std::ios::binary);
    for (int64_t hour = 0; hour < 40; ++hour)
      for (const int64_t number : {5, 9}) {
        std::vector<double> values;
        for (int i = 0; i < 256; ++i)
          values.push_back(280 + static_cast<double>(number) + std::sin(0.3 * hour + 0.02 * i));
        GribTestMessage message;
        message.region(16, 16, 55, -8, 47.5, -0.5).set("productDefinitionTemplateNumber", 1);
        message.set("perturbationNumber", number).set("numberOfForecastsInEnsemble", 10);
        message.set("dataDate", 20190301 + hour / 24).set("dataTime", 100 * (hour % 24));
        out << message.values(values).bytes();
      }
  }
  ASSERT_EQ(run(tool() + "init " + file("members.grib") + " --out " + file("c.json")).exit_code, 0);
  Outcome outcome = run(train() + file("c.json") +
                        " --model.settings.num_filters 4 --epochs 1 --run_name run --device cpu");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string predict = tool() + "predict " + file("camp0/grib/halfunet/run_0") +
                              " --steps 1 --points 50,-4 --member ";
  outcome = run(predict + "all --out " + file("all.nc"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("t2m #5 [K]  t2m #9 [K]"), std::string::npos) << outcome.output;
  EXPECT_EQ(open_netcdf({file("all.nc")})->times().member_numbers, (std::vector<int64_t>{5, 9}));
  ASSERT_EQ(run(predict + "all --out " + file("all.grib2")).exit_code, 0);
  ASSERT_EQ(run(predict + "9 --out " + file("second.grib2")).exit_code, 0);
  const auto expect_refused = [&](const std::string& flags, const char* words) {
    const Outcome refused = run(predict + flags);
    EXPECT_EQ(refused.exit_code, 2) << refused.output;
    EXPECT_NE(refused.output.find(words), std::string::npos) << refused.output;
  };
  expect_refused("5 --out ''", "'--out' is empty");
  expect_refused("1", "command line: '--member': 1 is none of the members 5, 9");
  expect_refused("5 --start 2019-03-01T06/2019-03-01T12/0.00001", "of a second at least");
  EXPECT_EQ(GribSource({file("all.grib2")}).times().member_numbers, (std::vector<int64_t>{5, 9}));
  EXPECT_EQ(GribSource({file("second.grib2")}).times().member_numbers, std::vector<int64_t>{9});
}

TEST_F(Programs, AnotherModelAroundTheForecast) {
  const auto file = [&](const char* name) { return (root_ / name).string(); };
  write_grib_days(file("march.grib"));
  write_outer_runs(file("outer.grib2"), 0);
  write_outer_runs(file("warmer.grib2"), 5);
  ASSERT_EQ(run(tool() + "init " + file("march.grib") + " --out " + file("c.json")).exit_code, 0);
  const std::string boundary = " --dataset.border 2 --dataset.boundary.files ";
  Outcome outcome = run(tool() + "data info " + file("c.json") + boundary + file("outer.grib2"));
  EXPECT_NE(outcome.output.find("boundary_t2m"), std::string::npos) << outcome.output;
  // Runs known 12 hours later: the first that a sample may take is that of the first midnight.
  outcome = run(tool() + "data info " + file("c.json") + boundary + file("outer.grib2") +
                " --dataset.boundary.delay_hours 12");
  EXPECT_NE(outcome.output.find("; 11 more lack boundary data"), std::string::npos)
      << outcome.output;
  outcome =
      run(train() + file("c.json") + boundary + file("outer.grib2") +
          " --model halfunet --model.settings '{\"num_filters\": 4}' --strategy scaled_ar "
          "--epochs 1 --batch_size 8 --num_pred_steps_val_test 2 --run_name run --device cpu");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  // No --start: the last time of the data, of whose following hours only the other model knows.
  const std::string predict =
      tool() + "predict " + file("camp0/grib/halfunet/run_0") + " --steps 4";
  const auto forecast = [&](const std::string& flags, const char* name) {
    const Outcome predicted = run(predict + flags + " --out " + file(name));
    EXPECT_EQ(predicted.exit_code, 0) << predicted.output;
    EXPECT_NE(predicted.output.find("4 steps from 2019-03-05T23:00:00"), std::string::npos)
        << predicted.output;
    EXPECT_EQ(predicted.output.find("the data give the border for"), std::string::npos)
        << predicted.output;
    std::vector<float> values(256);
    open_netcdf({file(name)})->read({"t2m", 0, 3}, {0, 16, 0, 16}, values.data());
    return values;
  };
  const std::vector<float> own = forecast("", "own.nc"),
                           other = forecast(" --dataset.boundary.files " + file("warmer.grib2"),
                                            "other.nc");
  double inside = 0;
  size_t i = 0;
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 16; ++column, ++i) {
      if (row < 2 || row >= 14 || column < 2 || column >= 14)  // 27 h after the run of 18 UTC's day
        EXPECT_NEAR(own[i], outer_temperature(55 - 0.5 * row, -8 + 0.5 * column, 119 + 4), 2e-3);
      else
        inside = std::max(inside, static_cast<double>(std::abs(own[i] - other[i])));
    }
  EXPECT_GT(inside, 1e-3);
  outcome = run(predict + " --dataset.boundary.files '[]' --out " + file("none.nc"));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.output.find("was trained with 'boundary_t2m' as forcing feature"),
            std::string::npos)
      << outcome.output;
  outcome = run(predict + "0 --out " + file("long.nc") + " --start 2019-03-05T23");
  EXPECT_NE(outcome.output.find("needs the boundary data at 2019-03-06T19:00:00"),
            std::string::npos)
      << outcome.output;
}

// Files without their kind: the default is another one.
TEST_F(Programs, FilesWithoutAKindAreNoTree) {
  std::ofstream(root_ / "c.json") << R"({"dataset": {"files": ["march.grib"]}})";
  const Outcome outcome = run(train() + (root_ / "c.json").string() + " --dry-run");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.output.find("dataset.name is missing: 'titan', the default, takes no "
                                "dataset.files; kinds that do: netcdf, grib, zarr"),
            std::string::npos)
      << outcome.output;
}

}  // namespace
}  // namespace py4cast
