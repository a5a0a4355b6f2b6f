#include "data/weather/boundary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data/weather/dataset.h"
#include "data/weather/field_store.h"
#include "data/weather/stored_samples.h"
#include "data/weather/weather_batches.h"
#include "engine/error.h"
#include "tests/data/weather/fake_source.h"

namespace py4cast {
namespace {

constexpr double outer_latitudes[] = {52, 50, 48, 46}, outer_longitudes[] = {9, 11, 13};

// Two runs, 0 and 6 h after the data's first time, with leads of 0, 3 ... 12 h:
// t = 1000 run + 10 h(lead) + latitude + 2 longitude. All but the jump is linear.
std::unique_ptr<FakeSource> outer_model() {
  auto source = std::make_unique<FakeSource>(4, 3, 1);
  source->add("t");
  for (size_t i = 0; i < 12; ++i) {
    source->grid_.latitude[i] = outer_latitudes[i / 3];
    source->grid_.longitude[i] = outer_longitudes[i % 3];
  }
  source->times_.runs = {FakeSource::first_time, FakeSource::first_time + 6 * 3600};
  source->times_.leads = {0, 3 * 3600, 6 * 3600, 9 * 3600, 12 * 3600};
  source->fingerprint_ = "outer";
  source->value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
    return static_cast<float>(1000 * request.run + 30 * request.lead) +
           static_cast<float>(outer_latitudes[row] + 2 * outer_longitudes[column]);
  };
  return source;
}

// The data set's points: latitude 50 - row / 2, longitude 10 + column / 4.
double expected_value(double run, double hours, int64_t row, int64_t column) {
  return 1000 * run + 10 * hours + 50 - 0.5 * static_cast<double>(row) +
         2 * (10 + 0.25 * static_cast<double>(column));
}

struct BoundaryCase {
  DatasetSettings settings = fake_settings();
  std::shared_ptr<FakeSource> outer = outer_model();

  BoundaryCase() {
    settings.standardize = false;
    settings.boundary.files = {"outer.nc"};
    settings.periods.train = {.start = "2020-02-28", .end = "2020-02-28"};
    settings.periods.valid = settings.periods.test = {};
  }
  std::shared_ptr<FieldStore> open() {
    // A copy, which the store may own.
    settings.open_files = [this](const Texts&, const Texts& variables) {
      EXPECT_EQ(variables, Texts{"t"});
      return std::make_unique<FakeSource>(*outer);
    };
    return std::make_shared<FieldStore>(settings, three_days());
  }
};

// Of a forecast from the hour `start` at the hour `time`, [5 * 7] points of one feature.
std::vector<float> forcing_of(const FieldStore& store, int64_t start, int64_t time,
                              float* valid = nullptr) {
  std::vector<float> out(35);
  store.decode(store.forcing(FakeSource::first_time + time * 3600, {}, Moment{start, 0, 0}),
               out.data(), valid);
  return out;
}

void expect_values(const std::vector<float>& found, double run, double hours) {
  for (int64_t row = 0; row < 5; ++row)
    for (int64_t column = 0; column < 7; ++column)
      ASSERT_NEAR(found[static_cast<size_t>(row * 7 + column)],
                  expected_value(run, hours, row, column), 1e-3)
          << row << " " << column;
}

std::string said_by(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

TEST(Boundary, InterpolatesTheLatestRunThatIsKnownAtTheStart) {
  BoundaryCase c;
  const auto store = c.open();
  EXPECT_EQ(store->info().forcing_names, std::vector<std::string>{"boundary_t"});
  expect_values(forcing_of(*store, 0, 3), 0, 3);  // at a lead
  expect_values(forcing_of(*store, 5, 7), 0, 7);  // between two
  expect_values(forcing_of(*store, 6, 7), 1, 1);  // of the next run
  expect_values(forcing_of(*store, 6, 18), 1, 12);
  EXPECT_FALSE(store->boundary_exists({5, 0, 0}, 8));  // 13 h after the only run then known
  EXPECT_TRUE(store->boundary_exists({6, 0, 0}, 8));
  EXPECT_EQ(said_by([&] { forcing_of(*store, 5, 13); }),
            "fake.nc: the boundary data have no 't' at 2020-02-28T13:00:00 for a forecast from "
            "2020-02-28T05:00:00; they have 2 runs from 2020-02-28T00:00:00 to "
            "2020-02-28T06:00:00 with leads of 0 to 12 h, a step of 3 h");
  c.settings.boundary.delay_hours = 2;
  const auto later = c.open();
  expect_values(forcing_of(*later, 7, 8), 0, 8);
  expect_values(forcing_of(*later, 8, 9), 1, 3);
}

// Steps of leads that grow: 9 h lies in the middle of 6 h (60) and 12 h (90).
TEST(Boundary, InterpolatesBetweenNeighbouringLeads) {
  BoundaryCase c;
  c.outer->times_.leads = {0, 3 * 3600, 6 * 3600, 12 * 3600};
  expect_values(forcing_of(*c.open(), 0, 9), 0, 7.5);
  c.settings.boundary.step_hours = 3;
  EXPECT_FALSE(c.open()->boundary_exists({0, 0, 0}, 9));
}

TEST(Boundary, FallsBackToARunThatHasTheField) {
  BoundaryCase c;
  c.outer->gaps_ = {{1, 0, 0}, {1, 2, 0}};
  const auto store = c.open();
  expect_values(forcing_of(*store, 6, 7), 0, 7);  // no lead 0
  expect_values(forcing_of(*store, 6, 9), 1, 3);
  EXPECT_TRUE(store->boundary_exists({6, 0, 0}, 6));   // 12 h of run 0
  EXPECT_FALSE(store->boundary_exists({6, 0, 0}, 7));  // a gap of 6 h in run 1
  c.settings.boundary.step_hours = 6;
  expect_values(forcing_of(*c.open(), 6, 13), 1, 7);
}

TEST(Boundary, OfAnalysesIsTheFieldOfTheTime) {
  BoundaryCase c;
  c.outer->times_.leads = {0};
  c.outer->times_.runs.clear();
  for (int64_t i = 0; i < 5; ++i)
    c.outer->times_.runs.push_back(FakeSource::first_time + i * 6 * 3600);
  c.outer->value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
    return static_cast<float>(60 * request.run) +
           static_cast<float>(outer_latitudes[row] + 2 * outer_longitudes[column]);
  };
  const auto store = c.open();
  expect_values(forcing_of(*store, 0, 7), 0, 7);
  expect_values(forcing_of(*store, 20, 24), 0, 24);
  EXPECT_FALSE(store->boundary_exists({20, 0, 0}, 5));
}

// Of the 24 times of the training only those up to 18 h have a field: of run 0 before 6 h, then of run 1.
TEST(Boundary, IsStandardisedByItsOwnStatistics) {
  BoundaryCase c;
  c.settings.standardize = true;
  const auto store = c.open();
  double sum = 0, squares = 0, count = 0;
  for (int64_t hour = 0; hour <= 18; ++hour)
    for (int64_t row = 0; row < 5; ++row)
      for (int64_t column = 0; column < 7; ++column, ++count) {
        const double value = hour < 6
                                 ? expected_value(0, static_cast<double>(hour), row, column)
                                 : expected_value(1, static_cast<double>(hour - 6), row, column);
        sum += value;
        squares += value * value;
      }
  const double mean = sum / count, std = std::sqrt(squares / count - mean * mean);
  const FeatureStatistics& s = store->info().forcing_statistics.at(0);
  EXPECT_EQ(s.name, "boundary_t");
  EXPECT_NEAR(s.mean, mean, 1e-4);
  EXPECT_NEAR(s.std, std, 1e-4);
  EXPECT_NEAR(forcing_of(*store, 6, 8)[10], (expected_value(1, 2, 1, 3) - mean) / std, 1e-5);
  EXPECT_NE(store->info().summary().find("boundary_t"), std::string::npos);
}

TEST(Boundary, OfTheBorderIsZeroInside) {
  BoundaryCase c;
  c.settings.standardize = true;
  c.settings.boundary.region = BoundaryRegion::border;
  EXPECT_NE(said_by([&] { c.open(); }).find("dataset.border is 0"), std::string::npos);
  c.settings.border = 1;
  // A model whose values inside are missing: they are not looked at.
  const auto value = c.outer->value_;
  const auto store = c.open();
  const std::vector<float> found = forcing_of(*store, 6, 8);
  const FeatureStatistics& s = store->info().forcing_statistics.at(0);
  for (int64_t row = 0; row < 5; ++row)
    for (int64_t column = 0; column < 7; ++column) {
      const bool border = row % 4 == 0 || column % 6 == 0;
      const double expected = border ? (expected_value(1, 2, row, column) - s.mean) / s.std : 0;
      EXPECT_NEAR(found[static_cast<size_t>(row * 7 + column)], expected, border ? 1e-5 : 0);
    }
  EXPECT_TRUE(s.never.empty());
  // Statistics are of these points, so those of another border are not taken from a cache.
  const auto made_from = [&](int64_t border) {
    c.settings.border = border;
    const auto other = c.open();
    return other->made_from(other->moments(Split::train));
  };
  EXPECT_NE(made_from(1), made_from(2));
}

TEST(Boundary, DecidesWhichSamplesThereAre) {
  BoundaryCase c;
  const auto store = c.open();
  // t0 = 1 ... 22 h would have two more steps; run 0 reaches 12 h and run 1 (from 6 h on) 18 h.
  const Dataset data(store, Split::train, 1, 2);
  EXPECT_EQ(data.size(), 17);  // t0 = 0 ... 16 h
  EXPECT_EQ(
      said_by([&] { Dataset(store, Split::train, 1, 20); }),
      "dataset.periods.train has 24 fields but no sample: 1 input and 20 prediction steps "
      "need 21 times that are 1 h apart, all inside the period, and boundary data, which have "
      "2 runs from 2020-02-28T00:00:00 to 2020-02-28T06:00:00 with leads of 0 to 12 h, a step "
      "of 3 h; --num_pred_steps_train and --num_pred_steps_val_test say how many are predicted");
  c.settings.gaps = Gaps::error;
  EXPECT_NE(said_by([&] {
              Dataset(c.open(), Split::train, 1, 2);
            }).find("the boundary data do not cover the forecast from 2020-02-28T17:00:00"),
            std::string::npos);
}

TEST(Boundary, GoesOnWhereTheDataEnd) {
  BoundaryCase c;
  // Runs at 66 and 72 h; the data end at 71 h.
  for (Time& run : c.outer->times_.runs) run += 66 * 3600;
  c.settings.periods.train = {.start = "2020-03-01T18:00", .end = "2020-03-01"};
  const auto store = c.open();
  const Dataset data = Dataset::forecast(store, FakeSource::first_time + 71 * 3600, 0, 1, 4);
  std::vector<float> inputs(35), outputs(140), forcing(140);
  data.load(0, {.inputs = inputs.data(), .outputs = outputs.data(), .forcing = forcing.data()});
  for (int64_t step = 0; step < 4; ++step)
    for (int64_t row = 0; row < 5; ++row)
      for (int64_t column = 0; column < 7; ++column) {
        const auto i = static_cast<size_t>(step * 35 + row * 7 + column);
        // 6, 7, 8, 9 h after the run; the border's truth, too, since t is a state.
        const double expected = expected_value(0, static_cast<double>(6 + step), row, column);
        EXPECT_NEAR(forcing[i], expected, 1e-3);
        EXPECT_NEAR(outputs[i], expected, 1e-3);
      }
  EXPECT_EQ(Dataset::last_start(store, 0, 1, 7), FakeSource::first_time + 71 * 3600);
  EXPECT_NE(
      said_by([&] { Dataset::forecast(store, FakeSource::first_time + 71 * 3600, 0, 1, 8); })
          .find("needs the boundary data at 2020-03-02T07:00:00, which the data lack; those have "
                "2 runs"),
      std::string::npos);
}

// As a state it is standardised as the state is, as a forcing by its own statistics.
TEST(Boundary, BeyondTheDataIsStandardisedAsTheState) {
  BoundaryCase c;
  c.settings.standardize = true;
  for (Time& run : c.outer->times_.runs) run += 66 * 3600;
  c.settings.periods.train = {.start = "2020-03-01T18:00", .end = "2020-03-01"};
  const auto store = c.open();
  const Dataset data = Dataset::forecast(store, FakeSource::first_time + 71 * 3600, 0, 1, 1);
  std::vector<float> inputs(35), outputs(35), forcing(35);
  data.load(0, {.inputs = inputs.data(), .outputs = outputs.data(), .forcing = forcing.data()});
  const FeatureStatistics &state = store->info().state_statistics.at(0),
                          &own = store->info().forcing_statistics.at(0);
  EXPECT_GT(std::abs(state.mean - own.mean), 1);
  const double value = expected_value(0, 6, 1, 3);
  EXPECT_NEAR(outputs[10], (value - state.mean) / state.std, 1e-3);
  EXPECT_NEAR(forcing[10], (value - own.mean) / own.std, 1e-3);
}

TEST(Boundary, StandsBeforeTheRadiation) {
  BoundaryCase c;
  c.settings.time_forcings = {"toa_radiation"};
  const auto store = c.open();
  EXPECT_EQ(store->info().forcing_names, (std::vector<std::string>{"boundary_t", "toa_radiation"}));
  std::vector<float> both(70), boundary(35);
  store->decode(store->forcing(FakeSource::first_time + 9 * 3600, {}, Moment{6, 0, 0}),
                both.data());
  for (size_t i = 0; i < 35; ++i) {
    boundary[i] = both[2 * i];
    EXPECT_TRUE(both[2 * i + 1] > 0.2 && both[2 * i + 1] < 0.6) << both[2 * i + 1];
  }
  expect_values(boundary, 1, 3);
}

TEST(Boundary, HasTheUnitsOfTheStateOrIsNoBorder) {
  struct Case {
    const char* units;
    double factor, offset;
  };
  for (const auto& [units, factor, offset] :
       {Case{"degC", 1, 273.15}, Case{"degF", 5.0 / 9, 459.67 * 5 / 9}, Case{"m", 1, 0}}) {
    BoundaryCase c;
    for (Time& run : c.outer->times_.runs) run += 66 * 3600;
    c.settings.periods.train = {.start = "2020-03-01T18:00", .end = "2020-03-01"};
    c.outer->variables_[0].units = units;
    const auto store = c.open();
    const Dataset data = Dataset::forecast(store, FakeSource::first_time + 71 * 3600, 0, 1, 1);
    std::vector<float> inputs(35), outputs(35), forcing(35);
    data.load(0, {.inputs = inputs.data(), .outputs = outputs.data(), .forcing = forcing.data()});
    const double expected = factor * expected_value(0, 6, 1, 3) + offset;
    EXPECT_NEAR(forcing[10], expected, 1e-3);
    const bool convertible = std::string(units) != "m";
    EXPECT_EQ(store->info().boundary.at(0).units, convertible ? "K" : "m");
    if (convertible)
      EXPECT_NEAR(outputs[10], expected, 1e-3);
    else
      EXPECT_TRUE(std::isnan(outputs[10]));
    const std::string note =
        std::string("'t' of the boundary data is in '") + units + "', of the data set in 'K': " +
        (convertible ? "it is converted"
                     : "beyond its end no border is taken from the boundary data");
    EXPECT_EQ(std::ranges::count(store->notes(), note), 1);
  }
}

TEST(Boundary, MissingValuesStopOrAreMasked) {
  BoundaryCase c;
  c.settings.standardize = false;
  const auto value = c.outer->value_;
  c.outer->value_ = [value](const FieldRequest& request, int64_t row, int64_t column) {
    return request.lead == 4 && row == 1 && column == 0 ? NAN : value(request, row, column);
  };
  // Of the four outer points around, 50 N 9 E has a share where the latitude is 50 to 48 and the longitude
  // below 11: rows 0 to 3 (the last row lies on 48 N), columns 0 to 3 (10 to 10.75).
  EXPECT_EQ(said_by([&] { forcing_of(*c.open(), 0, 11); }),
            "fake.nc: variable 't' of the boundary data has no value at 16 points of the data set "
            "at 2020-02-28T11:00:00; dataset.missing = \"mask\" would leave them out");
  c.settings.missing = Missing::mask;
  std::vector<float> valid(35);
  const std::vector<float> found = forcing_of(*c.open(), 0, 11, valid.data());
  EXPECT_EQ(found[0], 0);
  EXPECT_EQ(std::count(valid.begin(), valid.end(), 0.f), 16);
  EXPECT_EQ(valid[4], 1);
  EXPECT_EQ(valid[28], 1);
}

TEST(Boundary, MembersHaveTheirOwn) {
  BoundaryCase c;
  c.outer->times_.members = 2;
  const auto value = c.outer->value_;
  c.outer->value_ = [value](const FieldRequest& request, int64_t row, int64_t column) {
    return value(request, row, column) + 7 * static_cast<float>(request.member);
  };
  const auto store = c.open();
  std::vector<float> second(35);
  store->decode(store->forcing(FakeSource::first_time + 7 * 3600, {}, Moment{6, 0, 1}),
                second.data());
  const std::vector<float> first = forcing_of(*store, 6, 7);
  for (size_t i = 0; i < 35; ++i) EXPECT_FLOAT_EQ(second[i], first[i] + 7);
}

// As a GPU gets them, here with and without room for the fields in memory.
TEST(Boundary, IsGatheredAsItIsLoaded) {
  for (const int64_t cache_bytes : {0, 1 << 20}) {
    BoundaryCase c;
    c.settings.standardize = true;
    c.settings.cache_bytes = cache_bytes;
    c.settings.time_forcings = {"hour", "toa_radiation"};
    const auto data = std::make_shared<const Dataset>(c.open(), Split::train, 2, 3);
    const LoaderSettings settings{.batch_size = 4, .num_workers = 2};
    const Context context;
    WeatherBatches loaded(data, settings, context);
    DeviceBatches gathered(std::make_shared<StoredSamples>(data), settings, context,
                           StoredDecoder(*data, settings.batch_size, context));
    loaded.start(0);
    gathered.start(0);
    int64_t samples = 0;
    while (const WeatherBatch* expected = loaded.next()) {
      const Batch* found = gathered.next();
      ASSERT_TRUE(found);
      const auto a = expected->forcing.span<float>(),
                 b = found->tensors.at("forcing").span<float>();
      ASSERT_EQ(a.size(), b.size());
      EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin()));
      samples += expected->count;
    }
    EXPECT_EQ(samples, 15);
  }
}

TEST(Boundary, RefusesWhatDoesNotFit) {
  BoundaryCase c;
  c.outer->times_.calendar = Calendar::noleap;
  EXPECT_NE(said_by([&] { c.open(); }).find("the boundary data have the calendar noleap"),
            std::string::npos);
  c = BoundaryCase();
  c.settings.boundary.variables = {{.name = "t", .levels = {500}, .short_name = {}}};
  EXPECT_NE(said_by([&] { c.open(); }).find("dataset.boundary.variables.t.levels: 500"),
            std::string::npos);
  c = BoundaryCase();
  c.outer->times_.members = 2;
  c.settings.members = {0};
  EXPECT_NO_THROW(c.open());
}

}  // namespace
}  // namespace py4cast
