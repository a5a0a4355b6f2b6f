#include "data/weather/dataset.h"

#include <gtest/gtest.h>

#include "data/simulation/dummy.h"
#include "data/weather/calendar.h"
#include "engine/error.h"
#include "tests/data/netcdf/test_files.h"
#include "tests/data/weather/fake_source.h"

namespace py4cast {
namespace {

constexpr Time hour = 3600;

std::unique_ptr<FakeSource> hours(int64_t count) {
  auto source = std::make_unique<FakeSource>(2, 3, count);
  source->add("t");
  source->value_ = coded;
  return source;
}

DatasetSettings raw_settings() {
  DatasetSettings settings = fake_settings();
  settings.standardize = false;
  return settings;
}

// Five runs, 6 h apart, leads 0 ... 7 h, two members.
std::unique_ptr<FakeSource> reforecasts() {
  auto source = hours(1);
  source->times_.runs.clear();
  for (int64_t run = 0; run < 5; ++run)
    source->times_.runs.push_back(FakeSource::first_time + run * 6 * hour);
  source->times_.leads = {0, hour, 2 * hour, 3 * hour, 4 * hour, 5 * hour, 6 * hour, 7 * hour};
  source->times_.members = 2;
  source->value_ = [](const FieldRequest& r, int64_t row, int64_t column) {
    return static_cast<float>(1000 * r.run + 100 * r.lead + 20 * (r.lead % 2) + 50 * r.member +
                              10 * row + column);
  };
  return source;
}

std::vector<Time> times_of(const Dataset& dataset) {
  std::vector<Time> result;
  for (int64_t i = 0; i < dataset.size(); ++i)
    result.push_back((dataset.sample_time(i) - FakeSource::first_time) / hour);
  return result;
}

#define EXPECT_SAID(text, part)                              \
  do {                                                       \
    const std::string whole = text;                          \
    EXPECT_NE(whole.find(part), std::string::npos) << whole; \
  } while (false)

TEST(Dataset, WindowsLieInsideThePeriod) {
  const auto store = std::make_shared<FieldStore>(raw_settings(), hours(72));
  const Dataset train(store, Split::train, 2, 3), valid(store, Split::valid, 1, 23);
  EXPECT_EQ(train.size(), 20);
  EXPECT_EQ(times_of(train).front(), 1);
  EXPECT_EQ(times_of(train).back(), 20);
  EXPECT_EQ(times_of(valid), (std::vector<Time>{24}));
  EXPECT_EQ(train.validity_times(0),
            (std::vector<Time>{FakeSource::first_time + 2 * hour, FakeSource::first_time + 3 * hour,
                               FakeSource::first_time + 4 * hour}));
}

TEST(Dataset, ASampleHoldsItsWindow) {
  DatasetSettings settings = raw_settings();
  settings.time_forcings = {"hour"};
  const Dataset dataset(std::make_shared<FieldStore>(settings, hours(72)), Split::train, 2, 3);
  const Item item = dataset.item(4);  // t0 = 5 h
  EXPECT_EQ(item.inputs.names(), (std::vector<std::string>{"timestep", "lat", "lon", "features"}));
  const auto inputs = item.inputs.tensor().span<float>(),
             outputs = item.outputs.tensor().span<float>();
  ASSERT_EQ(inputs.size(), 12u);
  ASSERT_EQ(outputs.size(), 18u);
  EXPECT_EQ(inputs[0], 4000);
  EXPECT_EQ(inputs[6 + 5], 5012);
  EXPECT_EQ(outputs[0], 6000);
  EXPECT_EQ(outputs[12 + 4], coded_time(8) + 11);
  EXPECT_EQ(item.forcing.tensor().shape(), (Shape{3, 2, 3, 2}));
  EXPECT_NEAR(item.forcing.tensor().span<float>()[0], 1, 1e-6) << "sin(hour) at 6 h";
  EXPECT_NEAR(item.forcing.tensor().span<float>()[1], 0.5, 1e-6);
  EXPECT_EQ(item.validity_times, dataset.validity_times(4));
}

TEST(Dataset, StepBetweenSamplesAndStepOfTheData) {
  DatasetSettings settings = raw_settings();
  settings.periods.valid.step = 5;
  const auto store = std::make_shared<FieldStore>(settings, hours(72));
  // The period begins at 24, so every fifth hour from there on is a t0, as in the original; that at 24
  // itself would need an hour before the period.
  EXPECT_EQ(times_of(Dataset(store, Split::valid, 2, 1)), (std::vector<Time>{29, 34, 39, 44}));
  EXPECT_EQ(times_of(Dataset(store, Split::valid, 1, 1)), (std::vector<Time>{24, 29, 34, 39, 44}));
  settings.step_hours = 6;
  settings.periods.valid.step = 0;
  const auto coarse = std::make_shared<FieldStore>(settings, hours(72));
  EXPECT_EQ(coarse->info().step_seconds, 6 * hour);
  EXPECT_EQ(times_of(Dataset(coarse, Split::valid, 2, 1)), (std::vector<Time>{30, 36}));
  EXPECT_EQ(coarse->moments(Split::train), (std::vector<Moment>{{0}, {6}, {12}, {18}}));
  settings.periods.valid.step = 1;
  const Dataset dense(std::make_shared<FieldStore>(settings, hours(72)), Split::valid, 2, 1);
  EXPECT_EQ(times_of(dense).size(), 12u);
  EXPECT_EQ(dense.item(1).inputs.tensor().span<float>()[0], 25000);
  EXPECT_EQ(dense.item(1).outputs.tensor().span<float>()[0], 37000);
}

TEST(Dataset, AMissingFirstTimeShiftsNoSample) {
  DatasetSettings settings = raw_settings();
  settings.periods.valid.step = 5;
  auto source = hours(72);
  source->times_.runs.erase(source->times_.runs.begin() + 24);
  const auto store = std::make_shared<FieldStore>(settings, std::move(source));
  EXPECT_EQ(times_of(Dataset(store, Split::valid, 1, 1)), (std::vector<Time>{29, 34, 39, 44}));
  settings.windows = Windows::disjoint;
  source = hours(72);
  source->times_.runs.erase(source->times_.runs.begin() + 24);
  const Dataset disjoint(std::make_shared<FieldStore>(settings, std::move(source)), Split::valid, 2,
                         6);
  EXPECT_EQ(times_of(disjoint), (std::vector<Time>{33, 41})) << "windows from 24, 32 and 40";
}

// Periods begin at 0 h, the data have 3, 9, 15 and 21 h.
TEST(Dataset, SamplesAreCountedOnTheLatticeOfTheData) {
  DatasetSettings settings = raw_settings();
  settings.periods.valid.step = 12;
  auto source = hours(12);
  for (size_t i = 0; i < 12; ++i)
    source->times_.runs[i] = FakeSource::first_time + (3 + 6 * static_cast<Time>(i)) * hour;
  const auto store = std::make_shared<FieldStore>(settings, std::move(source));
  EXPECT_EQ(times_of(Dataset(store, Split::valid, 1, 1)), (std::vector<Time>{27, 39}));
  EXPECT_EQ(times_of(Dataset(store, Split::valid, 2, 1)), (std::vector<Time>{39}));
}

// Every 3 h from 0 h on, from the seventh time on an hour later: samples lie before and after, none across.
TEST(Dataset, TimesMayLeaveTheirLattice) {
  const auto shifted = [] {
    auto source = hours(16);
    for (size_t i = 0; i < 16; ++i)
      source->times_.runs[i] =
          FakeSource::first_time + (3 * static_cast<Time>(i) + (i < 6 ? 0 : 1)) * hour;
    return source;
  };
  DatasetSettings settings = raw_settings();
  settings.periods.train.end = "2020-02-29";
  settings.periods.valid = {};
  const auto times = [&](int64_t inputs) {
    const auto store = std::make_shared<FieldStore>(settings, shifted());
    return times_of(Dataset(store, Split::train, inputs, 1));
  };
  EXPECT_EQ(times(2), (std::vector<Time>{3, 6, 9, 12, 22, 25, 28, 31, 34, 37, 40, 43}));
  settings.periods.train.step = 6;
  EXPECT_EQ(times(1), (std::vector<Time>{0, 6, 12, 19, 25, 31, 37, 43}));
  settings.periods.train.step = 0;
  settings.gaps = Gaps::error;
  EXPECT_SAID(error_of([&] { times(2); }), "2020-02-28T18:00:00 is missing in the train period");
}

TEST(Dataset, TimesBetweenThoseOfALatticeLeaveItAsItIs) {
  DatasetSettings settings = raw_settings();
  settings.periods.train.end = "2020-02-29";
  settings.periods.train.step = 6;
  settings.periods.valid = {};
  const auto times = [&](const std::vector<double>& in_hours, double step, int64_t inputs) {
    auto source = hours(static_cast<int64_t>(in_hours.size()));
    for (size_t i = 0; i < in_hours.size(); ++i)
      source->times_.runs[i] = FakeSource::first_time + std::llround(in_hours[i] * hour);
    settings.step_hours = step;
    return times_of(Dataset(std::make_shared<FieldStore>(settings, std::move(source)), Split::train,
                            inputs, 1));
  };
  // Every three hours, a stretch of it every hour.
  const std::vector<double> finer = {0,  3,  6,  7,  8,  9,  10, 11, 12,
                                     13, 15, 18, 21, 24, 27, 30, 33, 36};
  EXPECT_EQ(times(finer, 3, 1), (std::vector<Time>{0, 6, 12, 18, 24, 30}));
  EXPECT_EQ(times(finer, 3, 2), (std::vector<Time>{6, 12, 18, 24, 30}));
  EXPECT_EQ(times(finer, 1, 2), (std::vector<Time>{12}));
  // One time that is in no order.
  EXPECT_EQ(times({0, 1, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, 1, 1),
            (std::vector<Time>{0, 6, 12}));
}

TEST(Dataset, GapsAreSkippedOrErrors) {
  const auto with_gap = [](bool in_the_axis) {
    auto source = hours(72);
    if (in_the_axis) {
      source->times_.runs.erase(source->times_.runs.begin() + 10);
    } else {
      source->gaps_.insert({10, 0, 0});
    }
    return source;
  };
  for (const bool in_the_axis : {true, false}) {
    DatasetSettings settings = raw_settings();
    const auto store = std::make_shared<FieldStore>(settings, with_gap(in_the_axis));
    const auto times = times_of(Dataset(store, Split::train, 2, 2));
    EXPECT_EQ(times,
              (std::vector<Time>{1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}));
    EXPECT_EQ(Dataset(store, Split::valid, 2, 2).size(), 21);
    settings.gaps = Gaps::error;
    const auto strict = std::make_shared<FieldStore>(settings, with_gap(in_the_axis));
    EXPECT_SAID(error_of([&] { Dataset(strict, Split::train, 2, 2); }),
                "2020-02-28T10:00:00 is missing in the train period");
    EXPECT_EQ(Dataset(strict, Split::valid, 2, 2).size(), 21);
  }
}

TEST(Dataset, TooShortAPeriodIsAnError) {
  const auto store = std::make_shared<FieldStore>(raw_settings(), hours(72));
  EXPECT_SAID(error_of([&] { Dataset(store, Split::test, 12, 13); }),
              "dataset.periods.test has 24 fields but no sample: 12 input and 13 prediction steps "
              "need 25 times that are 1 h apart");
  EXPECT_SAID(error_of([&] { Dataset(store, Split::test, 0, 1); }, ErrorKind::configuration),
              "0 input steps");
}

TEST(Dataset, ReforecastWindowsLieInsideRuns) {
  DatasetSettings settings = raw_settings();
  settings.periods.train = {.start = "2020-02-28T00", .end = "2020-02-28T06"};
  settings.periods.valid = {.start = "2020-02-28T12", .end = "2020-02-28T18", .step = 4};
  const auto store = std::make_shared<FieldStore>(settings, reforecasts());
  EXPECT_EQ(store->info().step_seconds, hour);
  EXPECT_EQ(store->moments(Split::train).size(), 2u * 8 * 2);
  const Dataset train(store, Split::train, 1, 6);
  // By time, run, member.
  ASSERT_EQ(train.size(), 8);
  EXPECT_EQ(times_of(train), (std::vector<Time>{0, 0, 1, 1, 6, 6, 7, 7}));
  EXPECT_EQ(train.sample_moment(1), (Moment{0, 0, 1}));
  EXPECT_EQ(train.item(7).outputs.tensor().span<float>()[0], 1000 + 200 + 50);
  // Two windows of four in each run.
  EXPECT_EQ(times_of(Dataset(store, Split::valid, 2, 2)),
            (std::vector<Time>{13, 13, 17, 17, 19, 19, 23, 23}));
  settings.members = {1};
  const Dataset one(std::make_shared<FieldStore>(settings, reforecasts()), Split::train, 1, 6);
  EXPECT_EQ(one.size(), 4);
  EXPECT_EQ(one.sample_moment(0), (Moment{0, 0, 1}));
}

TEST(Dataset, ForecastsMayStartAnywhere) {
  const auto store = std::make_shared<FieldStore>(raw_settings(), hours(72));
  const Time t0 = FakeSource::first_time + 70 * hour;
  const Dataset dataset = Dataset::forecast(store, t0, 0, 2, 3);
  EXPECT_EQ(dataset.size(), 1);
  EXPECT_EQ(dataset.sample_time(0), t0);
  const Item item = dataset.item(0);
  EXPECT_EQ(item.inputs.tensor().span<float>()[0], 69000);
  const auto outputs = item.outputs.tensor().span<float>();
  EXPECT_EQ(outputs[0], 71000);
  EXPECT_TRUE(std::isnan(outputs[6]) && std::isnan(outputs[17]));
  EXPECT_SAID(error_of([&] { Dataset::forecast(store, FakeSource::first_time, 0, 2, 3); }),
              "needs the state at 2020-02-27T23:00:00");
  EXPECT_SAID(error_of([&] { Dataset::forecast(store, t0 + 60, 0, 2, 3); }),
              "no field at 2020-03-01T22:01:00; they have 72 times from 2020-02-28T00:00:00 to "
              "2020-03-01T23:00:00");
  const auto runs = std::make_shared<FieldStore>(raw_settings(), reforecasts());
  EXPECT_EQ(Dataset::forecast(runs, FakeSource::first_time + 7 * hour, 1, 2, 2).sample_moment(0),
            (Moment{1, 1, 1}))
      << "the latest run";
}

// Runs at 0, 3 and 6 h, leads of 3 to 7 h: the latest run with a field at 6 h has none before it.
TEST(Dataset, ForecastsStartFromAnOlderRunIfTheLatestLacksAState) {
  auto source = reforecasts();
  source->times_.runs = {FakeSource::first_time, FakeSource::first_time + 3 * hour,
                         FakeSource::first_time + 6 * hour};
  source->times_.leads = {3 * hour, 4 * hour, 5 * hour, 6 * hour, 7 * hour};
  const auto store = std::make_shared<FieldStore>(raw_settings(), std::move(source));
  const auto start = [&](Time time, int64_t inputs) {
    return Dataset::forecast(store, FakeSource::first_time + time * hour, 0, inputs, 2)
        .sample_moment(0);
  };
  EXPECT_EQ(start(6, 1), (Moment{1, 0, 0}));
  EXPECT_EQ(start(6, 2), (Moment{0, 3, 0}));
  EXPECT_EQ(start(7, 2), (Moment{1, 1, 0}));
  EXPECT_SAID(error_of([&] { start(3, 2); }), "needs the state at 2020-02-28T02:00:00");
  EXPECT_SAID(error_of([&] { start(9, 5); }), "needs the state at 2020-02-28T05:00:00");
}

// The run of 3 h has its first field alone, that of 0 h those of 0 to 4 h.
TEST(Dataset, TheLastStartMayLieInAnOlderRun) {
  auto source = reforecasts();
  source->times_.runs = {FakeSource::first_time, FakeSource::first_time + 3 * hour};
  source->times_.leads = {0, hour, 2 * hour, 3 * hour, 4 * hour};
  source->times_.members = 1;
  for (const int64_t lead : {1, 2, 3, 4}) source->gaps_.insert({1, lead, 0});
  const auto store = std::make_shared<FieldStore>(raw_settings(), std::move(source));
  EXPECT_EQ(Dataset::last_start(store, 0, 3, 1), FakeSource::first_time + 4 * hour);
}

// The axis goes on where values have ended, as in a file that is filled by and by.
TEST(Dataset, ForecastsNeedValues) {
  DatasetSettings settings = raw_settings();
  settings.variables.push_back({.name = "q"});
  for (const Missing missing : {Missing::mask, Missing::error}) {
    settings.missing = missing;
    auto source = hours(72);
    source->add("q");
    source->value_ = [&](const FieldRequest& r, int64_t row, int64_t column) {
      const bool hole = missing == Missing::mask && (row == 1 || (r.variable == "t" && r.run > 40));
      return r.run > 50 || hole ? NAN : coded(r, row, column);
    };
    const auto store = std::make_shared<FieldStore>(settings, std::move(source));
    // Where masks are allowed t ends at 40, but a forecast may begin without it.
    EXPECT_EQ(Dataset::last_start(store, 0, 2, 3),
              FakeSource::first_time + (missing == Missing::mask ? 40 : 50) * hour);
    EXPECT_EQ(Dataset::forecast(store, FakeSource::first_time + 50 * hour, 0, 2, 3).size(), 1);
    EXPECT_SAID(
        error_of([&] { Dataset::forecast(store, FakeSource::first_time + 52 * hour, 0, 2, 3); }),
        "a forecast from 2020-03-01T04:00:00 needs the state at 2020-03-01T03:00:00, which has no "
        "value");
  }
}

TEST(Dataset, ForecastsNeedTheirPhysicalForcings) {
  DatasetSettings settings = raw_settings();
  settings.variables.push_back({.name = "sun", .role = Role::forcing});
  auto source = hours(72);
  source->add("sun");
  const auto store = std::make_shared<FieldStore>(settings, std::move(source));
  const Time t0 = FakeSource::first_time + 70 * hour;
  EXPECT_EQ(Dataset::forecast(store, t0, 0, 2, 1).size(), 1);
  EXPECT_SAID(error_of([&] { Dataset::forecast(store, t0, 0, 2, 2); }),
              "needs the forcings at 2020-03-02T00:00:00");
}

TEST(Dataset, TimeForcingsMayComeFirst) {
  const auto forcings = [](bool first) {
    DatasetSettings settings = raw_settings();
    settings.variables.push_back({.name = "sun", .role = Role::forcing});
    settings.time_forcings = {"hour", "toa_radiation"};
    settings.time_forcings_first = first;
    auto source = hours(72);
    source->add("sun");
    const Dataset dataset(std::make_shared<FieldStore>(settings, std::move(source)), Split::train,
                          2, 1);
    const NamedTensor item = dataset.item(0).forcing;
    const auto first_point = item.tensor().span<float>().first(4);
    return std::pair(dataset.info().forcing_names,
                     std::vector<float>(first_point.begin(), first_point.end()));
  };
  const auto [names, values] = forcings(false);
  const auto [turned_names, turned_values] = forcings(true);
  EXPECT_EQ(names, (std::vector<std::string>{"sun", "sin_hour", "cos_hour", "toa_radiation"}));
  EXPECT_EQ(turned_names,
            (std::vector<std::string>{"sin_hour", "cos_hour", "toa_radiation", "sun"}));
  EXPECT_NE(values[0], values[3]);
  EXPECT_EQ(turned_values, (std::vector<float>{values[1], values[2], values[3], values[0]}));
}

// A single analysis: the step is that of the run.
TEST(Dataset, ForecastsFromOneTimeAlone) {
  DatasetSettings settings = raw_settings();
  for (DatasetPeriod* period :
       {&settings.periods.train, &settings.periods.valid, &settings.periods.test})
    *period = {.start = "2019-01-01", .end = "2019-01-31"};
  const Statistics trained = {
      {.name = "t", .mean = 3, .std = 2, .maximum = 9, .difference_std = 1}};
  const auto store = [&] {
    return std::make_shared<FieldStore>(settings, hours(1), nullptr, trained);
  };
  EXPECT_SAID(error_of(store), "the data have 1 times: a forecast needs at least two");
  settings.trained_step = 6 * hour;
  const auto known = store();
  EXPECT_EQ(known->cache_note(), "");
  for (const std::string& note : known->notes())
    EXPECT_EQ(note.find("goes beyond the data"), std::string::npos) << note;
  const Dataset forecast = Dataset::forecast(known, FakeSource::first_time, 0, 1, 2);
  EXPECT_EQ(forecast.validity_times(0)[1] - FakeSource::first_time, 12 * hour);
}

TEST(Dataset, MasksSayWhatIsMissing) {
  DatasetSettings settings = raw_settings();
  settings.missing = Missing::mask;
  settings.variables.push_back({.name = "sun", .role = Role::forcing});
  auto source = hours(72);
  source->add("sun");
  source->value_ = [](const FieldRequest& r, int64_t row, int64_t column) {
    const int64_t point = row * 3 + column;
    const bool hole = r.variable == "t" ? (r.run == 1 && point == 2) || (r.run == 2 && point == 4)
                                        : r.run == 3 && point == 5;
    return hole ? NAN : coded(r, row, column);
  };
  const Dataset dataset(std::make_shared<FieldStore>(settings, std::move(source)), Split::train, 2,
                        2);
  std::vector<float> inputs(12), outputs(12), forcing(12), input_valid(12), output_valid(12),
      forcing_valid(12);
  dataset.load(0, {inputs.data(), outputs.data(), forcing.data(), input_valid.data(),
                   output_valid.data(), forcing_valid.data()});
  EXPECT_EQ(input_valid, (std::vector<float>{1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1}));
  EXPECT_EQ(forcing_valid, (std::vector<float>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0}));
  EXPECT_EQ(output_valid, (std::vector<float>{1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(inputs[6 + 2], 0);
  EXPECT_EQ(forcing[6 + 5], 0);
}

TEST(Dummy, IsAFunctionOfTheSeed) {
  DatasetSettings settings;
  settings.name = "dummy";
  settings.border = 10;
  settings.time_forcings = {};
  const auto store = dummy_dataset().open(settings, nullptr, {});
  const DatasetInfo& info = store->info();
  EXPECT_EQ(info.state_names(),
            (std::vector<std::string>{"input_output_00", "input_output_01", "input_output_02"}));
  EXPECT_EQ(info.forcing_names, (std::vector<std::string>{"forcing_00", "forcing_01"}));
  EXPECT_EQ(info.static_names, (std::vector<std::string>{"x", "y", "geopotential", "border_mask"}));
  EXPECT_EQ(info.difference_std(), (std::vector<double>{1.42, 1.42, 1.42}));
  EXPECT_EQ(info.state_statistics[2].mean, 0);
  EXPECT_EQ(store->statics()["geopotential"].shape(), (Shape{64, 64, 1}));
  EXPECT_EQ(store->statics().feature_range("geopotential"), (std::pair{1.0, 1.0}));
  for (const float weight : info.weights()) EXPECT_GT(weight, 0);

  const Dataset train(store, Split::train, 2, 1);
  EXPECT_EQ(train.size(), 22);
  EXPECT_EQ(Dataset(store, Split::valid, 2, 5).size(), 18);
  const Item item = train.item(3),
             again =
                 Dataset(dummy_dataset().open(settings, nullptr, {}), Split::train, 2, 1).item(3);
  const auto values = item.inputs.tensor().span<float>(),
             same = again.inputs.tensor().span<float>();
  EXPECT_TRUE(std::equal(values.begin(), values.end(), same.begin()));
  settings.seed = 43;
  const Item other =
      Dataset(dummy_dataset().open(settings, nullptr, {}), Split::train, 2, 1).item(3);
  EXPECT_NE(other.inputs.tensor().span<float>()[0], values[0]);

  double sum = 0, squares = 0;
  for (const float value : values) {
    EXPECT_LE(std::abs(value), 3);
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto count = static_cast<double>(values.size());
  EXPECT_NEAR(sum / count, 0, 0.02);
  EXPECT_NEAR(squares / count, 0.995, 0.03);
}

}  // namespace
}  // namespace py4cast
