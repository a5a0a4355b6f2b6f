#include "train/forecast/dataset_settings.h"

#include <gtest/gtest.h>

#include "engine/error.h"
#include "tests/places.h"

namespace py4cast {
namespace {

TEST(DatasetSettings, FollowTheConfiguration) {
  const Configuration configuration = resolve({.file = repository() + "/config/example.jsonc",
                                               .flags = {{"--dataset.gaps", "error"},
                                                         {"--dataset.missing", "mask"},
                                                         {"--dataset.border", "4"},
                                                         {"--dataset.members", "0,2"},
                                                         {"--run.root", "results"}}});
  const DatasetSettings settings = dataset_settings(configuration);
  EXPECT_EQ(settings.name, "netcdf");
  EXPECT_EQ(settings.files, configuration.dataset.files);
  ASSERT_EQ(settings.variables.size(), 4u);
  EXPECT_EQ(settings.variables[0].weight, 2.0);
  EXPECT_EQ(settings.variables[1].levels, (std::vector<double>{500, 850}));
  EXPECT_EQ(settings.variables[2].role, Role::forcing);
  EXPECT_EQ(settings.variables[3].role, Role::constant);
  EXPECT_EQ(settings.period(Split::train).end, "2019-03-21");
  EXPECT_EQ(settings.period(Split::test).step, 3);
  EXPECT_EQ(settings.border, 4);
  EXPECT_EQ(settings.members, (std::vector<int64_t>{0, 2}));
  EXPECT_TRUE(settings.gaps);
  EXPECT_TRUE(settings.mask_missing);
  EXPECT_EQ(settings.cache_folder, "results/cache");
}

TEST(DatasetSettings, AnUnknownDataSetIsNamedBeforeItsPeriodsAreAskedFor) {
  Configuration configuration;
  configuration.dataset.name = "titan";
  try {
    dataset_settings(configuration);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(
        error.what(),
        "dataset.name: there is no data set 'titan' in this build; the nearest is 'netcdf'");
  }
}

TEST(DatasetSettings, PeriodsOfRealDataMustBeGiven) {
  Configuration configuration;
  configuration.dataset.name = "dummy";
  EXPECT_NO_THROW(dataset_settings(configuration));
  configuration.dataset.name = "netcdf";
  configuration.dataset.periods.train.start = "2019-03-01";
  try {
    dataset_settings(configuration);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "dataset.periods.valid is missing; give its start, its end or both");
  }
}

}  // namespace
}  // namespace py4cast
