#include "train/forecast/init.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>

#include "data/weather/dataset.h"
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

float changing(const FieldRequest& request, int64_t point) {
  return std::sin(static_cast<float>((request.run + request.lead + 1) * (point + 2)));
}

TEST(Init, AMonthOfHourlyTemperature) {
  FakeSource source(33, 49, 12, every(3600, 744));
  VariableInfo& t2m = source.add("t2m");
  t2m.units = "K";
  t2m.long_name = "2 metre temperature";
  const Guess guess = guess_configuration(source, "netcdf", {"era5.nc"});
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
  const Guess guess = guess_configuration(source, "netcdf", {"a.nc"});
  const Resolved configuration = read_back(guess);
  std::map<std::string, Role> roles;
  for (const DatasetVariable& variable : configuration.dataset.variables)
    roles[variable.name] = variable.role;
  const std::map<std::string, Role> expected = {{"t", Role::state},        {"ssrd", Role::forcing},
                                                {"heat", Role::forcing},   {"z", Role::constant},
                                                {"still", Role::constant}, {"sst", Role::state}};
  EXPECT_EQ(roles, expected);
  EXPECT_EQ(configuration.dataset.variables[0].levels, (std::vector<double>{500, 850}));
  EXPECT_EQ(configuration.dataset.missing, Missing::mask);
  EXPECT_FALSE(configuration.model.autopad);
  const std::string& reason = guess.reasons.at("dataset.variables");
  for (const char* part :
       {"flat (is the same number everywhere, rounded to float32)", "empty (has no values)"})
    EXPECT_NE(reason.find(part), std::string::npos) << part;
}

TEST(Init, RainAloneIsForecast) {
  FakeSource source(16, 16, 12, every(6 * 3600, 240));
  source.add("tp");
  source.values["tp"] = changing;
  source.add("ssrd");
  source.values["ssrd"] = changing;
  source.add("flat");
  const Guess guess = guess_configuration(source, "netcdf", {"a.nc"});
  for (const DatasetVariable& variable : read_back(guess).dataset.variables)
    EXPECT_EQ(variable.role, Role::state) << variable.name;
  EXPECT_NE(guess.reasons.at("dataset.variables.tp").find("'tp'), but there is nothing else"),
            std::string::npos);
  FakeSource flat(16, 16, 12, every(6 * 3600, 240));
  flat.add("tp");
  flat.values["tp"] = [](const FieldRequest&, int64_t) { return 0.0f; };
  try {
    guess_configuration(flat, "netcdf", {"a.nc"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("Left out: tp (is the same number everywhere"),
              std::string::npos)
        << error.what();
  }
}

TEST(Init, GlobalDailyYears) {
  FakeSource source(181, 360, 360, every(86400, 800));
  source.add("t2m");
  const Resolved configuration = read_back(guess_configuration(source, "netcdf", {"a.nc"}));
  EXPECT_EQ(configuration.dataset.border, 0);
  EXPECT_EQ(configuration.dataset.time_forcings, std::vector<std::string>{"year"});
  EXPECT_EQ(configuration.training.batch_size, 1);
}

TEST(Init, FewHoursAreSplitByTime) {
  std::vector<Time> times = every(900, 40);
  times.erase(times.begin() + 5);
  FakeSource source(64, 64, 12, times);
  source.add("t2m");
  const Guess guess = guess_configuration(source, "netcdf", {"a.nc"});
  const Resolved configuration = read_back(guess);
  EXPECT_EQ(configuration.dataset.periods.train.start, "2019-03-01T00:00:00");
  EXPECT_LT(configuration.dataset.periods.train.end, configuration.dataset.periods.valid.start);
  EXPECT_LT(configuration.dataset.periods.valid.end, configuration.dataset.periods.test.start);
  EXPECT_EQ(configuration.dataset.periods.test.end, "2019-03-01T09:45:00");
  EXPECT_EQ(configuration.training.num_pred_steps_val_test, 4);
  EXPECT_EQ(guess.reasons.at("dataset.gaps"),
            "1 interval is of another length: no sample reaches over a gap.");
}

TEST(Init, YearsOfAnyLength) {
  for (const int64_t year : {-44, 12345}) {
    std::vector<Time> days;
    for (int64_t day = 0; day < 40; ++day)
      days.push_back(to_time(Calendar::standard, {.year = year, .month = 3}) + 86400 * day);
    FakeSource source(16, 16, 12, days);
    source.add("t2m");
    const std::string start =
        read_back(guess_configuration(source, "netcdf", {"a.nc"})).dataset.periods.train.start;
    EXPECT_EQ(start, year < 0 ? "-0044-03-01" : "12345-03-01");
    EXPECT_EQ(parse_time(Calendar::standard, start).time, days[0]);
  }
}

TEST(Init, ReforecastsTakeTheStepOfTheLeadTimes) {
  FakeSource source(64, 64, 12, every(86400, 30));
  source.change_times().leads = {0, 10800, 21600, 32400, 43200};
  source.change_times().members = 4;
  source.add("t2m");
  const Guess guess = guess_configuration(source, "netcdf", {"a.nc"});
  EXPECT_EQ(guess.reasons.at("dataset.step_hours"),
            "As in the files: 3 h between two states (4 of 4 intervals).");
  EXPECT_NE(guess.reasons.at("dataset.files").find("All 4 members"), std::string::npos);
  EXPECT_EQ(read_back(guess).training.num_pred_steps_val_test, 3);
}

// Four runs a day, each two days long: the last runs of a period would reach into the next one.
TEST(Init, PeriodsOfForecastsHaveNoTimeInCommon) {
  FakeSource source(16, 16, 12, every(6 * 3600, 160));
  for (Time lead = 3; lead <= 48; lead += 3) source.change_times().leads.push_back(lead * 3600);
  source.add("t2m");
  const DatasetPeriods periods =
      read_back(guess_configuration(source, "netcdf", {"a.nc"})).dataset.periods;
  EXPECT_EQ(periods.train, (DatasetPeriod{.start = "2019-03-01", .end = "2019-03-26T18:00:00"}));
  EXPECT_EQ(periods.valid, (DatasetPeriod{.start = "2019-03-29", .end = "2019-04-01T18:00:00"}));
  EXPECT_EQ(periods.test, (DatasetPeriod{.start = "2019-04-04", .end = "2019-04-09"}));
}

// As MERRA-2 has them: states on the hour, means at half past.
TEST(Init, VariablesMayHaveTheirTimesBetweenThoseOfOthers) {
  FakeSource source(16, 16, 12, every(1800, 400));
  source.add("t2m");
  source.add("mean");
  source.lacks = [](const FieldRequest& request) {
    return (request.run % 2 == 0) != (request.variable == "t2m");
  };
  const Guess guess = guess_configuration(source, "netcdf", {"a.nc"});
  const DatasetSettings dataset = read_back(guess).dataset;
  ASSERT_EQ(dataset.variables.size(), 1u);
  EXPECT_EQ(dataset.variables[0].name, "t2m");
  EXPECT_EQ(guess.reasons.at("dataset.step_hours"),
            "As in the files: 1 h between two states (199 of 199 intervals).");
  EXPECT_NE(guess.reasons.at("dataset.variables")
                .find("mean (has values at 200 of 400 times, which would leave 0 of 198 samples)"),
            std::string::npos)
      << guess.reasons.at("dataset.variables");
}

// What a training opens: the statistics of its data, and the samples of its periods.
void expect_trainable(const FakeSource& source) {
  FakeSource guessed = source;
  const Resolved configuration = read_back(guess_configuration(guessed, "netcdf", {"a.nc"}));
  DatasetSettings settings = configuration.dataset;
  settings.cache_folder.clear();
  const auto store = std::make_shared<FieldStore>(settings, std::make_unique<FakeSource>(source));
  const ForecastTraining& training = configuration.training;
  for (const Split split : {Split::train, Split::valid, Split::test}) {
    const Dataset samples(
        store, split, training.num_input_steps,
        split == Split::train ? training.num_pred_steps_train : training.num_pred_steps_val_test);
    const Item item = samples.item(0);
    EXPECT_TRUE(item.inputs.defined());
  }
}

std::string reasons_of(FakeSource source) {
  const Guess guess = guess_configuration(source, "netcdf", {"a.nc"});
  std::string text;
  for (const auto& [key, reason] : guess.reasons) text += key + ": " + reason + "\n";
  return text;
}

void expect_said(const FakeSource& source, const std::vector<std::string>& parts) {
  const std::string text = reasons_of(source);
  for (const std::string& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in " << text;
}

TEST(Init, VariablesThatBeginLate) {
  FakeSource source(16, 16, 12, every(6 * 3600, 240));  // 60 days, of which 42 train
  source.add("t2m");
  source.add("gust");
  source.values["gust"] = [](const FieldRequest& request, int64_t point) {
    return request.run < 100 ? NAN : changing(request, point);
  };
  source.add("snow");
  source.values["snow"] = [](const FieldRequest& request, int64_t point) {
    return request.run < 200 ? NAN : changing(request, point);
  };
  expect_said(source,
              {"it changes with time: forecast. Its values begin at 2019-03-26T00:00:00",
               "snow (has values at 40 of 240 times, which would leave 38 of 238 samples)"});
  EXPECT_EQ(guess_configuration(source, "netcdf", {"a.nc"})
                .values["dataset"]["periods"]["train"]["start"],
            "2019-03-26");
  expect_trainable(source);
}

TEST(Init, WhatIsLeftOutCutsNoPeriods) {
  FakeSource source(16, 16, 12, every(6 * 3600, 240));
  source.add("t2m");
  source.add("ice");
  source.values["ice"] = [](const FieldRequest& request, int64_t point) {
    return request.run < 100 ? NAN : request.run < 200 ? 5 : changing(request, point);
  };
  expect_said(source, {"Left out: ice (is the same number everywhere in the training period"});
  const DatasetSettings dataset =
      read_back(guess_configuration(source, "netcdf", {"a.nc"})).dataset;
  EXPECT_EQ(dataset.periods.train.start, "2019-03-01");
  EXPECT_EQ(dataset.missing, Missing::error);
  expect_trainable(source);
}

// As of a file that is still being filled: the time axis goes on.
TEST(Init, PeriodsEndWithTheValues) {
  FakeSource source(16, 16, 12, every(6 * 3600, 240));
  source.add("t2m");
  source.values["t2m"] = [](const FieldRequest& request, int64_t point) {
    return request.run < 150 ? changing(request, point) : NAN;
  };
  const Guess guess = guess_configuration(source, "netcdf", {"a.nc"});
  const DatasetSettings dataset = read_back(guess).dataset;
  EXPECT_EQ(dataset.periods.train, (DatasetPeriod{.start = "2019-03-01", .end = "2019-03-27"}));
  EXPECT_EQ(dataset.periods.valid, (DatasetPeriod{.start = "2019-03-28", .end = "2019-04-01"}));
  EXPECT_EQ(dataset.periods.test,
            (DatasetPeriod{.start = "2019-04-02", .end = "2019-04-07T06:00:00"}));
  EXPECT_EQ(dataset.missing, Missing::error);  // those beyond the periods do not count
  EXPECT_EQ(guess.reasons.at("dataset.periods"),
            "The first 70 % of the 38 days where all variables have values for training, 15 % for "
            "validation, the last 15 % for the test.");
  expect_trainable(source);
}

TEST(Init, TheCommonTimesOfVariablesThatEachLackSome) {
  FakeSource source(16, 16, 12, every(6 * 3600, 120));
  for (const char* name : {"a", "b", "brief"}) source.add(name);
  source.lacks = [](const FieldRequest& request) {
    if (request.variable == "brief") return request.run < 70;
    return request.variable == "a" ? request.run >= 100 : request.run < 20;
  };
  const Guess guess = guess_configuration(source, "netcdf", {"a.nc"});
  const DatasetSettings dataset = read_back(guess).dataset;
  ASSERT_EQ(dataset.variables.size(), 2u);
  EXPECT_EQ(dataset.periods.train.start, "2019-03-06");
  EXPECT_EQ(dataset.periods.test.end, "2019-03-25");
  EXPECT_NE(guess.reasons.at("dataset.variables")
                .find("brief (has values at 50 of 120 times, which would leave 28 of 98 samples)"),
            std::string::npos)
      << guess.reasons.at("dataset.variables");
  expect_trainable(source);
}

// Rain since the start of a simulation (WRF's RAINNC).
TEST(Init, ATotalSinceTheStartIsLeftOut) {
  FakeSource source(16, 16, 12, every(6 * 3600, 120));
  source.add("t2m");
  source.add("RAINNC").long_name = "ACCUMULATED TOTAL GRID SCALE PRECIPITATION";
  source.add("swe");
  source.values["swe"] = source.values["RAINNC"] = [](const FieldRequest& request, int64_t point) {
    return static_cast<float>(request.run) + 0.3f * changing(request, point);
  };
  source.add("tp").long_name = "Accumulated precipitation";  // since the time before
  expect_said(source, {"RAINNC (never falls: it is a total since the start of the data or of a "
                       "simulation",
                       "swe: it changes with time: forecast. Its values never fall",
                       "tp: Accumulated precipitation: it belongs to an interval of time"});
}

TEST(Init, WhatATrainingRefusesIsLeftOut) {
  FakeSource source(16, 16, 12, every(6 * 3600, 240));
  source.add("t2m");
  source.add("dry");  // until the training is over
  source.values["dry"] = [](const FieldRequest& request, int64_t point) {
    return request.run < 180 ? 0 : changing(request, point);
  };
  source.add("counter");
  source.values["counter"] = [](const FieldRequest& request, int64_t) {
    return static_cast<float>(request.run);
  };
  source.add("t").levels = {1000, 850};
  source.values["t"] = [](const FieldRequest& request, int64_t point) {
    return request.level == 0 ? NAN : changing(request, point);
  };
  source.add("orography", /*has_time=*/false);
  source.values["orography"] = [](const FieldRequest&, int64_t point) {
    return point < 3 ? NAN : static_cast<float>(point);
  };
  source.add("rare");
  source.lacks = [](const FieldRequest& request) {
    return request.variable == "rare" && request.run % 3 != 0;
  };
  source.add("boundless");
  source.values["boundless"] = [](const FieldRequest& request, int64_t point) {
    return request.run == 2 && point == 5 ? -INFINITY : changing(request, point);
  };
  expect_said(
      source,
      {"boundless (has an infinite value at 2019-03-01T12:00:00, rounded to float32)",
       "dry (is the same number everywhere in the training period, rounded to float32)",
       "counter (changes by the same amount everywhere in the training period)",
       "1 of 2 levels (another one has no values)", "There are missing values in t, orography",
       "rare (has values at 80 of 240 times, which would leave 0 of 238 samples)"});
  expect_trainable(source);
}

TEST(Init, FeaturesHaveNamesOfTheirOwn) {
  FakeSource source(16, 16, 12, every(6 * 3600, 240));
  source.add("t").levels = {500, 850};
  for (const char* name : {"t_850", "t_850_", "sin_year"}) source.add(name);
  const Guess guess = guess_configuration(source, "netcdf", {"a.nc"});
  const Json& variables = guess.values.at("dataset").at("variables");
  EXPECT_FALSE(variables.at("t").contains("short_name"));
  EXPECT_EQ(variables.at("t_850").at("short_name"), "t_850_");
  EXPECT_EQ(variables.at("t_850_").at("short_name"), "t_850__");
  EXPECT_EQ(variables.at("sin_year").at("short_name"), "sin_year_");
  expect_trainable(source);
}

// One missing value anywhere would stop a training.
TEST(Init, EveryFieldIsLookedAt) {
  FakeSource source(16, 16, 12, every(6 * 3600, 240));
  source.add("t2m");
  source.values["t2m"] = [](const FieldRequest& request, int64_t point) {
    return request.run == 17 && point == 3 ? NAN : changing(request, point);
  };
  expect_said(source, {"There are missing values in t2m"});
  expect_trainable(source);
}

TEST(Init, WhatIsWrittenIsTrainable) {
  std::vector<Time> gap = every(3600, 744);
  gap.erase(gap.begin() + 600, gap.begin() + 610);
  for (const std::vector<Time>& times :
       {every(3600, 744), every(900, 40), every(86400, 800), gap}) {
    FakeSource source(16, 20, 12, times);
    source.add("t2m");
    expect_trainable(source);
  }
  FakeSource reforecast(16, 16, 12, every(86400, 30));
  reforecast.change_times().leads = {0, 10800, 21600, 32400};
  reforecast.change_times().members = 2;
  reforecast.add("t2m");
  expect_trainable(reforecast);
}

TEST(Init, APeriodWithoutASampleIsRefused) {
  std::vector<Time> hours = every(3600, 17), months, years, rounded;
  for (const Time time : {100, 103, 107, 112, 118, 125}) hours.push_back(hours[0] + time * 3600);
  // Months have no common length.
  for (int month = 0; month < 120; ++month)
    months.push_back(to_time(Calendar::standard, {2000 + month / 12, month % 12 + 1, 1}));
  for (int year = 1900; year < 2020; ++year)
    years.push_back(to_time(Calendar::standard, {year, 1, 1}));
  for (int hour = 0; hour < 120; ++hour)  // hours as days since 1900 in single precision
    rounded.push_back(std::llround(86400.0 * static_cast<double>(43829 + hour / 24.0f)));
  for (const auto& [times, reason] :
       {std::pair(hours, "has no 3 states that are 1 h apart, only 1"),
        {months,
         "a.nc: the times are not evenly spaced: 744 h apart are 69 of 119 neighbours, 720 h 40, "
         "672 h 7 and 1 more distances (months differ in length), so the validation period, "
         "2006-12-11T00:00:00 to 2008-06-06T23:59:59, has no 3 states that are 744 h apart, only "
         "2; a forecast needs data with a fixed step, daily means for example"},
        {years, "8760 h apart are 90 of 119 neighbours, 8784 h 29 (years differ in length), so"},
        {rounded, "(rounded, perhaps stored in single precision), so the training period"}}) {
    FakeSource source(16, 16, 12, times);
    source.add("t2m");
    try {
      guess_configuration(source, "netcdf", {"a.nc"});
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
    }
  }
}

TEST(Init, HopelessFilesAreRefused) {
  FakeSource few(64, 64, 12, every(3600, 5));
  few.add("t2m");
  FakeSource constant(64, 64, 12, every(3600, 50));
  constant.add("z", /*has_time=*/false);
  FakeSource one(64, 64, 12, every(3600, 1));
  one.add("t2m");
  FakeSource timeless(64, 64, 12, {});
  timeless.add("t2m", /*has_time=*/false);
  for (FakeSource* source : {&few, &constant, &one, &timeless}) {
    try {
      guess_configuration(*source, "netcdf", {"a.nc"});
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_TRUE(std::string(error.what()).starts_with("a.nc: ")) << error.what();
    }
  }
}

}  // namespace
}  // namespace py4cast
