// What a configuration of a forecast may name.
#pragma once

#include <functional>
#include <string>

#include "data/weather/dataset_kind.h"
#include "engine/settings/registry.h"
#include "engine/settings/settings.h"
#include "engine/tape.h"

namespace py4cast {

// What a new state is made of; all [batch, rows, columns, state] but what is said. Without truth a
// strategy does not touch the border.
struct StrategyStep {
  Tensor last, output;                     // the state before, the network's result
  Tensor truth;                            // undefined: unknown
  Tensor border;                           // [rows, columns, 1]: 1 where the truth is given
  Tensor difference_mean, difference_std;  // [state], of the change in one step of the data
};
// The new state.
using Strategy = std::function<Tensor(Context& context, const StrategyStep& step)>;

// How a step is made of the network's output: training.strategy.
struct StrategyKind {
  std::string name;
  const SettingsTable* settings = nullptr;  // of training.strategy_settings; null: none
  bool inner_steps = false;   // the network may be called several times per step of the data
  bool given_border = false;  // looks at the truth of the border
  std::function<Strategy(const Json& settings)> make;
};
StrategyKind diff_ar();    // new = last + output
StrategyKind scaled_ar();  // kernels/fields/autoregressive_update.h, scaled_update

// prediction, target [batch, rows, columns, state], NaN where the target is missing; mask [rows,
// columns, 1], 1 in the interior; weights [state]. Result [batch].
using Loss = std::function<Tensor(Context& context, const Tensor& prediction, const Tensor& target,
                                  const Tensor& mask, const Tensor& weights)>;

// What is minimised: training.loss.
struct ForecastLoss {
  std::string name;
  const SettingsTable* settings = nullptr;  // of training.loss_settings; null: none
  // The weight of a feature is divided by this power of the deviation of its changes.
  int power = 2;
  std::function<Loss(const Json& settings)> make;
};
ForecastLoss mean_square();  // kernels/training/loss.h
ForecastLoss mean_absolute();

// Means over all points and samples, in units of the standard deviation. NaN without points.
struct ErrorMeans {
  double squared = 0, absolute = 0, bias = 0;
  double root_of_sample =
      0;  // over the samples that have points: of the root of each one's mean square
};
// scale: the standard deviation.
using Metric = std::function<double(const ErrorMeans& means, double scale)>;

// A score by feature and lead time: training.metrics.
struct MetricKind {
  std::string name;
  const SettingsTable* settings = nullptr;  // of training.metric_settings.NAME; null: none
  std::function<Metric(const Json& settings)> make;
};
MetricKind root_mean_square_error();         // "rmse", the root taken after averaging
MetricKind sample_root_mean_square_error();  // "rmse_per_sample", the root taken before
MetricKind mean_absolute_error();
MetricKind mean_error();  // "bias": forecast - truth

struct ForecastRegistries {
  Registry<DatasetKind> datasets = {"dataset.name", "data set"};
  Registry<StrategyKind> strategies = {"training.strategy", "strategy"};
  Registry<ForecastLoss> losses = {"training.loss", "loss"};
  Registry<MetricKind> metrics = {"training.metrics", "metric"};
};

}  // namespace py4cast
