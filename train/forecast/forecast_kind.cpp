#include "train/forecast/forecast_kind.h"

#include <memory>

#include "data/grib/grib_dataset.h"
#include "data/netcdf/netcdf_dataset.h"
#include "data/simulation/dummy.h"
#include "data/smeagol/smeagol_dataset.h"
#include "data/titan/titan_dataset.h"
#include "data/zarr/zarr_dataset.h"
#include "train/forecast/commands.h"
#include "train/forecast/experiment.h"

namespace py4cast {
namespace {

// The file of --dataset_conf: ours, or of a layout that a data set knows.
Json translated(const ForecastRegistries& kinds, const Json& content, const std::string& file) {
  for (const DatasetKind& kind : kinds.datasets)
    if (const auto ours = kind.translate ? kind.translate(content, file) : nullptr) return *ours;
  return content;
}

Layout layout_of(const Registries& registries, const ForecastRegistries& kinds) {
  return {
      .tables = {&table_of<ForecastSettings>()},
      .choices = {choice_of(registries.models,
                            {"model.name", "model.settings",
                             "The network's own settings; what is left out keeps the network's "
                             "default."}),
                  choice_of(kinds.datasets,
                            {"dataset.name", "dataset.settings", "The data set's own settings."}),
                  choice_of(kinds.strategies, {"training.strategy", "training.strategy_settings",
                                               "The strategy's own settings."}),
                  choice_of(kinds.losses, {"training.loss", "training.loss_settings",
                                           "The loss's own settings."}),
                  choice_of(kinds.metrics, {"training.metrics", "training.metric_settings",
                                            "The metrics' own settings, by name."})},
      .groups = {{.flag = "dataset_conf",
                  .value = "FILE",
                  .description = "Take the dataset section from this file, which may be of the "
                                 "original's layout.",
                  .section = "dataset",
                  .kept = "dataset.name",
                  .translate =
                      [&kinds](const Json& content, const std::string& file) {
                        return translated(kinds, content, file);
                      }},
                 {.flag = "model_conf",
                  .value = "FILE",
                  .description = "Take model.settings from this file.",
                  .section = "model.settings"}}};
}

void check(const Configuration& configuration, const ForecastRegistries& kinds) {
  make_rule(configuration, kinds);
  check_periods(forecast_settings(configuration).dataset);
}

}  // namespace

void add_built_in(ForecastRegistries& kinds) {
  kinds.datasets.add(netcdf_dataset());
  kinds.datasets.add(grib_dataset());
  kinds.datasets.add(zarr_dataset());
  kinds.datasets.add(dummy_dataset());
  kinds.datasets.add(smeagol_dataset());
  kinds.datasets.add(titan_dataset());
  kinds.strategies.add(diff_ar());
  kinds.strategies.add(scaled_ar());
  kinds.losses.add(mean_square());
  kinds.losses.add(mean_absolute());
  kinds.metrics.add(root_mean_square_error());
  kinds.metrics.add(sample_root_mean_square_error());
  kinds.metrics.add(mean_absolute_error());
  kinds.metrics.add(mean_error());
}

TaskKind forecast_kind(const Registries& registries, const ForecastRegistries& kinds) {
  return {
      .name = "forecast",
      .layout = [&registries, &kinds] { return layout_of(registries, kinds); },
      .check = [&kinds](const Configuration& configuration) { check(configuration, kinds); },
      .make = [&registries, &kinds](const TaskSource& source) -> std::shared_ptr<Task> {
        const auto experiment = std::make_shared<Experiment>(registries, kinds, source);
        return {experiment, &experiment->task};
      },
      .network = trained_network,
      // As the original's test program.
      .test_flags = {{"--num_pred_steps_val_test", "17"}},
      .free_keys = {"dataset.files", "dataset.settings.root", "dataset.settings.original_file",
                    "dataset.boundary.files", "dataset.static_files", "dataset.cache_bytes",
                    "training.num_workers", "training.prefetch_factor", "training.pin_memory"},
      .commands = {predict_command(registries, kinds), errors_command(registries, kinds),
                   baselines_command(registries, kinds), init_command(kinds),
                   data_simulate_command(), data_info_command(registries, kinds),
                   data_prepare_command(registries, kinds), data_speed_command(registries, kinds),
                   data_order_command(registries, kinds), model_graph_command(registries, kinds)}};
}

}  // namespace py4cast
