// Statistics of a FieldStore.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "data/weather/field_store.h"
#include "engine/files.h"
#include "tests/data/netcdf/test_files.h"
#include "tests/data/weather/fake_source.h"

namespace py4cast {
namespace {

TEST(FieldStoreStatistics, AreThoseOfTheTrainingPeriodInDoublePrecision) {
  auto source = three_days();
  source->value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
    // A large mean and a small deviation: the sum of squares in float would lose everything.
    // It grows, so that its changes have a mean.
    const int64_t quarters = (request.run * request.run + row * 3 + column) % 7 + request.run / 4;
    return 101325.0f + 0.25f * static_cast<float>(quarters);
  };
  const auto value = source->value_;
  const FieldStore store(fake_settings(), std::move(source));
  double sum = 0, squares = 0, change = 0, change_squares = 0;
  const auto at = [&](int64_t run, int64_t row, int64_t column) {
    return static_cast<double>(value({.run = run}, row, column)) - 101325;
  };
  for (int64_t run = 0; run < 24; ++run)
    for (int64_t row = 0; row < 5; ++row)
      for (int64_t column = 0; column < 7; ++column) {
        const double v = at(run, row, column);
        sum += v;
        squares += v * v;
        if (run == 23) continue;
        const double d = at(run + 1, row, column) - v;
        change += d;
        change_squares += d * d;
      }
  const double mean = sum / (24 * 35), std = std::sqrt(squares / (24 * 35) - mean * mean);
  const double change_mean = change / (23 * 35);
  const FeatureStatistics& s = store.info().state_statistics.at(0);
  EXPECT_NEAR(s.mean, 101325 + mean, 1e-9);
  EXPECT_NEAR(s.std, std, 1e-12);
  EXPECT_EQ(s.minimum, 101325);
  EXPECT_EQ(s.maximum, 101327.75);
  EXPECT_GT(s.difference_mean, 0.05);
  EXPECT_NEAR(s.difference_mean, change_mean / std, 1e-12);
  EXPECT_NEAR(s.difference_std,
              std::sqrt(change_squares / (23 * 35) - change_mean * change_mean) / std, 1e-11);
}

TEST(FieldStoreStatistics, DoNotDependOnTheThreads) {
  const auto statistics = [](int threads) {
    auto source = three_days();
    source->add("wind", {500, 600, 700, 850});
    DatasetSettings settings = fake_settings();
    settings.variables.push_back({.name = "wind"});
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    const FieldStore store(settings, std::move(source));
    omp_set_num_threads(before);
    return store.info().state_statistics;
  };
  EXPECT_EQ(statistics(1), statistics(3));
}

TEST(FieldStoreStatistics, GivenOnesAreTaken) {
  const Statistics given = {{.name = "other"}, {.name = "t", .mean = 280, .std = 2, .maximum = 1}};
  DatasetSettings settings = fake_settings();
  settings.periods.train = {};
  auto source = three_days();
  const float first = source->value_({.variable = "t"}, 0, 0);
  const FieldStore store(settings, std::move(source), nullptr, given);
  EXPECT_EQ(store.info().scales(), (std::vector<double>{2}));
  std::vector<float> values(35);
  store.decode(store.state({}), values.data());
  EXPECT_FLOAT_EQ(values[0], (first - 280) / 2);
  EXPECT_THROW(FieldStore(settings, three_days(), nullptr, Statistics{{.name = "u"}}), Error);
}

// Kelvin in training, degrees Celsius now.
TEST(FieldStoreStatistics, GivenOnesOfOtherDataAreAWarning) {
  Statistics given = FieldStore(fake_settings(), three_days()).info().state_statistics;
  EXPECT_TRUE(FieldStore(fake_settings(), three_days(), nullptr, given).warnings().empty());
  given[0].mean -= 273.15;
  const FieldStore store(fake_settings(), three_days(), nullptr, given);
  ASSERT_EQ(store.warnings().size(), 1u);
  expect_contains(store.warnings()[0], {"fake.nc: variable 't' at 2020-02-29T12:00:00 has the mean",
                                        "are these the same quantity and unit?"});
}

TEST(FieldStoreStatistics, KnowThePointsThatNeverHaveAValue) {
  auto source = three_days(2, 4);
  source->value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
    const bool land = row == 0 && column < 3, late = row == 1 && column == 1 && request.run < 20;
    return land || late ? NAN : static_cast<float>(std::sin(request.run * (row * 4 + column + 1)));
  };
  DatasetSettings settings = fake_settings();
  settings.missing = Missing::mask;
  const FieldStore store(settings, std::move(source));
  const FeatureStatistics& s = store.info().state_statistics[0];
  EXPECT_EQ(s.never, (std::vector<int64_t>{0, 3, 5}));
  EXPECT_EQ(points_without_value(s, 8),
            (std::vector<bool>{true, true, true, false, false, false, false, false}));
  EXPECT_TRUE(points_without_value(s, 9).empty()) << "another grid";
  FeatureStatistics wrong = s;
  wrong.never = {1, std::numeric_limits<int64_t>::max()};
  EXPECT_TRUE(points_without_value(wrong, 8).empty());
  EXPECT_EQ(statistics_from_json(to_json({s}), "file"), Statistics{s});
  wrong.mean = NAN;  // null in JSON
  try {
    statistics_from_json(Json::parse(to_json({wrong}).dump()), "here/statistics.json");
    ADD_FAILURE() << "null is taken for a mean";
  } catch (const Error& error) {
    expect_contains(error.what(), {"here/statistics.json: these are no statistics: "});
  }
  EXPECT_TRUE(FieldStore(fake_settings(), three_days()).info().state_statistics[0].never.empty());
}

// Points 0 and 3 have values after the training only; there they would be scored, though the network has
// learnt nothing of them.
TEST(FieldStoreStatistics, APointWithoutAValueInTheTrainingStaysMissing) {
  const auto source = [] {
    auto result = three_days(2, 4);
    result->value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
      return request.run < 24 && row == 0 && column % 3 == 0
                 ? NAN
                 : static_cast<float>(std::sin(request.run * (row * 4 + column + 1)));
    };
    return result;
  };
  DatasetSettings settings = fake_settings();
  settings.missing = Missing::mask;
  for (const int64_t cache : {int64_t{0}, settings.cache_bytes}) {
    settings.cache_bytes = cache;
    const FieldStore store(settings, source());
    for (const int64_t run : {5, 60}) {
      std::vector<float> values(8), valid(8);
      store.decode(store.state({run, 0, 0}), values.data(), valid.data());
      EXPECT_EQ(valid, (std::vector<float>{0, 1, 1, 0, 1, 1, 1, 1})) << run;
      EXPECT_EQ(values[3], 0);
      store.read_state(0, {run, 0, 0}, values.data());
      EXPECT_TRUE(std::isnan(values[0]) && std::isnan(values[3]) && !std::isnan(values[1]));
    }
  }
}

class StatisticsFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    settings_.cache_folder = (folder_ / "cache").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Fields read to make a store.
  int64_t reads(const DatasetSettings& settings, const std::string& fingerprint = "fake") {
    auto source = three_days();
    source->fingerprint_ = fingerprint;
    const auto count = source->reads_;
    const FieldStore store(settings, std::move(source));
    statistics_ = store.info().state_statistics;
    notes_ = store.notes();
    return *count;
  }
  std::filesystem::path file() const {
    return std::filesystem::directory_iterator(settings_.cache_folder)->path();
  }
  int64_t files() const {
    return std::distance(std::filesystem::directory_iterator(settings_.cache_folder), {});
  }

  std::filesystem::path folder_;
  DatasetSettings settings_ = fake_settings();
  Statistics statistics_;
  std::vector<std::string> notes_;
};

TEST_F(StatisticsFolder, KeepsThemUntilWhatTheyAreMadeFromChanges) {
  settings_.statics = {};
  EXPECT_EQ(reads(settings_), 24);
  const Statistics first = statistics_;
  EXPECT_EQ(reads(settings_), 0);
  EXPECT_EQ(statistics_, first) << "all digits survive the file";
  EXPECT_EQ(files(), 1);
  EXPECT_EQ(reads(settings_, "changed"), 24);
  DatasetSettings other = settings_;
  other.subgrid = {0, 4, 0, 7};
  EXPECT_EQ(reads(other), 24);
  other = settings_;
  other.periods.train.end = "2020-02-28T10";
  EXPECT_EQ(reads(other), 11);
  EXPECT_EQ(files(), 4);
  other.periods.valid.end = "2020-02-29T10";
  EXPECT_EQ(reads(other), 0) << "another period does not matter";
}

TEST_F(StatisticsFolder, DamagedFilesAreMadeAgain) {
  settings_.statics = {};
  reads(settings_);
  const Statistics first = statistics_;
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) / 2);
  EXPECT_EQ(reads(settings_), 24);
  EXPECT_EQ(statistics_, first);
  ASSERT_EQ(notes_.size(), 1u);
  expect_contains(notes_[0], {"is damaged"});
  EXPECT_EQ(reads(settings_), 0);
  EXPECT_TRUE(notes_.empty());
  std::string text = read_file(file());
  text.replace(text.find("\"mean\": ") + 8, 1, "7");
  write_file(file(), text);
  EXPECT_EQ(reads(settings_), 24);
  EXPECT_EQ(statistics_, first);
}

TEST_F(StatisticsFolder, AFolderThatCannotBeWrittenIsANote) {
  settings_.statics = {};
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ / "cache") << "a file where the folder should be";
  EXPECT_EQ(reads(settings_), 24);
  ASSERT_EQ(notes_.size(), 1u);
  expect_contains(notes_[0], {"cache: the folder cannot be made",
                              "; statistics will be computed again next time"});
}

}  // namespace
}  // namespace py4cast
