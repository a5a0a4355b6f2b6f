// Variables that are forecast and scored but not given to the network.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data/weather/dataset.h"
#include "data/weather/field_store.h"
#include "data/weather/lacking_source.h"
#include "data/weather/stored_samples.h"
#include "engine/error.h"
#include "tests/data/netcdf/test_files.h"
#include "tests/data/weather/fake_source.h"

namespace py4cast {
namespace {

// Two runs of five leads: rain is not there at the first. t = 100 lead + 10 row + column; rain 1000 more.
std::unique_ptr<FakeSource> runs_with_rain() {
  class Source : public FakeSource {
   public:
    Source() : FakeSource(2, 3, 1) {
      times_.runs = {first_time, first_time + 24 * 3600};
      times_.leads = {0, 3600, 7200, 10800, 14400};
      add("rain");
      add("t");
      value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
        return static_cast<float>(100 * request.lead + 10 * row + column + 7 * (request.lead == 3) +
                                  (request.variable == "rain" ? 1000 : 0));
      };
    }
    bool exists(const FieldRequest& request) const override {
      return request.variable != "rain" || (request.lead > 0 && FakeSource::exists(request));
    }
  };
  return std::make_unique<Source>();
}

DatasetSettings settings_with_rain() {
  DatasetSettings settings = fake_settings();
  settings.variables = {{.name = "rain", .role = Role::diagnostic, .levels = {}},
                        {.name = "t", .levels = {}}};
  settings.standardize = false;
  settings.periods.train.end = "2020-02-29";
  settings.periods.valid = settings.periods.test = {};
  return settings;
}

TEST(Diagnostics, AreOutputsOnly) {
  const auto store = std::make_shared<FieldStore>(settings_with_rain(), runs_with_rain());
  const DatasetInfo& info = store->info();
  EXPECT_EQ(info.state_names(), (std::vector<std::string>{"t", "rain"}));
  EXPECT_EQ(info.input_names(), std::vector<std::string>{"t"});
  EXPECT_EQ(info.diagnostic_names(), std::vector<std::string>{"rain"});
  EXPECT_NE(info.summary().find("State (1)"), std::string::npos);
  EXPECT_NE(info.summary().find("Diagnostic (1)"), std::string::npos);
  // Of the leads that have rain: 1 to 4, the same in both runs.
  EXPECT_NEAR(info.state_statistics.at(1).mean, 1250 + 7.0 / 4 + 5 + 1, 1e-9);
  EXPECT_EQ(info.state_statistics.at(0).minimum, 0);
  // Windows may begin where only the state is.
  const auto data = std::make_shared<const Dataset>(store, Split::train, 2, 1);
  ASSERT_EQ(data->size(), 6);
  EXPECT_EQ(data->sample_moment(0).lead, 1);
  const std::vector<BufferSpec> buffers = data->buffers();
  EXPECT_EQ(buffers.at(0).shape, (Shape{2, 2, 3, 1}));
  EXPECT_EQ(buffers.at(1).shape, (Shape{1, 2, 3, 2}));
  std::vector<float> inputs(12), outputs(12);
  data->load(0, {.inputs = inputs.data(), .outputs = outputs.data()});
  EXPECT_EQ(inputs, (std::vector<float>{0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112}));
  EXPECT_EQ(outputs,
            (std::vector<float>{200, 1200, 201, 1201, 202, 1202, 210, 1210, 211, 1211, 212, 1212}));
  EXPECT_EQ(StoredSamples(data).buffers().at(0).shape, (Shape{2, 1, plane_words}));
  const Item item = data->item(0);
  EXPECT_EQ(item.inputs.feature_names(), std::vector<std::string>{"t"});
  EXPECT_EQ(item.outputs.feature_names(), (std::vector<std::string>{"t", "rain"}));
  std::vector<float> rain(6);
  store->read_state(1, {0, 0, 0}, rain.data());
  EXPECT_TRUE(std::ranges::all_of(rain, [](float value) { return std::isnan(value); }));
}

TEST(Diagnostics, AreNotNeededAtTheStart) {
  const auto store = std::make_shared<FieldStore>(settings_with_rain(), runs_with_rain());
  const Dataset data = Dataset::forecast(store, FakeSource::first_time + 4 * 3600, 0, 1, 1);
  std::vector<float> inputs(6), outputs(12);
  data.load(0, {.inputs = inputs.data(), .outputs = outputs.data()});
  EXPECT_EQ(inputs[5], 412);
  EXPECT_TRUE(std::isnan(outputs[0]));
  EXPECT_EQ(Dataset::forecast(store, FakeSource::first_time, 0, 1, 1).size(), 1);
}

// As if the data had none of it.
TEST(Diagnostics, WithoutSomeOfTheirLevelsAreAbsent) {
  auto source = three_days();
  source->add("gh", {500, 850});
  const auto with = [&](std::vector<double> levels) {
    return with_absent(std::make_unique<FakeSource>(*source),
                       {{.name = "gh", .levels = std::move(levels)}});
  };
  EXPECT_TRUE(with({850})->exists({.variable = "gh", .level = 1}));
  const auto lacking = with({500, 700});
  EXPECT_FALSE(lacking->exists({.variable = "gh"}));
  EXPECT_EQ(lacking->variable("gh").levels, (std::vector<double>{500, 700}));
  EXPECT_EQ(lacking->variables().size(), 2u);
  EXPECT_TRUE(lacking->exists({.variable = "t"}));
}

TEST(Diagnostics, ThatAPeriodLacksAreNamed) {
  class Source : public FakeSource {
   public:
    Source() : FakeSource(2, 3, 72) {
      add("rain");
      add("t");
    }
    bool exists(const FieldRequest& request) const override {
      return (request.variable != "rain" || request.run < 24) && FakeSource::exists(request);
    }
  };
  DatasetSettings settings = settings_with_rain();
  settings.periods.train.end = "2020-02-28";
  settings.periods.valid = {.start = "2020-02-29", .end = "2020-02-29"};
  const auto store = std::make_shared<FieldStore>(settings, std::make_unique<Source>());
  EXPECT_EQ(Dataset(store, Split::train, 1, 1).size(), 23);
  expect_contains(error_of([&] { Dataset(store, Split::valid, 1, 1); }),
                  {"the predicted ones with all diagnostics ('rain' is at none of them)"});
}

TEST(Diagnostics, AloneAreNoForecast) {
  DatasetSettings settings = settings_with_rain();
  settings.variables.pop_back();
  EXPECT_THROW(FieldStore(settings, runs_with_rain()), Error);
}

}  // namespace
}  // namespace py4cast
