// Losses and scores of a forecast, beside the formulas of the original in double precision: a network whose output is known
// leaves nothing but what stands around it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "data/simulation/dummy.h"
#include "engine/runtime.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "tests/train/built_in.h"
#include "train/trainer.h"

namespace py4cast {
namespace {

constexpr int64_t points_along = 16, border = 2;
constexpr double output = 0.25;

struct FixedOutputSettings : Settings {
  PY4CAST_SETTING(double, value, output, "The output at every point.");
};

struct FixedOutput : Model {
  const Parameter* value;
  int64_t features;
  TensorMap forward(Context& context, const TensorMap& inputs) const override {
    const Shape shape = inputs.at("x").shape().with(-1, features);
    return {{"y", broadcast(context, reshape(context, use(context, *value), {1, 1, 1, 1}), shape)}};
  }
};

// Each feature has statistics of its own.
Statistics statistics() {
  Statistics result;
  for (int f = 0; f < 5; ++f)
    result.push_back(
        {.name = f < 3 ? "input_output_0" + std::to_string(f) : "forcing_0" + std::to_string(f - 3),
         .mean = 0.1 * f,
         .std = 1 + 0.5 * f,
         .minimum = -3,
         .maximum = 3,
         .difference_mean = 0.05 * (f + 1),
         .difference_std = 0.4 + 0.3 * f});
  return result;
}

struct Parts : TestRegistries {
  Parts() {
    general.models.add({.name = "constant",
                        .settings = &table_of<FixedOutputSettings>(),
                        .make = [](const Builder& builder, const Ports& ports, const Json&) {
                          auto model = std::make_unique<FixedOutput>();
                          model->value = &builder.parameter("value", {1}, {}, {output, 0});
                          model->features = ports.outputs.at("y").back();
                          return model;
                        }});
    forecast.datasets.add({.name = "small",
                           .own_periods = true,
                           .open = [](const DatasetSettings& given, MemoryLedger* ledger,
                                      const std::optional<Statistics>&) {
                             DatasetSettings settings = given;
                             settings.subgrid = {0, points_along, 0, points_along};
                             settings.border = border;
                             return dummy_dataset().open(settings, ledger, statistics());
                           }});
  }
};

struct Made {
  explicit Made(const std::string& loss = "mse", int64_t batch_size = 1, bool standardize = true)
      : configuration(
            parts.general.resolve({.flags = {{"--dataset", "small"},
                                             {"--model", "constant"},
                                             {"--strategy", "scaled_ar"},
                                             {"--loss", loss},
                                             {"--batch_size", std::to_string(batch_size)},
                                             {"--num_pred_steps_train", "2"},
                                             {"--num_pred_steps_val_test", "3"},
                                             {"--num_workers", "0"},
                                             {"--standardize", standardize ? "true" : "false"},
                                             {"--accumulate_batches", "1"},
                                             {"--optimizer", "sgd"},
                                             {"--training.optimizer.lr", "1e-12"}}})),
        experiment(parts.general, parts.forecast,
                   TaskSource{.configuration = configuration, .runtime = runtime, .log = quiet}) {}

  Parts parts;
  Runtime runtime{"cpu"};
  Logger quiet{nullptr};
  Configuration configuration;
  Experiment experiment;
};

// The errors of a sample's forecasts, in the network's units.
struct Expected {
  std::vector<double> loss;                  // by lead
  std::vector<std::vector<double>> squared;  // sums by lead and feature
  double points = 0;                         // of the interior
};

Expected expected_of(const FieldStore& store, const Dataset& data, int64_t index, int power) {
  const DatasetInfo& info = store.info();
  const int64_t features = info.weather_dim(), leads = data.num_pred_steps();
  const Item item = data.item(index);
  const auto inputs = item.inputs.tensor().span<float>(),
             truths = item.outputs.tensor().span<float>();
  const int64_t last = (item.inputs.tensor().size(0) - 1) * points_along * points_along * features;
  const std::vector<double> weights = info.weights();
  Expected result{
      std::vector<double>(static_cast<size_t>(leads)),
      std::vector<std::vector<double>>(static_cast<size_t>(leads),
                                       std::vector<double>(static_cast<size_t>(features))),
      (points_along - 2 * border) * (points_along - 2 * border)};
  for (int64_t row = border; row < points_along - border; ++row)
    for (int64_t column = border; column < points_along - border; ++column)
      for (int64_t f = 0; f < features; ++f) {
        const int64_t place = (row * points_along + column) * features + f;
        const auto feature = static_cast<size_t>(f);
        const double unit = info.standardize ? 1 : 1 + 0.5 * static_cast<double>(f),
                     mean = unit * 0.05 * static_cast<double>(f + 1),
                     deviation = unit * (0.4 + 0.3 * static_cast<double>(f));
        double state = static_cast<double>(inputs[static_cast<size_t>(last + place)]);
        for (int64_t lead = 0; lead < leads; ++lead) {
          state += mean + output * deviation;
          const double error = state - static_cast<double>(truths[static_cast<size_t>(
                                           lead * points_along * points_along * features + place)]);
          const auto at = static_cast<size_t>(lead);
          result.loss[at] +=
              weights[feature] * std::pow(std::abs(error) / deviation, power) / result.points;
          result.squared[at][feature] += error * error;
        }
      }
  return result;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// The mean over the predictions of sum_f w_f / sd_f^power, mean over the interior of |error|^power.
void expect_training_losses(const std::string& loss, int power) {
  Made made(loss);
  const FieldStore& store = *made.experiment.store;
  const Dataset data(made.experiment.store, Split::train, 2, 2);
  std::vector<double> expected, found;
  for (int64_t i = 0; i < data.size(); ++i)
    expected.push_back(mean_of(expected_of(store, data, i, power).loss));
  Trainer trainer(made.runtime.context(), made.experiment.task, made.runtime.communicator(),
                  {.epochs = 1});
  TrainerObserver observer;
  observer.on_step = [&](const StepReport& report, int64_t) { found.push_back(report.loss); };
  trainer.fit(observer);
  ASSERT_EQ(found.size(), expected.size());
  std::sort(found.begin(), found.end());
  std::sort(expected.begin(), expected.end());
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 2e-6 * expected[i]) << i;
}

TEST(ForecastValues, TrainingLossOfSquares) {
  expect_training_losses("mse", 2);
}
TEST(ForecastValues, TrainingLossOfAbsoluteErrors) {
  expect_training_losses("mae", 1);
}

// Each sample counts once in an epoch, those of the last batch, which is smaller, too.
TEST(ForecastValues, TheLastBatchHasTheSamplesThatAreLeft) {
  constexpr int64_t most = 4;
  Made made("mse", most);
  const Dataset data(made.experiment.store, Split::train, 2, 2);
  ASSERT_NE(data.size() % most, 0);
  double expected = 0, found = 0;
  for (int64_t i = 0; i < data.size(); ++i)
    expected += mean_of(expected_of(*made.experiment.store, data, i, 2).loss);
  int64_t left = data.size();
  Trainer trainer(made.runtime.context(), made.experiment.task, made.runtime.communicator(),
                  {.epochs = 1});
  TrainerObserver observer;
  observer.on_step = [&](const StepReport& report, int64_t) {
    found += report.loss * static_cast<double>(std::min(left, most));
    left -= std::min(left, most);
  };
  double epoch_mean = 0;
  observer.on_epoch = [&](int64_t, double mean) { epoch_mean = mean; };
  trainer.fit(observer);
  EXPECT_EQ(left, 0);
  EXPECT_NEAR(found, expected, 2e-6 * expected);
  EXPECT_NEAR(epoch_mean, expected / static_cast<double>(data.size()), 2e-6 * epoch_mean);
}

void expect_scores(bool standardize) {
  Made made("mse", 1, standardize);
  const FieldStore& store = *made.experiment.store;
  const Dataset data(made.experiment.store, Split::valid, 2, 3);
  std::vector<std::vector<double>> losses(3);
  std::vector<std::vector<double>> squares(3, std::vector<double>(3));
  double points = 0;
  for (int64_t i = 0; i < data.size(); ++i) {
    const Expected one = expected_of(store, data, i, 2);
    points += one.points;
    for (size_t lead = 0; lead < 3; ++lead) {
      losses[lead].push_back(one.loss[lead]);
      for (size_t f = 0; f < 3; ++f) squares[lead][f] += one.squared[lead][f];
    }
  }
  Context context = made.runtime.context();
  context.phase = Phase::evaluate;
  const Evaluation found =
      made.experiment.task.evaluate(context, Split::valid, made.runtime.communicator());
  const auto scalar = [&](const std::string& name) {
    for (const auto& [tag, value] : found.scalars)
      if (tag == name) return value;
    ADD_FAILURE() << "there is no " << name;
    return static_cast<double>(NAN);
  };
  for (size_t lead = 0; lead < 3; ++lead) {
    const double loss = mean_of(losses[lead]);
    EXPECT_NEAR(scalar("val_loss_unroll" + std::to_string(lead + 1)), loss, 2e-6 * loss) << lead;
    for (size_t f = 0; f < 3; ++f) {
      const double unit = standardize ? 1 + 0.5 * static_cast<double>(f) : 1,
                   rmse = unit * std::sqrt(squares[lead][f] / points);
      const std::string name = store.info().state_names()[f], hours = std::to_string(lead + 1);
      EXPECT_NEAR(scalar("val_rmse/" + name + "_" + hours + "h"), rmse, 2e-6 * rmse);
      EXPECT_NEAR(found.scores["rmse"][name][hours].get<double>(), rmse, 2e-6 * rmse);
    }
  }
  const double all = (mean_of(losses[0]) + mean_of(losses[1]) + mean_of(losses[2])) / 3;
  EXPECT_NEAR(found.loss, all, 2e-6 * all);
}

TEST(ForecastValues, ScoresByLead) {
  expect_scores(true);
}
TEST(ForecastValues, ScoresByLeadOfFieldsThatAreNotStandardised) {
  expect_scores(false);
}

TEST(ForecastValues, ScoresOfTheTrainingPeriodHaveAllLeads) {
  Made made;
  const Scores scores = made.experiment.task.scores(made.runtime.context(), Split::train,
                                                    made.runtime.communicator());
  EXPECT_EQ(scores.leads(), 3);
}

}  // namespace
}  // namespace py4cast
