// Which times of the files matter: those with states, and those that two periods share.
#include <gtest/gtest.h>

#include "data/weather/dataset.h"
#include "data/weather/field_store.h"
#include "tests/data/weather/fake_source.h"

namespace py4cast {
namespace {

DatasetSettings unscaled_settings() {
  DatasetSettings settings = fake_settings();
  settings.standardize = false;
  return settings;
}

// Means at half past are no states here.
TEST(Dataset, StepsAreThoseOfItsStates) {
  DatasetSettings settings = unscaled_settings();
  struct Source : FakeSource {
    using FakeSource::FakeSource;
    bool exists(const FieldRequest& request) const override {
      return (request.run % 2 == 0) == (request.variable == "t");
    }
  };
  auto source = std::make_unique<Source>(5, 7, 72);
  for (size_t i = 0; i < source->times_.runs.size(); ++i)
    source->times_.runs[i] = FakeSource::first_time + static_cast<Time>(i) * 3600 / 2;
  source->add("t");
  source->add("mean");
  for (DatasetPeriod* period :
       {&settings.periods.train, &settings.periods.valid, &settings.periods.test})
    *period = {};
  settings.periods.train = {.start = "2020-02-28", .end = "2020-02-29"};
  const auto store = std::make_shared<FieldStore>(settings, std::move(source));
  EXPECT_EQ(store->info().step_seconds, 3600);
  EXPECT_EQ(Dataset(store, Split::train, 2, 1).size(), 34);
}

// States at 1, 3 and 5 h, forcings at every hour.
TEST(Dataset, LeadsAreCountedFromTheFirstWithStates) {
  struct Source : FakeSource {
    using FakeSource::FakeSource;
    bool exists(const FieldRequest& request) const override {
      return request.variable == "sun" || request.lead % 2 == 1;
    }
  };
  auto source = std::make_unique<Source>(5, 7, 1);
  source->times_.runs = {FakeSource::first_time, FakeSource::first_time + 6 * 3600};
  source->times_.leads.clear();
  for (Time lead = 0; lead <= 6; ++lead) source->times_.leads.push_back(lead * 3600);
  source->add("t");
  source->add("sun");
  DatasetSettings settings = unscaled_settings();
  settings.variables.push_back({.name = "sun", .role = Role::forcing});
  settings.periods.valid = settings.periods.test = {};
  const auto store = std::make_shared<FieldStore>(settings, std::move(source));
  EXPECT_EQ(store->info().step_seconds, 2 * 3600);
  const Dataset samples(store, Split::train, 1, 1);
  ASSERT_EQ(samples.size(), 4);
  EXPECT_EQ(samples.sample_moment(0).lead, 1);
}

// States at 0 and 6 h beside hourly forcings, for a network of 3 h.
TEST(Dataset, ANetworkKeepsItsStepWhereThereAreForcings) {
  struct Source : FakeSource {
    using FakeSource::FakeSource;
    bool exists(const FieldRequest& request) const override {
      return request.variable == "sun" || request.run % 6 == 0;
    }
  };
  DatasetSettings settings = unscaled_settings();
  for (DatasetPeriod* period :
       {&settings.periods.train, &settings.periods.valid, &settings.periods.test})
    *period = {};
  const auto open = [&] {
    auto source = std::make_unique<Source>(5, 7, 7);
    source->add("t");
    if (settings.variables.size() > 1) source->add("sun");
    return std::make_shared<FieldStore>(
        settings, std::move(source), nullptr,
        Statistics{{.name = "t", .std = 1, .maximum = 1, .difference_std = 1},
                   {.name = "sun", .std = 1, .maximum = 1, .difference_std = 1}});
  };
  settings.variables.push_back({.name = "sun", .role = Role::forcing});
  EXPECT_EQ(open()->info().step_seconds, 6 * 3600);
  settings.trained_step = 3 * 3600;
  EXPECT_EQ(open()->info().step_seconds, 3 * 3600);
  EXPECT_EQ(Dataset::forecast(open(), FakeSource::first_time, 0, 1, 2).size(), 1);
  settings.trained_step = 12 * 3600;  // not to be taken for finer data
  EXPECT_EQ(open()->info().step_seconds, 6 * 3600);
}

TEST(Dataset, RunsThatReachIntoAnotherPeriodAreWarnedOf) {
  DatasetSettings settings = unscaled_settings();
  settings.periods.train = {.start = "2020-02-28T00", .end = "2020-02-28T06"};
  settings.periods.valid = {.start = "2020-02-28T07", .end = "2020-02-28T12"};
  settings.periods.test = {.start = "2020-02-29", .end = "2020-02-29"};
  const auto warnings = [&] {
    auto source = three_days();
    source->times_.runs.clear();
    for (const Time at : {0, 6, 12, 24, 30})
      source->times_.runs.push_back(FakeSource::first_time + at * 3600);
    source->times_.leads.clear();
    for (Time lead = 0; lead <= 8; ++lead) source->times_.leads.push_back(lead * 3600);
    const FieldStore store(settings, std::move(source));
    std::string text;
    for (const std::string& warning : store.warnings()) text += warning + "\n";
    return text;
  };
  EXPECT_EQ(warnings(),
            "dataset.periods.valid: 3 of its 9 times are forecast by runs of "
            "dataset.periods.train, too, so its "
            "scores say less\n");  // 12 to 14 h
  settings.overlap = Overlap::allow;
  EXPECT_EQ(warnings(), "");
}

}  // namespace
}  // namespace py4cast
