// Scores, references, the table, the schedule.
#include "train/forecast/scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/simulation/dummy.h"
#include "data/weather/calendar.h"
#include "data/weather/dataset.h"
#include "engine/files.h"
#include "tests/train/forecast/fake_source.h"
#include "train/forecast/baselines.h"
#include "train/forecast/score_table.h"
#include "train/schedule.h"

namespace py4cast {
namespace {

SampleErrors errors(int64_t sample, double squared, double count) {
  return {.sample = sample,
          .squared = {squared},
          .absolute = {2 * count},
          .count = {count},
          .bias = {-count},
          .loss = {static_cast<double>(sample)}};
}

TEST(Scores, TakeTheRootLastAndScaleByTheDeviation) {
  Scores scores(1, {"t2m"}, {3});
  scores.add(errors(1, 8, 2));
  scores.add(errors(0, 10, 4));
  const auto one = single_process();
  scores.gather(*one);
  const Metric rmse = root_mean_square_error().make({});
  EXPECT_DOUBLE_EQ(scores.value(rmse, 0, 0), 3 * std::sqrt(18.0 / 6));
  EXPECT_DOUBLE_EQ(scores.value(sample_root_mean_square_error().make({}), 0, 0),
                   3 * (std::sqrt(8.0 / 2) + std::sqrt(10.0 / 4)) / 2);
  EXPECT_DOUBLE_EQ(scores.value(mean_absolute_error().make({}), 0, 0), 6);
  EXPECT_DOUBLE_EQ(scores.value(mean_error().make({}), 0, 0), -3);
  EXPECT_DOUBLE_EQ(scores.loss(), 0.5);
  EXPECT_DOUBLE_EQ(scores.to_json({0.25}, {{"rmse", rmse}})["rmse"]["t2m"]["0.25"],
                   scores.value(rmse, 0, 0));
  EXPECT_EQ(scores.size(), 2u);
}

// Where nothing is compared, a loss of 0 would be the best there is.
TEST(Scores, OfNoValuesAreNoNumber) {
  Scores some(2, {"t2m"}, {1}), none(1, {"t2m"}, {1});
  some.add({.sample = 0,
            .squared = {8, 0},
            .absolute = {4, 0},
            .count = {2, 0},
            .bias = {0, 0},
            .loss = {3, 0}});
  EXPECT_EQ(some.loss(0), 3);
  EXPECT_TRUE(std::isnan(some.loss(1)));
  EXPECT_EQ(some.loss(), 3);
  some.add({.sample = 1,
            .squared = {0, 0},
            .absolute = {0, 0},
            .count = {0, 0},
            .bias = {0, 0},
            .loss = {0, 0}});
  EXPECT_EQ(some.value(sample_root_mean_square_error().make({}), 0, 0), 2);
  EXPECT_TRUE(std::isnan(some.value(sample_root_mean_square_error().make({}), 1, 0)));
  none.add(errors(0, 0, 0));
  EXPECT_TRUE(std::isnan(none.loss()));
}

TEST(ScoreTable, MarksTheBestOfEachLead) {
  const Json references = {{"persistence", {{"rmse", {{"t", {{"1", 2.0}, {"2", 3.0}}}}}}},
                           {"day_before", {{"rmse", {{"t", {{"1", 12.25}}}}}}}};
  std::vector<Forecast> forecasts = reference_forecasts(references);
  forecasts.insert(forecasts.begin(), {"net", {{"t", {{"1", 1.5}, {"2", 4.0}}}}});
  EXPECT_EQ(score_table(forecasts, {"t"}, {"K"}),
            "RMSE of t [K]                 +1 h       +2 h \n"
            "  net                         1.50*      4.00 \n"
            "  persistence                 2.00       3.00*\n"
            "  day_before                 12.25          - \n");
  forecasts = {{"net", {{"q", {{"1", 2.5e-4}}}}}, {"other", {{"q", {{"1", 3e-6}}}}}};
  EXPECT_EQ(score_table(forecasts, {"q"}, {"1"}),
            "RMSE of q [1]                 +1 h \n"
            "  net                    2.500e-04 \n"
            "  other                  3.000e-06*\n");
  forecasts = {{"net", {{"q", {{"0.1666666667", 2.0}}}}}};
  EXPECT_TRUE(
      score_table(forecasts, {"q"}, {"1"}).starts_with("RMSE of q [1]            +0.1667 h \n"));
  EXPECT_EQ(score_table({}, {"q"}, {"1"}), "");
}

TEST(Schedule, WarmsUpAndFallsToTheFloor) {
  const Schedule cosine{Schedule::Kind::cosine, 1e-3, 1e-5, 10, 110};
  EXPECT_DOUBLE_EQ(cosine.at(0), 0);
  EXPECT_DOUBLE_EQ(cosine.at(5), 5e-4);
  EXPECT_DOUBLE_EQ(cosine.at(10), 1e-3);
  EXPECT_NEAR(cosine.at(60), (1e-3 + 1e-5) / 2, 1e-15);
  EXPECT_NEAR(cosine.at(110), 1e-5, 1e-15);
  EXPECT_NEAR(cosine.at(500), 1e-5, 1e-15);
  EXPECT_DOUBLE_EQ((Schedule{.lr = 0.5}.at(1000000)), 0.5);
  Schedule none{.kind = Schedule::Kind::cosine, .lr = 0, .warmup_steps = 2, .total_steps = 10};
  for (int64_t step = 0; step < 12; ++step) EXPECT_EQ(none.at(step), 0) << step;
}

// All fields of the dummy data set's first feature, and the formulas of train/forecast/baselines.h
// written out.
class Reference {
 public:
  Reference() {
    store = dummy_dataset().open({.name = "dummy", .border = 5}, nullptr, {});
    samples = std::make_unique<Dataset>(store, Split::test, 2, 3);
    training = store->moments(Split::train);
  }
  std::vector<float> field(const Moment& moment) const {
    std::vector<float> values(static_cast<size_t>(store->info().rows * store->info().columns));
    store->read_state(0, moment, values.data());
    return values;
  }
  int64_t hour(const Moment& moment) const { return seconds_of_day(store->time(moment)) / 3600; }

  // RMSE over samples and interior points of forecast(sample's t0, point) for a lead.
  double rmse(int64_t lead, const std::function<double(const Moment&, size_t)>& forecast) const {
    double sum = 0, count = 0;
    for (int64_t i = 0; i < samples->size(); ++i) {
      const Moment start = samples->sample_moment(i);
      const std::vector<float> truth = field(*store->shifted(start, lead));
      for (size_t p = 0; p < truth.size(); ++p) {
        if (store->interior_mask().span<float>()[p] == 0) continue;
        sum += std::pow(forecast(start, p) - static_cast<double>(truth[p]), 2);
        ++count;
      }
    }
    return std::sqrt(sum / count);
  }

  std::shared_ptr<FieldStore> store;
  std::unique_ptr<Dataset> samples;
  std::vector<Moment> training;
};

TEST(Baselines, EqualTheirFormulas) {
  const Reference reference;
  const auto one = single_process();
  const BaselineScores all = baseline_scores(*reference.samples, {.regression_pairs = 1}, *one);
  const Json& scores = all.scores;
  EXPECT_TRUE(all.notes.empty());
  const std::string name = reference.store->info().state[0].name;
  const auto found = [&](const char* baseline, const char* lead) {
    return scores[baseline]["rmse"][name][lead].get<double>();
  };
  std::map<Moment, std::vector<float>> fields;
  const auto value = [&](const Moment& moment, size_t p) {
    auto [entry, fresh] = fields.try_emplace(moment);
    if (fresh) entry->second = reference.field(moment);
    return static_cast<double>(entry->second[p]);
  };
  EXPECT_NEAR(found("persistence", "1"), reference.rmse(1, value), 1e-9);
  EXPECT_NEAR(
      found("day_before", "2"),
      reference.rmse(2, [&](const Moment& t0,
                            size_t p) { return value(*reference.store->shifted(t0, 2 - 24), p); }),
      1e-9);
  const auto mean_at = [&](int64_t hour, size_t p) {
    double sum = 0, count = 0;
    for (const Moment& moment : reference.training)
      if (reference.hour(moment) == hour) {
        sum += value(moment, p);
        ++count;
      }
    return sum / count;
  };
  EXPECT_NEAR(found("diurnal_persistence", "3"),
              reference.rmse(3,
                             [&](const Moment& t0, size_t p) {
                               const int64_t hour = reference.hour(t0);
                               return value(t0, p) + mean_at((hour + 3) % 24, p) - mean_at(hour, p);
                             }),
              1e-9);
  // The training period is one day: one pair per fit, so the slope is 0 and the forecast that day's
  // value.
  EXPECT_NEAR(
      found("hourly_regression", "1"),
      reference.rmse(
          1, [&](const Moment& t0, size_t p) { return mean_at((reference.hour(t0) + 1) % 24, p); }),
      1e-9);
  BaselineSettings small;
  small.regression_limit = 1;
  const BaselineScores without = baseline_scores(*reference.samples, small, *one);
  EXPECT_FALSE(without.scores.contains("hourly_regression"));
  EXPECT_EQ(without.notes.size(), 1u);
  const BaselineScores few = baseline_scores(*reference.samples, {}, *one);
  EXPECT_FALSE(few.scores.contains("hourly_regression"));
  EXPECT_EQ(few.notes,
            std::vector<std::string>{
                "the reference hourly_regression is left out: the training period has only 1 of "
                "the 10 pairs of times that its line for an hour of the day needs"});
  // One lead after the other, with the fewest fields in memory.
  EXPECT_EQ(
      baseline_scores(*reference.samples, {.memory_bytes = 0, .regression_pairs = 1}, *one).scores,
      scores);
}

// Of one forecast over one step, with missing values masked.
Json scores_of_the_fourth_day(std::unique_ptr<FakeSource> source, int64_t pairs = 1) {
  DatasetSettings settings;
  settings.variables = {{.name = "t", .levels = {}}};
  settings.periods.train = {.start = "2019-03-01", .end = "2019-03-03"};
  settings.periods.test = {.start = "2019-03-04", .end = "2019-03-04"};
  settings.missing = Missing::mask;
  const Dataset samples(std::make_shared<FieldStore>(settings, std::move(source)), Split::test, 1,
                        1);
  EXPECT_EQ(samples.size(), 1);
  return baseline_scores(samples, {.regression_pairs = pairs}, *single_process()).scores;
}

// Every six hours: three days of training, and a forecast from the fourth day's midnight to 6 h. At point 0
// the training lies on w = 1 + 2 v, so 3 gives 7 and the error is 3; at point 1, without the day that lacks
// a value, on w = 5 - 2 v, so 1 gives 3 and the error is 4.
TEST(Baselines, RegressionIsALineForEachPointAndTimeOfDay) {
  constexpr float midnight[2][4] = {{1, 2, 4, 3}, {0, NAN, 2, 1}};
  constexpr float morning[2][4] = {{3, 5, 9, 10}, {5, 100, 1, 7}};
  auto source = std::make_unique<FakeSource>(1, 2, 2, every(6 * 3600, 14));
  source->add("t");
  source->values["t"] = [&](const FieldRequest& request, int64_t point) {
    const int64_t day = request.run / 4, slot = request.run % 4;
    return slot == 0   ? midnight[point][day]
           : slot == 1 ? morning[point][day]
                       : std::sin(static_cast<float>(request.run * (point + 1)));
  };
  auto again = std::make_unique<FakeSource>(*source);
  double mean = 0;  // at point 1, where two pairs are too few for a line if three are needed
  for (int64_t run = 0; run < 12; ++run)
    if (run != 4) mean += static_cast<double>(source->values["t"]({.run = run}, 1)) / 11;
  const Json few = scores_of_the_fourth_day(std::move(again), 3);
  EXPECT_NEAR(few["hourly_regression"]["rmse"]["t"]["6"].get<double>(),
              std::sqrt((9 + std::pow(mean - 7, 2)) / 2), 1e-6);
  const Json scores = scores_of_the_fourth_day(std::move(source));
  EXPECT_NEAR(scores["hourly_regression"]["rmse"]["t"]["6"].get<double>(), std::sqrt(12.5), 1e-12);
  EXPECT_NEAR(scores["persistence"]["rmse"]["t"]["6"].get<double>(), std::sqrt(42.5), 1e-12);
}

// Persistence from 5 to 8 is 3 off; at point 1 it has no value, and the training's mean there, 3, is 4 off from 7.
TEST(Baselines, AreScoredWhereTheNetworkIs) {
  auto source = std::make_unique<FakeSource>(1, 2, 2, every(6 * 3600, 14));
  source->add("t");
  source->values["t"] = [](const FieldRequest& request, int64_t point) {
    if (request.run >= 12)
      return point == 0 ? (request.run == 12 ? 5.f : 8.f) : (request.run == 12 ? NAN : 7.f);
    return static_cast<float>(2 + 2 * (request.run / 2 % 2));
  };
  const Json scores = scores_of_the_fourth_day(std::move(source));
  for (const char* reference : {"persistence", "diurnal_persistence"})
    EXPECT_NEAR(scores[reference]["rmse"]["t"]["6"].get<double>(), std::sqrt(12.5), 1e-12)
        << reference;
}

// Kept with all that they depend on: another start finds them, another border does not.
TEST(Baselines, AreComputedOnce) {
  const std::string folder = testing::TempDir() + "baselines";
  std::filesystem::remove_all(folder);
  const auto one = single_process();
  const auto found = [&](int64_t border) {
    const auto store = dummy_dataset().open({.name = "dummy", .border = border}, nullptr, {});
    return baseline_scores(Dataset(store, Split::test, 2, 2), {}, *one, folder).scores;
  };
  const Json computed = found(1);
  const auto files = [&] { return std::distance(std::filesystem::directory_iterator(folder), {}); };
  EXPECT_EQ(files(), 1);
  const std::string file = std::filesystem::directory_iterator(folder)->path();
  Json kept = Json::parse(read_file(file));
  EXPECT_EQ(found(1), computed);
  kept["scores"]["persistence"] = "from the file";
  write_file(file, kept.dump());
  EXPECT_EQ(found(1), computed);  // which is damaged
  kept.erase("checksum");
  kept = sealed(kept);
  write_file(file, kept.dump());
  EXPECT_EQ(found(1)["persistence"], "from the file");
  EXPECT_NE(found(2)["persistence"], "from the file");
  EXPECT_EQ(files(), 2);
  kept["made_from"] = "others";
  kept.erase("checksum");
  write_file(file, sealed(kept).dump());
  EXPECT_EQ(found(1), computed);
  write_file(file, "{");
  EXPECT_EQ(found(1), computed);
}

// Two variables under one name, and files that were written again with the same sampled content.
TEST(Baselines, AreThoseOfTheirVariableAndOfTheFilesAsTheyAre) {
  struct Source : FakeSource {
    using FakeSource::FakeSource;
    std::string fingerprint() const override { return written; }
    std::string content() const override { return "the same"; }
    std::string written = "on Monday";
  };
  const std::string folder = testing::TempDir() + "baselines_of_variables";
  std::filesystem::remove_all(folder);
  const auto found = [&](const std::string& variable, double level, const std::string& written,
                         float step) {
    auto source = std::make_unique<Source>(2, 3, 1, every(3600, 48));
    source->written = written;
    for (const char* name : {"a", "b"}) {
      source->add(name).levels = {500, 850};
      source->values[name] = [=](const FieldRequest& request, int64_t point) {
        const float sign = request.run % 3 == 0 ? 1.0f : -1.0f;
        return static_cast<float>(point) + sign * step * (name[0] == 'a' ? 1.0f : 2.0f) *
                                               static_cast<float>(1 + 4 * request.level);
      };
    }
    DatasetSettings settings;
    settings.variables = {{.name = variable, .levels = {level}, .short_name = "x"}};
    settings.periods.train = {.start = "2019-03-01", .end = "2019-03-01"};
    settings.periods.test = {.start = "2019-03-02T00", .end = "2019-03-02T01"};
    const Dataset samples(std::make_shared<FieldStore>(settings, std::move(source)), Split::test, 1,
                          1);
    const Json scores = baseline_scores(samples, {}, *single_process(), folder).scores;
    const Json persistence = scores["persistence"]["rmse"];
    return persistence.begin().value()["1"].get<double>();
  };
  // From +s to -s: the error is 2 s everywhere.
  EXPECT_NEAR(found("a", 500, "on Monday", 1), 2, 1e-5);
  EXPECT_NEAR(found("b", 500, "on Monday", 1), 4, 1e-5);
  EXPECT_NEAR(found("a", 850, "on Monday", 1), 10, 1e-5);
  EXPECT_NEAR(found("a", 500, "on Monday", 3), 2, 1e-5) << "kept";
  EXPECT_NEAR(found("a", 500, "on Tuesday", 3), 6, 1e-5);
}

}  // namespace
}  // namespace py4cast
