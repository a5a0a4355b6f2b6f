#include "data/weather/field_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numbers>

#include "data/netcdf/netcdf_dataset.h"
#include "data/weather/calendar.h"
#include "data/weather/dataset.h"
#include "data/weather/table.h"
#include "kernels/fields/decode_fields.h"
#include "tests/data/netcdf/test_files.h"
#include "tests/data/weather/fake_source.h"

namespace py4cast {
namespace {

using Names = std::vector<std::string>;

std::string refusal(ErrorKind kind, const DatasetSettings& settings,
                    std::unique_ptr<FakeSource> source) {
  return error_of([&] { FieldStore(settings, std::move(source)); }, kind);
}

#define EXPECT_PART(text, part)                              \
  do {                                                       \
    const std::string& whole = text;                         \
    EXPECT_NE(whole.find(part), std::string::npos) << whole; \
  } while (false)

std::vector<float> state_at(const FieldStore& store, const Moment& moment) {
  std::vector<float> values(
      static_cast<size_t>(store.info().rows * store.info().columns * store.info().weather_dim()));
  store.decode(store.state(moment), values.data());
  return values;
}

TEST(FieldStore, FeaturesFollowTheSettings) {
  auto source = three_days();
  source->add("wind", {500, 850});
  source->add("sun");
  source->add("model_level", {1.5});
  source->variables_.back().level_units = "1";
  DatasetSettings settings = fake_settings();
  settings.variables = {{.name = "wind", .levels = {850, 500}, .short_name = "u"},
                        {.name = "sun", .role = Role::forcing},
                        {.name = "t", .weight = 7},
                        {.name = "model_level"}};
  settings.time_forcings = {"year", "hour", "toa_radiation"};
  const FieldStore store(settings, std::move(source));
  const DatasetInfo& info = store.info();
  EXPECT_EQ(info.state_names(), (Names{"u_850", "u_500", "t", "model_level_1.5"}));
  EXPECT_EQ(info.state[1].level_index, 0);
  EXPECT_EQ(info.weights(), (std::vector<double>{1.85, 1.5, 7, 2}));
  EXPECT_EQ(info.forcing_names,
            (Names{"sun", "sin_hour", "cos_hour", "sin_year", "cos_year", "toa_radiation"}));
  EXPECT_EQ(info.forcing_units, (Names{"K", "1", "1", "1", "1", "1"}));
  EXPECT_EQ(info.weather_dim(), 4);
  EXPECT_EQ(info.forcing_dim(), 6);
  EXPECT_EQ(info.step_seconds, 3600);
  EXPECT_EQ(info.state_statistics.size(), 4u);
  EXPECT_EQ(info.forcing_statistics.at(0).name, "sun");
}

TEST(FieldStore, RefusesVariablesThatDoNotFit) {
  DatasetSettings settings = fake_settings();
  settings.variables[0].name = "tt";
  EXPECT_PART(refusal(ErrorKind::data, settings, three_days()), "nearest is 't'");
  settings.variables[0] = {.name = "t", .levels = {500}};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "they have none");
  auto source = three_days();
  source->add("wind", {500, 850});
  settings.variables[0] = {.name = "wind", .levels = {700}};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, std::move(source)),
              "700 hPa is none of the levels of the data: 500, 850");
  settings.variables = {{.name = "t"}, {.name = "t", .role = Role::forcing}};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "same name");
  settings.variables = {{.name = "t", .role = Role::forcing}};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "role 'state'");
  source = three_days();
  source->add("relief", {}, false);
  settings.variables = {{.name = "t"}, {.name = "relief"}};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, std::move(source)), "'static'");
}

TEST(FieldStore, RefusesRegionsBordersMembersAndForcingsThatDoNotFit) {
  DatasetSettings settings = fake_settings();
  settings.subgrid = {0, 6, 0, 7};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "5 x 7");
  settings.subgrid = {0, 5};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "2 numbers");
  settings.subgrid = {};
  settings.border = 3;
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "frame of 3");
  settings.border = -1;
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "frame of -1");
  settings.border = int64_t{1} << 62;  // twice that is negative
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "frame of 46116860");
  settings.border = 0;
  settings.members = {0, 0};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "0 stands there twice");
  settings.members = {1};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()),
              "dataset.members: 1 is none of the members 0");
  settings.members = {};
  settings.time_forcings = {"hours"};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "nearest is 'hour'");
  settings.time_forcings = {};
  settings.statics = {"geopotental"};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()), "'geopotential'");
}

TEST(FieldStore, TheSubGridIsCutFromFieldsAndCoordinates) {
  DatasetSettings settings = fake_settings();
  settings.subgrid = {1, 4, 2, 6};
  settings.standardize = false;
  auto source = three_days();
  source->value_ = coded;
  const FieldStore store(settings, std::move(source));
  EXPECT_EQ(store.info().rows, 3);
  EXPECT_EQ(store.info().columns, 4);
  EXPECT_EQ(store.grid().latitude.front(), 49.5);
  EXPECT_EQ(store.grid().longitude.back(), 11.25);
  const auto values = state_at(store, {2, 0, 0});
  EXPECT_EQ(values.front(), 2012);
  EXPECT_EQ(values.back(), 2035);
}

TEST(FieldStore, FieldsAreStandardisedChannelsLast) {
  auto source = three_days();
  source->add("wind", {500, 850});
  const auto value = source->value_;
  DatasetSettings settings = fake_settings();
  settings.variables.push_back({.name = "wind"});
  const FieldStore store(settings, std::move(source));
  const auto values = state_at(store, {30, 0, 0});
  const FeatureStatistics& s = store.info().state_statistics.at(2);
  const double expected =
      (static_cast<double>(value({.variable = "wind", .level = 1, .run = 30}, 3, 2)) - s.mean) /
      s.std;
  EXPECT_FLOAT_EQ(values[(3 * 7 + 2) * 3 + 2], static_cast<float>(expected));
  std::vector<float> physical(35);
  store.read_state(2, {30, 0, 0}, physical.data());
  EXPECT_EQ(physical[3 * 7 + 2], value({.variable = "wind", .level = 1, .run = 30}, 3, 2));
}

TEST(FieldStore, EveryFieldIsReadOnceIfAllFit) {
  for (const bool fits : {true, false}) {
    DatasetSettings settings = fake_settings();
    settings.cache_bytes = 72 * 35 * 4 - !fits;
    auto source = three_days();
    const auto reads = source->reads_;
    const FieldStore store(settings, std::move(source));
    const auto before = state_at(store, {3, 0, 0}), later = state_at(store, {40, 0, 0});
    EXPECT_EQ(*reads, fits ? 25 : 26);
    EXPECT_EQ(state_at(store, {3, 0, 0}), before);
    EXPECT_EQ(state_at(store, {40, 0, 0}), later);
    EXPECT_EQ(*reads, fits ? 25 : 28);
    const std::string all = "the fields of all periods take 1 MB";
    EXPECT_EQ(store.cache_note(), fits ? all + " and stay in memory"
                                       : all +
                                             ", more than dataset.cache_bytes (1 MB), so each "
                                             "batch reads those that it needs");
  }
}

TEST(FieldStore, TheCacheDoesNotChangeValues) {
  DatasetSettings settings = fake_settings();
  const FieldStore with(settings, three_days());
  settings.cache_bytes = 0;
  const FieldStore without(settings, three_days());
  for (int64_t run = 0; run < 72; ++run)
    EXPECT_EQ(state_at(with, {run, 0, 0}), state_at(without, {run, 0, 0}));
}

TEST(FieldStore, TheLedgerKnowsTheFieldsInMemory) {
  MemoryLedger ledger;
  {
    const FieldStore store(fake_settings(), three_days(), &ledger);
    EXPECT_EQ(ledger.live_bytes(Owner::batches), 72u * 35 * 4);
  }
  EXPECT_EQ(ledger.live_bytes(Owner::batches), 0u);
}

TEST(FieldStore, ConstantFieldsAndFieldsThatDoNotChangeAreRefused) {
  auto source = three_days();
  source->value_ = [](const FieldRequest&, int64_t, int64_t) { return 0.1f; };
  EXPECT_PART(refusal(ErrorKind::data, fake_settings(), std::move(source)),
              "variable 't' (feature 't') is 0.1 everywhere");
  source = three_days();
  source->value_ = [](const FieldRequest&, int64_t row, int64_t) {
    return static_cast<float>(row);
  };
  EXPECT_PART(refusal(ErrorKind::data, fake_settings(), std::move(source)),
              "changes by the same amount everywhere from each time to the next (0)");
  source = three_days();
  source->value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
    return request.run == 7 && row == 1 ? INFINITY : coded(request, row, column);
  };
  EXPECT_PART(refusal(ErrorKind::data, fake_settings(), std::move(source)),
              "variable 't' (feature 't') has a value that is infinite in the training period");
}

TEST(FieldStore, EmptyPeriodsAreRefusedWithTheTimesOfTheData) {
  DatasetSettings settings = fake_settings();
  settings.periods.train = {.start = "2021-01-01", .end = "2021-02-01"};
  EXPECT_PART(refusal(ErrorKind::data, settings, three_days()),
              "72 times from 2020-02-28T00:00:00 to 2020-03-01T23:00:00");
  settings.periods.train = {};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()),
              "dataset.periods.train is not given");
  settings.periods.train = {.start = "yesterday"};
  EXPECT_PART(refusal(ErrorKind::configuration, settings, three_days()),
              "dataset.periods.train.start: ");
}

TEST(FieldStore, PeriodsIncludeTheirWholeLastDay) {
  DatasetSettings settings = fake_settings();
  settings.periods.valid = {.start = "2020-02-28T22", .end = "2020-02-29T01:00"};
  settings.periods.test = {.start = "2020-03-01T06", .end = ""};
  const FieldStore store(settings, three_days());
  EXPECT_EQ(store.moments(Split::train).size(), 24u);
  const auto& valid = store.moments(Split::valid);
  EXPECT_EQ(valid, (std::vector<Moment>{{22}, {23}, {24}, {25}}));
  EXPECT_EQ(store.moments(Split::test).front(), (Moment{54}));
  EXPECT_EQ(store.moments(Split::test).size(), 18u);
}

TEST(FieldStore, PeriodsThatGoBeyondTheDataAreTold) {
  DatasetSettings settings = fake_settings();
  const auto told = [&](const char* start, const char* end) {
    settings.periods.test = {.start = start, .end = end};
    std::string all;
    const FieldStore store(settings, three_days());
    for (const std::string& note : store.notes()) all += note + "\n";
    return all.find("dataset.periods.test (" + std::string(start) + " to " + end +
                    ") goes beyond the data, which are from 2020-02-28T00:00:00 to "
                    "2020-03-01T23:00:00\n") != std::string::npos;
  };
  EXPECT_FALSE(told("2020-03-01", "2020-03-01"));
  EXPECT_FALSE(told("2020-03-01", "2020-03-01T23:59:59"));
  EXPECT_FALSE(told("2020-03-01", ""));
  EXPECT_TRUE(told("2020-03-01", "2020-03-02T00"));
  EXPECT_TRUE(told("2020-02-27T23", "2020-03-01"));
}

TEST(FieldStore, MissingValuesAreErrorsOrMasked) {
  const auto with_hole = [] {
    auto source = three_days();
    source->value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
      return request.run == 5 && row == 2 && column == 3 ? NAN : coded(request, row, column);
    };
    return source;
  };
  DatasetSettings settings = fake_settings();
  EXPECT_PART(refusal(ErrorKind::data, settings, with_hole()),
              "fake.nc: variable 't' (feature 't') has 1 missing values of 35 at "
              "2020-02-28T05:00:00");
  auto limited = with_hole();
  limited->variables_[0].limits = "valid_max = 300";
  EXPECT_PART(refusal(ErrorKind::data, settings, std::move(limited)),
              "missing values of 35 (those beyond its valid_max = 300 count as missing) at ");
  settings.missing = Missing::mask;
  const FieldStore store(settings, with_hole());
  std::vector<float> values(35), valid(35);
  store.decode(store.state({5, 0, 0}), values.data(), valid.data());
  for (size_t i = 0; i < 35; ++i) {
    EXPECT_EQ(valid[i], i == 17 ? 0 : 1);
    EXPECT_EQ(values[i] == 0, i == 17);
  }
  // The mean does not count it.
  double sum = 0;
  for (int64_t run = 0; run < 24; ++run)
    for (int64_t point = 0; point < 35; ++point)
      if (run != 5 || point != 17)
        sum += static_cast<double>(coded({.run = run}, point / 7, point % 7));
  EXPECT_NEAR(store.info().state_statistics[0].mean, sum / (24 * 35 - 1), 1e-9);
}

TEST(FieldStore, StepsAreWholeSecondsOfWeather) {
  const auto refusal = [](double step_hours, double sample_hours) {
    DatasetSettings settings = fake_settings();
    settings.step_hours = step_hours;
    settings.periods.train.step = sample_hours;
    return error_of([&] { FieldStore(settings, three_days()); }, ErrorKind::configuration);
  };
  EXPECT_EQ(refusal(1, 2), "");
  expect_contains(refusal(0, 0.0001), {"dataset.periods.train.step: 0.0001 hours"});
  expect_contains(refusal(1e-5, 0), {"dataset.step_hours: 1e-05 hours"});
  expect_contains(refusal(1e300, 0), {"dataset.step_hours: 1e+300 hours"});
  expect_contains(refusal(0, 1e18), {"dataset.periods.train.step: 1e+18 hours"});
}

class FieldStoreOnNetcdf : public NetcdfFolder {};

TEST_F(FieldStoreOnNetcdf, MessagesNameTheFile) {
  std::vector<double> values = count_from(0, 24);
  values[7] = 50;
  values[3 * 6 + 4] = NAN;
  TestFile(path("a.nc"))
      .grid()
      .time({0, 1, 2, 4})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {{"units", "K"}}, values);
  DatasetSettings settings = fake_settings();
  settings.name = "netcdf";
  settings.files = {path("*.nc")};
  settings.periods.train = {.start = "2000-01-01", .end = "2000-01-01"};
  expect_contains(error_of([&] { netcdf_dataset().open(settings, nullptr, {}); }),
                  {path("a.nc"), "'t'", "1 missing values of 6 at 2000-01-01T04:00:00"});
  settings.missing = Missing::mask;
  MemoryLedger ledger;
  auto store = netcdf_dataset().open(settings, &ledger, {});
  EXPECT_EQ(ledger.live(Resource::file), 1);
  EXPECT_EQ(store->info().step_seconds, 3600);
  EXPECT_EQ(store->statics().feature_names(), (Names{"x", "y", "border_mask"}));
  EXPECT_EQ(store->moments(Split::train).size(), 4u);
  store.reset();
  EXPECT_EQ(ledger.live(Resource::file), 0);
}

// Packed fields are kept as they are stored, and give what their values in f32 give.
TEST_F(FieldStoreOnNetcdf, PackedFieldsTakeHalfTheMemory) {
  const Packing packing{.type = NumberType::i16, .scale = 0.0123, .offset = 273.15};
  std::vector<double> packed, values;
  for (int i = 0; i < 24; ++i) {
    packed.push_back((i * i * 977) % 3001 - 1500);
    const auto stored = static_cast<int16_t>(packed.back());
    float value = 0;
    unpack(CpuLevel::baseline, packing, &stored, 1, &value);
    values.push_back(i == 8 ? NAN : value);
  }
  packed[8] = -32767;
  TestFile(path("packed.nc"), 0)
      .grid()
      .time({0, 1, 2, 3})
      .variable("t", NC_SHORT, {"time", "latitude", "longitude"}, {}, packed)
      .number("scale_factor", NC_DOUBLE, {packing.scale})
      .number("add_offset", NC_DOUBLE, {packing.offset});
  TestFile(path("plain.nc"))
      .grid()
      .time({0, 1, 2, 3})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, values);
  const auto open = [&](const char* name, MemoryLedger& ledger, bool mask) {
    DatasetSettings settings = fake_settings();
    settings.name = "netcdf";
    settings.files = {path(name)};
    settings.periods.train = {.start = "2000-01-01", .end = "2000-01-01"};
    settings.missing = mask ? Missing::mask : Missing::error;
    return netcdf_dataset().open(settings, &ledger, {});
  };
  MemoryLedger small, large;
  const auto by_half = open("packed.nc", small, true), whole = open("plain.nc", large, true);
  EXPECT_EQ(small.live_bytes(Owner::batches), 4u * 6 * 2);
  EXPECT_EQ(large.live_bytes(Owner::batches), 4u * 6 * 4);
  EXPECT_EQ(by_half->info().state_statistics, whole->info().state_statistics);
  for (int64_t run = 0; run < 4; ++run) {
    std::vector<float> a(6), b(6), a_valid(6), b_valid(6);
    by_half->decode(by_half->state({run}), a.data(), a_valid.data());
    whole->decode(whole->state({run}), b.data(), b_valid.data());
    EXPECT_EQ(a, b);
    EXPECT_EQ(a_valid, b_valid);
  }
  expect_contains(error_of([&] { open("packed.nc", small, false); }),
                  {path("packed.nc"), "'t'", "1 missing values of 6 at 2000-01-01T01:00:00"});
}

TEST(FieldStore, StaticsInOrderRescaled) {
  auto source = three_days();
  source->add("lsm", {}, false);
  source->add("topo", {}, false);
  source->add("soil", {}, false);
  source->value_ = [general = source->value_](const FieldRequest& r, int64_t row, int64_t column) {
    const auto f = static_cast<float>(row * 7 + column);
    if (r.variable == "lsm") return row < 2 ? 1.0f : 0.25f;
    return r.variable == "topo" ? 100 + 2 * f : r.variable == "soil" ? -f : general(r, row, column);
  };
  DatasetSettings settings = fake_settings();
  settings.variables.push_back({.name = "soil", .role = Role::constant, .short_name = "ground"});
  settings.border = 1;
  const FieldStore store(settings, std::move(source));
  const NamedTensor& statics = store.statics();
  EXPECT_EQ(statics.feature_names(),
            (Names{"x", "y", "geopotential", "border_mask", "land_sea_mask", "ground"}));
  EXPECT_EQ(statics.names(), (Names{"lat", "lon", "features"}));
  const auto v = statics.tensor().span<float>();
  const auto at = [&](size_t row, size_t column, size_t f) {
    return v[(row * 7 + column) * 6 + f];
  };
  EXPECT_FLOAT_EQ(at(3, 1, 0), 1.0f / 6);
  EXPECT_FLOAT_EQ(at(1, 5, 1), 0.75f);
  EXPECT_FLOAT_EQ(at(1, 5, 2), 12.0f / 34);
  EXPECT_EQ(at(0, 3, 3), 1);
  EXPECT_EQ(at(1, 1, 3), 0);
  EXPECT_EQ(at(4, 4, 4), 0.25f);
  EXPECT_FLOAT_EQ(at(0, 1, 5), 33.0f / 34);
  EXPECT_EQ(store.border_mask().shape(), (Shape{5, 7, 1}));
  EXPECT_EQ(at(2, 6, 3), 1);  // the frame of a point is the 20 outermost of 35
  EXPECT_EQ(at(2, 5, 3), 0);
  const auto border = store.border_mask().span<float>();
  EXPECT_EQ(std::count(border.begin(), border.end(), 1.0f), 20);
  for (size_t i = 0; i < 35; ++i)
    EXPECT_EQ(store.border_mask().span<float>()[i] + store.interior_mask().span<float>()[i], 1);
  EXPECT_TRUE(store.notes().empty());
}

TEST(FieldStore, StaticsThatTheDataLackAreLeftOut) {
  DatasetSettings settings = fake_settings();
  auto source = three_days(5, 1);
  const FieldStore store(settings, std::move(source));
  EXPECT_EQ(store.statics().feature_names(), (Names{"x", "y", "border_mask"}));
  EXPECT_EQ(store.statics().feature_range("x"), (std::pair{1.0, 1.0}));
  ASSERT_EQ(store.notes().size(), 3u);
  EXPECT_PART(store.notes()[0], "constant field x is the same everywhere: 10");
  EXPECT_PART(store.notes()[1], "no geopotential");
  EXPECT_PART(store.notes()[2], "no land_sea_mask");
}

TEST(FieldStore, TimeForcings) {
  DatasetSettings settings = fake_settings();
  settings.time_forcings = {"hour", "year", "toa_radiation"};
  auto source = three_days(1, 2);
  source->grid_.latitude = {43, 43};
  source->grid_.longitude = {-89, 91};
  const FieldStore store(settings, std::move(source));
  const auto at = [&](const DateTime& date) {
    std::vector<float> values(10);
    store.decode(store.forcing(to_time(Calendar::standard, date), {}), values.data());
    return values;
  };
  const auto new_year = at({2024, 1, 1, 0, 0, 0});
  const std::vector<float> expected = {0.5f, 1, 0.5f, 1};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(new_year[i], expected[i], 1e-6);
    EXPECT_EQ(new_year[5 + i], new_year[i]);
  }
  const auto july = at({2020, 7, 2, 6, 0, 0});  // 183.25 of 366 days
  EXPECT_NEAR(july[0], 1, 1e-6);
  EXPECT_NEAR(july[1], 0.5, 1e-6);
  EXPECT_NEAR(july[2], 0.5 + 0.5 * std::sin(2 * std::numbers::pi * 183.25 / 366), 1e-6);
  // Duffie and Beckman, example 1.6.1: the zenith angle at 9:30 solar time (15:26 UTC) on
  // 13 February is 66.5 degrees.
  const auto february = at({2023, 2, 13, 15, 26, 0});
  EXPECT_NEAR(1366 * february[4], 1366 * std::cos(66.5 * std::numbers::pi / 180), 2);
  EXPECT_EQ(february[9], 0) << "night on the other side";
}

TEST(FieldStore, PhysicalForcingsComeFirstAndAreStandardised) {
  auto source = three_days();
  source->add("sun");
  const auto value = source->value_;
  DatasetSettings settings = fake_settings();
  settings.variables.push_back({.name = "sun", .role = Role::forcing});
  settings.time_forcings = {"hour"};
  const FieldStore store(settings, std::move(source));
  std::vector<float> values(35 * 3);
  store.decode(store.forcing(FakeSource::first_time + 6 * 3600, Moment{6, 0, 0}), values.data());
  const FeatureStatistics& s = store.info().forcing_statistics.at(0);
  const double v = value({.variable = "sun", .run = 6}, 0, 1);
  EXPECT_FLOAT_EQ(values[3], static_cast<float>((v - s.mean) / s.std));
  EXPECT_FLOAT_EQ(values[4], 1);
  EXPECT_FLOAT_EQ(values[5], 0.5);
}

TEST(FieldStore, SummaryTellsEveryFeature) {
  DatasetSettings settings = fake_settings();
  settings.time_forcings = {"hour"};
  const FieldStore store(settings, three_days());
  const std::string text = store.info().summary();
  for (const char* part :
       {"5 x 7 points, latitude 48 ... 50, longitude 10 ... 11.5, step 1 h", "State (1)",
        "Forcing (2)", "Static (3)", "│ Name │ Unit │", "│ DiffStd │", "│ t    │ K    │",
        "│ cos_hour │    1 │", "border_mask", "Weight in Loss"})
    EXPECT_PART(text, part);
  // The change as the row says, in K.
  auto steady = three_days();
  steady->value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
    return static_cast<float>(100 * request.run + (row + column) % 2 * (request.run % 3));
  };
  const FieldStore warming(settings, std::move(steady));
  EXPECT_PART(warming.info().summary(), general_number(warming.info().difference_mean()[0] *
                                                       warming.info().state_statistics[0].std));
  EXPECT_NEAR(warming.info().difference_mean()[0] * warming.info().state_statistics[0].std, 100,
              0.1);
}

}  // namespace
}  // namespace py4cast
