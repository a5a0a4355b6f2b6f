#include "train/forecast/init.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/error.h"
#include "tests/train/built_in.h"
#include "tests/train/forecast/fake_source.h"

namespace py4cast {
namespace {

Resolved read_back(const Guess& guess) {
  const std::string file = testing::TempDir() + "guess.jsonc";
  std::ofstream(file) << guess_document(guess);
  return resolve({.file = file});
}

TEST(Init, AMonthOfHourlyTemperature) {
  FakeSource source(33, 49, 12, every(3600, 744));
  VariableInfo& t2m = source.add("t2m");
  t2m.units = "K";
  t2m.long_name = "2 metre temperature";
  const Guess guess = guess_configuration(source, {"era5.nc"});
  const Resolved configuration = read_back(guess);
  const DatasetSettings& dataset = configuration.dataset;
  EXPECT_EQ(dataset.name, "netcdf");
  EXPECT_EQ(dataset.files, std::vector<std::string>{"era5.nc"});
  ASSERT_EQ(dataset.variables.size(), 1u);
  EXPECT_EQ(dataset.variables[0].role, Role::state);
  EXPECT_EQ(dataset.periods.train, (DatasetPeriod{.start = "2019-03-01", .end = "2019-03-22"}));
  EXPECT_EQ(dataset.periods.valid, (DatasetPeriod{.start = "2019-03-23", .end = "2019-03-26"}));
  EXPECT_EQ(dataset.periods.test, (DatasetPeriod{.start = "2019-03-27", .end = "2019-03-31"}));
  EXPECT_EQ(dataset.border, 4);
  EXPECT_EQ(dataset.time_forcings, std::vector<std::string>{"hour"});
  EXPECT_EQ(dataset.missing, Missing::error);
  EXPECT_TRUE(configuration.model.autopad);
  EXPECT_EQ(configuration.training.batch_size, 8);
  EXPECT_EQ(configuration.training.num_pred_steps_val_test, 6);
  EXPECT_EQ(guess.reasons.at("dataset.step_hours"),
            "As in the files: 1 h between two states (743 of 743 intervals).");
  EXPECT_EQ(guess.reasons.at("dataset.variables.t2m"),
            "2 metre temperature [K]: it changes with time: forecast.");
}

TEST(Init, RolesAndLevels) {
  FakeSource source(64, 64, 12, every(6 * 3600, 200));
  source.add("t").levels = {500, 850};
  source.add("ssrd").long_name = "Surface solar radiation downwards";
  source.add("heat").units = "W m**-2";
  source.add("z", /*has_time=*/false);
  source.add("still");
  source.add("flat");
  source.add("empty");
  source.add("sst");
  const Guess guess = guess_configuration(source, {"a.nc"});
  const Resolved configuration = read_back(guess);
  std::map<std::string, Role> roles;
  for (const DatasetVariable& variable : configuration.dataset.variables)
    roles[variable.name] = variable.role;
  const std::map<std::string, Role> expected = {{"t", Role::state},
                                                {"ssrd", Role::forcing},
                                                {"heat", Role::forcing},
                                                {"z", Role::constant},
                                                {"sst", Role::state}};
  EXPECT_EQ(roles, expected);
  EXPECT_EQ(configuration.dataset.variables[0].levels, (std::vector<double>{500, 850}));
  EXPECT_EQ(configuration.dataset.missing, Missing::mask);
  EXPECT_FALSE(configuration.model.autopad);
  const std::string& reason = guess.reasons.at("dataset.variables");
  for (const char* part : {"still (has a time but never changes)",
                           "flat (is the same number everywhere)", "empty (has no values)"})
    EXPECT_NE(reason.find(part), std::string::npos) << part;
}

TEST(Init, GlobalDailyYears) {
  FakeSource source(181, 360, 360, every(86400, 800));
  source.add("t2m");
  const Resolved configuration = read_back(guess_configuration(source, {"a.nc"}));
  EXPECT_EQ(configuration.dataset.border, 0);
  EXPECT_EQ(configuration.dataset.time_forcings, std::vector<std::string>{"year"});
  EXPECT_EQ(configuration.training.batch_size, 1);
}

TEST(Init, FewHoursAreSplitByTime) {
  std::vector<Time> times = every(900, 40);
  times.erase(times.begin() + 5);
  FakeSource source(64, 64, 12, times);
  source.add("t2m");
  const Guess guess = guess_configuration(source, {"a.nc"});
  const Resolved configuration = read_back(guess);
  EXPECT_EQ(configuration.dataset.periods.train.start, "2019-03-01T00:00:00");
  EXPECT_LT(configuration.dataset.periods.train.end, configuration.dataset.periods.valid.start);
  EXPECT_LT(configuration.dataset.periods.valid.end, configuration.dataset.periods.test.start);
  EXPECT_EQ(configuration.dataset.periods.test.end, "2019-03-01T09:45:00");
  EXPECT_EQ(configuration.training.num_pred_steps_val_test, 4);
  EXPECT_EQ(guess.reasons.at("dataset.gaps"),
            "1 interval is of another length: no sample reaches over a gap.");
}

TEST(Init, ReforecastsTakeTheStepOfTheLeadTimes) {
  FakeSource source(64, 64, 12, every(86400, 30));
  source.change_times().leads = {0, 10800, 21600, 32400, 43200};
  source.change_times().members = 4;
  source.add("t2m");
  const Guess guess = guess_configuration(source, {"a.nc"});
  EXPECT_EQ(guess.reasons.at("dataset.step_hours"),
            "As in the files: 3 h between two states (4 of 4 intervals).");
  EXPECT_NE(guess.reasons.at("dataset.files").find("All 4 members"), std::string::npos);
  EXPECT_EQ(read_back(guess).training.num_pred_steps_val_test, 3);
}

TEST(Init, HopelessFilesAreRefused) {
  FakeSource few(64, 64, 12, every(3600, 5));
  few.add("t2m");
  FakeSource constant(64, 64, 12, every(3600, 50));
  constant.add("z", /*has_time=*/false);
  FakeSource one(64, 64, 12, every(3600, 1));
  one.add("t2m");
  for (FakeSource* source : {&few, &constant, &one}) {
    try {
      guess_configuration(*source, {"a.nc"});
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_TRUE(std::string(error.what()).starts_with("a.nc: ")) << error.what();
    }
  }
}

}  // namespace
}  // namespace py4cast
