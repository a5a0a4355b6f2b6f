// py4cast errors
#include <cmath>
#include <iostream>

#include "data/cf/cf_forecast.h"
#include "data/netcdf/netcdf_writer.h"
#include "data/weather/static_fields.h"
#include "data/weather/units.h"
#include "engine/error.h"
#include "engine/parameters.h"
#include "train/forecast/commands.h"
#include "train/forecast/experiment.h"
#include "train/forecast/forecast_output.h"
#include "train/precision.h"
#include "train/progress.h"
#include "train/run_configuration.h"
#include "train/watch_ranks.h"

namespace py4cast {
namespace {

// Sums over samples at each point, in units of the standard deviation.
class PointErrors {
 public:
  PointErrors(int64_t leads, int64_t points, int64_t features)
      : leads_(leads), points_(points), features_(features) {
    for (auto* sums : {&squared_, &sum_, &count_})
      sums->resize(static_cast<size_t>(leads * points * features));
  }

  // prediction, target: [batch, points, features]; NaN where a value is missing.
  void add(int64_t lead, const Tensor& prediction, const Tensor& target) {
    const Tensor forecast = converted(on_host(prediction), DataType::f32),
                 truth = converted(on_host(target), DataType::f32);
    const auto one = static_cast<size_t>(points_ * features_),
               first = static_cast<size_t>(lead) * one;
    const float *f = forecast.data<float>(), *t = truth.data<float>();
    for (size_t i = 0; i < forecast.span<float>().size(); ++i) {
      if (std::isnan(t[i])) continue;
      const float error = f[i] - t[i];
      const size_t at = first + i % one;
      squared_[at] += error * error;
      sum_[at] += error;
      ++count_[at];
    }
  }
  void add_ranks(Communicator& communicator) {
    for (auto* sums : {&squared_, &sum_, &count_}) communicator.sum_in_rank_order(*sums);
  }

  // [lead][point] of a feature: of each point the root of its mean square, or its mean, times `scale`.
  std::vector<float> field(int64_t feature, bool root, double scale,
                           std::span<const float> interior) const {
    std::vector<float> result;
    for (int64_t lead = 0; lead < leads_; ++lead)
      for (int64_t p = 0; p < points_; ++p) {
        const auto at = static_cast<size_t>((lead * points_ + p) * features_ + feature);
        const double count = count_[at],
                     mean = static_cast<double>(root ? squared_[at] : sum_[at]) / count;
        result.push_back(count > 0 && interior[static_cast<size_t>(p)] > 0
                             ? static_cast<float>(scale * (root ? std::sqrt(mean) : mean))
                             : missing_value);
      }
    return result;
  }

 private:
  int64_t leads_, points_, features_;
  std::vector<float> squared_, sum_, count_;
};

void write_errors(const std::string& path, const PointErrors& errors, const Experiment& experiment,
                  Split split, int64_t samples) {
  using Type = CfWriter::Type;
  const DatasetInfo& info = experiment.store->info();
  const std::vector<double> hours =
      experiment.task.lead_hours(experiment.rule.steps.prediction_val_test);
  const Tensor border =
      make_border_mask(info.rows, info.columns, experiment.settings.dataset.border);
  std::vector<float> interior;
  for (const float mask : border.span<float>()) interior.push_back(1 - mask);
  NetcdfWriter writer(path);
  writer.attribute(CfWriter::global, "Conventions", "CF-1.8");
  writer.attribute(CfWriter::global, "title",
                   "Errors of " + experiment.settings.model.name + " at each point, over " +
                       std::to_string(samples) + " samples of the " + std::string(name_of(split)) +
                       " period");
  const int period = writer.dimension("forecast_period", hours.size());
  const int id = writer.variable("forecast_period", Type::float64, {period});
  writer.attribute(id, "standard_name", "forecast_period");
  writer.attribute(id, "units", "hours");
  writer.write(id, {0}, {hours.size()}, hours.data());
  const GridIds grid = write_grid(writer, experiment.store->grid(), {});
  const auto rows = static_cast<size_t>(info.rows), columns = static_cast<size_t>(info.columns);
  for (size_t f = 0; f < info.state.size(); ++f)
    for (const bool root : {true, false}) {
      const Feature& feature = info.state[f];
      // A difference of degC is one of K.
      const auto kelvins = unit_conversion(feature.units, "K");
      const bool shifted = kelvins && kelvins->offset != 0;
      const int field = writer.variable(feature.name + (root ? "_rmse" : "_bias"), Type::float32,
                                        {period, grid.y, grid.x}, {1, rows, columns});
      writer.attribute(field, "_FillValue", missing_value, Type::float32);
      writer.attribute(field, "units", shifted ? "K" : feature.units);
      writer.attribute(field, "long_name",
                       (root ? "root mean square error of " : "mean of forecast - truth of ") +
                           (feature.long_name.empty() ? feature.name : feature.long_name));
      writer.attribute(field, "coordinates", grid.coordinates);
      writer.attribute(field, "grid_mapping", grid.mapping);
      const std::vector<float> values = errors.field(
          static_cast<int64_t>(f), root,
          info.scale(info.state_statistics[f]) * (shifted ? kelvins->factor : 1), interior);
      writer.write(field, {0, 0, 0}, {hours.size(), rows, columns}, values.data());
    }
  writer.finish();
}

int errors(const Registries& registries, const ForecastRegistries& kinds, const std::string& run,
           const Configuration& configuration, Split split, const std::string& out) {
  return with_runtime(configuration.device, [&](Runtime& runtime) {
    set_precision(runtime, configuration.precision);
    Communicator& communicator = runtime.communicator();
    const bool root = communicator.root();
    Logger log(root ? &std::cout : nullptr,
               root && shows_progress(configuration.run.progress) ? &std::cerr : nullptr);
    const RankWatch watch = watch_ranks(communicator, configuration, log);
    Experiment experiment(registries, kinds,
                          {.configuration = configuration,
                           .runtime = runtime,
                           .log = log,
                           .training = false,
                           .run = run});
    const DatasetInfo& info = experiment.store->info();
    PointErrors sums(experiment.rule.steps.prediction_val_test, info.rows * info.columns,
                     info.weather_dim());
    Context context = runtime.context();
    context.phase = Phase::evaluate;
    const Scores scores =
        experiment.task.scores(context, split, communicator,
                               [&](const WeatherBatch&, int64_t lead, const Tensor& forecast,
                                   const Tensor& truth) { sums.add(lead, forecast, truth); });
    sums.add_ranks(communicator);
    if (!root) return 0;
    write_errors(out, sums, experiment, split, static_cast<int64_t>(scores.size()));
    if (!std::isfinite(scores.loss()))
      log.warning("the loss of the ", name_of(split),
                  " period is no number: it has no values, or its forecasts do not stay finite");
    log.info(out, ": errors of ", scores.size(), " samples of the ", name_of(split), " period");
    return 0;
  });
}

}  // namespace

Command errors_command(const Registries& registries, const ForecastRegistries& kinds) {
  return {"errors",
          "RUN",
          1,
          1,
          "Writes where a run is wrong: root mean square error and bias of each variable at each "
          "point of the interior and each lead time, as CF netCDF. It takes 12 bytes of memory for "
          "each of these.",
          {{"out", "FILE", "The netCDF file to write."},
           {"split", "PERIOD", "test (default), valid or train."},
           {"overwrite", "", "Replace FILE if it exists."}},
          [&registries] { return registries.layout(); },
          [&registries, &kinds](const Arguments& arguments) {
            const std::string run = arguments.positional[0], out = arguments.required("out");
            const Configuration configuration = run_configuration(registries, run, arguments.flags);
            if (!out.ends_with(".nc") && !out.ends_with(".nc4"))
              throw Error(ErrorKind::configuration, "command line: '--out ", out,
                          "' must end with .nc: it becomes a netCDF file");
            check_output(out, forecast_settings(configuration).dataset, arguments.has("overwrite"));
            return errors(registries, kinds, run, configuration,
                          parse_split(arguments.text("split", "test")), out);
          }};
}

}  // namespace py4cast
