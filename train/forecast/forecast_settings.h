// The keys of forecasting.
#pragma once

#include <string>

#include "data/weather/dataset_settings.h"
#include "engine/settings/settings.h"
#include "train/configuration.h"

namespace py4cast {

struct ModelSection : Settings {
  PY4CAST_SETTING(std::string, name, "halfunet",
                  "The network; letter case and punctuation do not matter.", .flags = {"model"});
  PY4CAST_SETTING(bool, autopad, false,
                  "Pad the grid to the size that the network needs, and cut its output back.");
};

struct ForecastTraining : Settings {
  PY4CAST_SETTING(std::string, strategy, "diff_ar",
                  "How a step is made of the network's output: diff_ar adds it, scaled_ar adds it "
                  "in units of the mean change and forces the border.",
                  .flags = {"strategy"});
  PY4CAST_SETTING(std::string, loss, "mse",
                  "Mean square or mean absolute error, weighted by feature.", .flags = {"loss"});
  PY4CAST_SETTING(Texts, metrics, (Texts{"rmse", "mae", "bias"}),
                  "Scores of a validation and of a test, in metrics.jsonl, scores.json and "
                  "TensorBoard. rmse: the root of the mean over all points and samples; "
                  "rmse_per_sample: the mean of each sample's root, as in the original.");
  PY4CAST_SETTING(int64_t, batch_size, 1, "Samples of one batch on each rank.",
                  .flags = {"batch_size"}, .minimum = 1);
  PY4CAST_SETTING(int64_t, num_input_steps, 2, "Past states given to the network.",
                  .flags = {"num_input_steps"}, .minimum = 1);
  PY4CAST_SETTING(int64_t, num_inter_steps, 1, "Calls of the network per step of the data.",
                  .flags = {"num_inter_steps"}, .minimum = 1);
  PY4CAST_SETTING(int64_t, num_pred_steps_train, 1, "Steps of the data forecast in training.",
                  .flags = {"num_pred_steps_train", "step"}, .minimum = 1);
  PY4CAST_SETTING(int64_t, num_pred_steps_val_test, 5,
                  "Steps of the data forecast in validation and test.",
                  .flags = {"num_pred_steps_val_test"}, .minimum = 1);
  PY4CAST_SETTING(int64_t, num_workers, 1, "Threads that read and prepare samples.",
                  .flags = {"num_workers"}, .minimum = 0);
  PY4CAST_SETTING(
      int64_t, prefetch_factor, 2,
      "Batches prepared ahead, or more, so that each reading thread has a sample to load; "
      "each takes the memory of its fields.",
      .flags = {"prefetch_factor"}, .minimum = 1);
  PY4CAST_SETTING(bool, pin_memory, true,
                  "Page-locked host memory for the batches, which a GPU copies while it computes; "
                  "without it each copy waits.",
                  .flags = {"pin_memory"});
};

struct ForecastSettings : Settings {
  PY4CAST_SECTION(ModelSection, model, "The network.");
  PY4CAST_SECTION(DatasetSettings, dataset, "What data are read and how.");
  PY4CAST_SECTION(ForecastTraining, training, "The training.");
};

// Those of a configuration; the statistics of the data are kept in <run.root>/cache.
ForecastSettings forecast_settings(const Configuration& configuration);

// Error(configuration): a bound of a period is no time; a period ends before it begins; two periods
// overlap, unless dataset.overlap allows it.
void check_periods(const DatasetSettings& dataset);
// Error(configuration): a period is missing: it would be the whole of the data, and the scores
// those of what was trained on.
void require_periods(const DatasetPeriods& periods);

}  // namespace py4cast
