#include "train/forecast/forecast_settings.h"

#include <gtest/gtest.h>

#include "engine/error.h"
#include "engine/runtime.h"
#include "tests/places.h"
#include "tests/train/built_in.h"

namespace py4cast {
namespace {

TEST(DatasetSettings, FollowTheConfiguration) {
  const Configuration configuration =
      built_in().general.resolve({.file = repository() + "/config/example.jsonc",
                                  .flags = {{"--dataset.gaps", "error"},
                                            {"--dataset.missing", "mask"},
                                            {"--dataset.border", "4"},
                                            {"--dataset.members", "0,2"},
                                            {"--run.root", "results"}}});
  const DatasetSettings settings = forecast_settings(configuration).dataset;
  EXPECT_EQ(settings.name, "netcdf");
  EXPECT_EQ(settings.files, (Texts{"data/era5_2018-*.nc", "data/era5_2019.nc"}));
  ASSERT_EQ(settings.variables.size(), 4u);
  EXPECT_EQ(settings.variables[0].weight, 2.0);
  EXPECT_EQ(settings.variables[1].levels, (std::vector<double>{500, 850}));
  EXPECT_EQ(settings.variables[2].role, Role::forcing);
  EXPECT_EQ(settings.variables[3].role, Role::constant);
  EXPECT_EQ(settings.period(Split::train).end, "2019-03-21");
  EXPECT_EQ(settings.period(Split::test).step, 3);
  EXPECT_EQ(settings.border, 4);
  EXPECT_EQ(settings.members, (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(settings.gaps, Gaps::error);
  EXPECT_EQ(settings.missing, Missing::mask);
  EXPECT_EQ(settings.cache_folder, "results/cache");
}

std::string settings_refusal(const ForecastSettings& settings) {
  Runtime runtime("cpu");
  try {
    open_store(settings, built_in().forecast, runtime.communicator(), nullptr, nullptr);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::configuration);
    return error.what();
  }
  return "accepted";
}

TEST(DatasetSettings, AnUnknownDataSetIsNamedBeforeItsPeriodsAreAskedFor) {
  ForecastSettings settings;
  settings.dataset.name = "netcfd";
  EXPECT_EQ(settings_refusal(settings),
            "dataset.name: there is no data set 'netcfd' in this build; the nearest is 'netcdf'");
}

TEST(DatasetSettings, PeriodsOfRealDataMustBeGiven) {
  ForecastSettings settings;
  settings.dataset.name = "dummy";
  EXPECT_EQ(settings_refusal(settings), "accepted");
  settings.dataset.name = "netcdf";
  settings.dataset.periods.train.start = "2019-03-01";
  EXPECT_EQ(settings_refusal(settings),
            "dataset.periods.valid is missing; give its start, its end or both");
}

TEST(DatasetSettings, PeriodsMustNotOverlap) {
  DatasetSettings settings;
  settings.periods.train = {.start = "2019-03-01", .end = "2019-03-21"};
  settings.periods.valid = {.start = "2019-03-21T18", .end = "2019-03-25"};
  settings.periods.test = {.start = "2019-03-26", .end = ""};
  const auto sentence = [&] {
    try {
      check_periods(settings);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::configuration);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(sentence(),
            "dataset.periods.train (2019-03-01 to 2019-03-21) and dataset.periods.valid "
            "(2019-03-21T18 to 2019-03-25) overlap; dataset.overlap \"allow\" would take them so");
  settings.overlap = Overlap::allow;
  EXPECT_EQ(sentence(), "accepted");
  settings.overlap = Overlap::refuse;
  settings.periods.valid.start = "2019-03-22";
  EXPECT_EQ(sentence(), "accepted");
  settings.periods.train.end = "";  // to the end of the data
  EXPECT_NE(sentence().find("overlap"), std::string::npos);
  settings.periods.train = {.start = "2019-02-30", .end = "2019-02-01"};
  EXPECT_EQ(sentence(), "dataset.periods.train: 2019-02-30 to 2019-02-01 ends before it begins");
}

}  // namespace
}  // namespace py4cast
