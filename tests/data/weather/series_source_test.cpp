// Runs and lead times as one series of times.
#include "data/weather/series_source.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "data/weather/dataset.h"
#include "data/weather/field_store.h"
#include "tests/data/weather/fake_source.h"

namespace py4cast {
namespace {

constexpr Time an_hour = 3600;

// Runs every 3 h with leads of 1 to `leads` h: t = 100 run + lead, relief = row.
std::unique_ptr<FakeSource> runs_every_three_hours(int64_t leads, int64_t runs = 4) {
  auto source = std::make_unique<FakeSource>(2, 2, 1);
  source->times_.runs.clear();
  for (int64_t run = 0; run < runs; ++run)
    source->times_.runs.push_back(FakeSource::first_time + 3 * run * an_hour);
  source->times_.leads.clear();
  for (int64_t lead = 1; lead <= leads; ++lead) source->times_.leads.push_back(lead * an_hour);
  source->add("t");
  source->add("relief", {}, false);
  source->value_ = [](const FieldRequest& request, int64_t row, int64_t) {
    return static_cast<float>(request.variable == "t" ? 100 * request.run + request.lead + 1 : row);
  };
  return source;
}

float first_value(FieldSource& source, const char* variable, int64_t time) {
  float value = 0;
  source.read({.variable = variable, .run = time}, {1, 2, 0, 1}, &value);
  return value;
}

TEST(Series, HasEachTimeFromItsLatestRun) {
  auto overlapping = runs_every_three_hours(5);
  overlapping->gaps_ = {{2, 1, 0}};  // at 8 h
  const auto source = as_series(std::move(overlapping));
  const TimeAxis& axis = source->times();
  EXPECT_EQ(axis.leads, std::vector<Time>{0});
  ASSERT_EQ(axis.runs.size(), 14u);  // 1 to 14 h
  EXPECT_EQ(axis.runs.front(), FakeSource::first_time + an_hour);
  EXPECT_EQ(axis.runs.back(), FakeSource::first_time + 14 * an_hour);
  const std::vector<float> expected = {1,   2,   3,   101, 102, 103, 201,
                                       105, 203, 301, 302, 303, 304, 305};
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(first_value(*source, "t", static_cast<int64_t>(i)), expected[i]) << i;
  EXPECT_EQ(first_value(*source, "relief", 0), 1);
}

TEST(Series, LacksWhatNoRunHas) {
  auto one = runs_every_three_hours(3);
  one->gaps_ = {{1, 0, 0}};  // 4 h
  const auto source = as_series(std::move(one));
  EXPECT_EQ(source->times().runs.size(), 11u);
  EXPECT_EQ(first_value(*source, "t", 3), 102);
}

TEST(Series, HasNoMessagesOfTotals) {
  struct Source : FakeSource {
    using FakeSource::FakeSource;
    SourceMessage message(const FieldRequest& request) const override {
      return {.bytes = "GRIB", .total = request.variable == "rain"};
    }
  };
  auto runs = std::make_unique<Source>(2, 2, 1);
  runs->times_ = runs_every_three_hours(3)->times_;
  for (const char* name : {"t", "rain"}) runs->add(name);
  const auto source = as_series(std::move(runs));
  EXPECT_EQ(source->message({.variable = "t"}).bytes, "GRIB");
  EXPECT_EQ(source->message({.variable = "rain"}).bytes, "");
}

TEST(Series, IsWhatADataSetIsMadeOf) {
  DatasetSettings settings = fake_settings();
  settings.standardize = false;
  settings.periods.train = {.start = "2020-02-28", .end = "2020-02-29"};
  settings.periods.valid = settings.periods.test = {};
  const auto size = [&] {
    auto runs = runs_every_three_hours(3, 10);
    runs->value_ = three_days()->value_;
    const auto store = std::make_shared<FieldStore>(settings, std::move(runs));
    return Dataset(store, Split::train, 2, 1).size();
  };
  EXPECT_EQ(size(), 10);  // one in each run
  settings.as_series = true;
  EXPECT_EQ(size(), 28);  // 30 times
}

TEST(Series, IsMadeOfShortRunsThatFollowEachOther) {
  EXPECT_TRUE(follow_each_other(runs_every_three_hours(3)->times()));
  EXPECT_TRUE(follow_each_other(runs_every_three_hours(2)->times()));
  EXPECT_FALSE(follow_each_other(runs_every_three_hours(4)->times()));  // two runs have a time
  EXPECT_FALSE(follow_each_other(runs_every_three_hours(1)->times()));  // a series already
  TimeAxis daily = runs_every_three_hours(3)->times();
  daily.runs = {0, 24 * an_hour, 48 * an_hour};
  EXPECT_FALSE(follow_each_other(daily));
}

}  // namespace
}  // namespace py4cast
