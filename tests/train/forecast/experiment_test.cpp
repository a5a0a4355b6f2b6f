#include "train/forecast/experiment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>

#include "engine/error.h"
#include "engine/files.h"
#include "engine/runtime.h"
#include "tests/engine/error_of.h"
#include "tests/train/built_in.h"
#include "train/checkpoint.h"

namespace py4cast {
namespace {

DatasetInfo info_of(const std::string& units, const std::string& level_units) {
  DatasetInfo info;
  info.step_seconds = 3600;
  info.rows = info.columns = 8;
  Feature t2m{.name = "t2m", .variable = "t2m"}, t{.name = "t_850", .variable = "t"};
  t2m.units = units;
  t2m.file = "new.nc";
  t.units = std::string("K");
  t.level_units = level_units;
  t.file = "new.nc";
  info.state = {t2m, t};
  return info;
}

std::string sentence(const DatasetInfo& info) {
  const Steps steps;
  const Json record = feature_record(info_of("K", "hPa"), steps);
  try {
    check_same_features(record, info, steps, "runs/a");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::configuration);
    return error.what();
  }
  return "accepted";
}

TEST(TrainedFeatures, UnitsAreKept) {
  EXPECT_EQ(sentence(info_of("K", "hPa")), "accepted");
  EXPECT_EQ(sentence(info_of("kelvin", "mbar")), "accepted");
  EXPECT_EQ(sentence(info_of("degC", "hPa")),
            "new.nc: variable 't2m' is in 'degC', but the network of runs/a was trained with 'K'");
  EXPECT_EQ(
      sentence(info_of("K", "Pa")),
      "new.nc: the level axis of variable 't' is in 'Pa', but the network of runs/a was trained "
      "with 'hPa'");
  EXPECT_NE(sentence(info_of("", "hPa")), "accepted");
}

TEST(TrainedFeatures, NamesAndTheTimeOfOneCallAreKept) {
  DatasetInfo other = info_of("K", "hPa");
  std::swap(other.state[0], other.state[1]);
  EXPECT_EQ(
      sentence(other),
      "runs/a: the network was trained with 't2m' as state feature 1, but the data give 't_850'");
  other = info_of("K", "hPa");
  other.step_seconds = 900;
  EXPECT_NE(
      sentence(other).find("one call of the network advances by 1 h in training but by 15 min"),
      std::string::npos)
      << sentence(other);
}

TEST(TrainedFeatures, StandInTheOrderOfTheNetworksInput) {
  DatasetInfo info = info_of("K", "hPa");
  info.static_names = {"x", "border_mask"};
  info.forcing_names = {"sin_hour"};
  Steps steps;
  steps.input = 3;
  using Names = std::vector<std::string>;
  EXPECT_EQ(input_features(info, steps, true),
            (Names{"t2m 2 steps before", "t_850 2 steps before", "t2m 1 step before",
                   "t_850 1 step before", "t2m", "t_850", "x", "border_mask", "sin_hour",
                   "input_valid"}));
  steps.input = 1;
  EXPECT_EQ(input_features(info, steps, false),
            (Names{"t2m", "t_850", "x", "border_mask", "sin_hour"}));
}

// Whatever the data would give.
TEST(ExperimentOfARun, HasItsStatisticsAndItsBestWeights) {
  const std::string run = testing::TempDir() + "experiment_of_a_run";
  std::filesystem::remove_all(run);
  make_folders(run + "/checkpoints");
  const Configuration configuration =
      built_in().general.resolve({.flags = {{"--dataset", "dummy"},
                                            {"--dataset.subgrid", "0,16,0,16"},
                                            {"--dataset.border", "0"},
                                            {"--model", "halfunet"},
                                            {"--model.settings", R"({"num_filters": 4})"}}});
  Runtime runtime("cpu");
  Logger quiet(nullptr);
  const auto experiment = [&](const std::string& from) {
    return std::make_unique<Experiment>(built_in().general, built_in().forecast,
                                        TaskSource{.configuration = configuration,
                                                   .runtime = runtime,
                                                   .log = quiet,
                                                   .training = from.empty(),
                                                   .run = from});
  };
  const auto trained = experiment("");
  CheckpointState state;
  state.extra = trained->task.checkpoint_record();
  Optimizer* const learner = trained->optimizer.get();
  for (const auto& [name, value] : {std::pair("best", 0.25f), {"last", 0.5f}}) {
    std::ranges::fill(trained->network.slab().values().span<float>(), value);
    save_checkpoint(run + "/checkpoints/" + name, {&learner, 1}, state);
  }
  Statistics statistics = trained->store->info().state_statistics;
  const size_t states = statistics.size();
  statistics.insert(statistics.end(), trained->store->info().forcing_statistics.begin(),
                    trained->store->info().forcing_statistics.end());
  for (FeatureStatistics& each : statistics) {
    each.mean += 0.5;
    each.std *= 2;
    each.difference_mean += 0.125;
    each.difference_std *= 3;
  }
  write_file(run + "/statistics.json", to_json(statistics).dump());
  write_file(run + "/config.json", "{}");

  // What the numbers stand for is kept, too.
  EXPECT_EQ(state.extra.at("standardize"), "true");
  EXPECT_EQ(state.extra.at("strategy"), "diff_ar");
  for (const std::string key : {"rows_toward", "columns_toward", "standardize", "strategy"}) {
    CheckpointState other = state;
    other.extra[key] = "other";
    try {
      trained->task.check(other.extra, "runs/a");
      ADD_FAILURE() << key;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()),
                "runs/a: the network was trained with " + key +
                    " \"other\", but the data and the settings give " + state.extra.at(key).dump() +
                    (key.ends_with("_toward") ? "; reverse that axis of the data" : ""));
    }
  }

  CheckpointState others = state;
  EXPECT_EQ(trained->task.check(others.extra, "runs/a"), "");
  others.extra["domain"] = "other points";
  EXPECT_EQ(trained->task.check(others.extra, "runs/a"),
            "runs/a: the network was trained on other points; these data have " +
                state.extra.at("domain").get<std::string>());
  others.extra["samples"] = "other";
  EXPECT_EQ(error_of([&] { trained->task.check_same_data(others.extra, "runs/a"); }),
            "runs/a: the run to be resumed was made from samples with other starts; "
            "--load_model_ckpt starts a new run from its weights");

  const auto found = experiment(run);
  const DatasetInfo& info = found->store->info();
  EXPECT_TRUE(std::ranges::equal(info.state_statistics, std::span(statistics).first(states)));
  EXPECT_TRUE(std::ranges::equal(info.forcing_statistics, std::span(statistics).subspan(states)));
  for (const Parameter& parameter : found->network.slab().parameters())
    if (parameter.trainable()) {
      EXPECT_EQ(parameter.value().data<float>()[0], 0.25f) << parameter.name();
    }
  EXPECT_FALSE(found->optimizer);
}

}  // namespace
}  // namespace py4cast
