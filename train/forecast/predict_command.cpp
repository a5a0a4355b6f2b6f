// py4cast predict
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <limits>

#include "data/netcdf/forecast_file.h"
#include "data/weather/calendar.h"
#include "data/weather/data_files.h"
#include "engine/error.h"
#include "train/checkpoint.h"
#include "train/forecast/commands.h"
#include "train/forecast/experiment.h"
#include "train/precision.h"
#include "train/run_configuration.h"

namespace py4cast {
namespace {

// The only sample of a data set, as a batch.
WeatherBatch load_start(const std::shared_ptr<const Dataset>& data) {
  Loader loader(data, {.num_workers = 0});
  loader.start(0);
  return WeatherBatch(*loader.next());
}

// Predictions for which the data have the truth.
int64_t known_steps(const WeatherBatch& start) {
  const int64_t steps = start.outputs.size(1);
  const auto truth = start.outputs.span<float>();
  const auto nan = std::ranges::find_if(truth, [](float value) { return std::isnan(value); });
  return (nan - truth.begin()) * steps / static_cast<int64_t>(truth.size());
}

// Refuses to destroy what is there, and the data themselves in any case.
void check_output(const PredictRequest& request) {
  namespace fs = std::filesystem;
  if (!fs::exists(request.out)) return;
  const std::vector<std::string>& files = forecast_settings(request.configuration).dataset.files;
  for (const std::string& file : files.empty() ? files : expand_patterns(files))
    if (fs::equivalent(file, request.out))
      throw Error(ErrorKind::input_output, request.out,
                  ": is one of the files that the forecast starts from");
  if (!request.overwrite)
    throw Error(ErrorKind::input_output, request.out, ": exists already; --overwrite replaces it");
}

// One field per variable: its levels are the features of that variable, in physical units. Missing where
// the training never had a value.
std::vector<ForecastField> physical_fields(const FieldStore& store,
                                           const std::vector<Tensor>& predictions) {
  const DatasetInfo& info = store.info();
  std::vector<ForecastField> fields;
  const auto points = static_cast<size_t>(info.rows * info.columns);
  const size_t features = info.state.size(), times = predictions.size();
  std::vector<std::vector<bool>> without_value;
  for (const FeatureStatistics& s : info.state_statistics)
    without_value.push_back(points_without_value(s, info.rows * info.columns));
  for (size_t first = 0; first < features;) {
    size_t end = first;
    while (end < features && info.state[end].variable == info.state[first].variable) ++end;
    const Feature& feature = info.state[first];
    ForecastField field;
    field.info = {.name = feature.variable,
                  .units = feature.units,
                  .long_name = feature.long_name,
                  .standard_name = feature.standard_name};
    if (!feature.level_name.empty()) {
      field.info.level_name = feature.level_name;
      field.info.level_units = feature.level_units;
      for (size_t f = first; f < end; ++f) field.info.levels.push_back(info.state[f].level);
    }
    for (size_t time = 0; time < times; ++time)
      for (size_t f = first; f < end; ++f) {
        const float* values = predictions[time].data<float>();
        const std::vector<bool>& never = without_value[f];
        const double mean = store.settings().standardize ? info.state_statistics[f].mean : 0;
        const double std = store.settings().standardize ? info.state_statistics[f].std : 1;
        for (size_t p = 0; p < points; ++p)
          field.data.push_back(
              !never.empty() && never[p]
                  ? std::numeric_limits<float>::quiet_NaN()
                  : static_cast<float>(static_cast<double>(values[p * features + f]) * std + mean));
      }
    fields.push_back(std::move(field));
    first = end;
  }
  return fields;
}

int predict(const Registries& registries, const ForecastRegistries& kinds,
            const PredictRequest& request) {
  check_output(request);
  Runtime runtime(request.configuration.device);
  if (runtime.communicator().size() > 1)
    runtime.guard([] {
      throw Error(ErrorKind::configuration,
                  "py4cast predict runs as one process: start it without mpirun or srun");
    });
  set_precision(runtime, request.configuration.precision);
  Logger log(&std::cout);
  Experiment experiment(registries, kinds,
                        {.configuration = request.configuration,
                         .runtime = runtime,
                         .log = log,
                         .training = false,
                         .run = request.run});
  const FieldStore& store = *experiment.store;
  const Time t0 = parse_time(store.info().calendar, request.start).time;
  const auto data = std::make_shared<const Dataset>(Dataset::forecast(
      experiment.store, t0, request.member, experiment.rule.steps.input, request.steps));
  const WeatherBatch start = load_start(data);
  const int64_t known = known_steps(start);

  Context context = runtime.context();
  context.phase = Phase::evaluate;
  const Forecaster forecaster(experiment.network.model(), store, experiment.rule, context);
  const auto there = [&](const Tensor& x) {
    return on_device_of(context, x, Owner::batches, "forecast");
  };
  const std::vector<Tensor> predictions = forecaster(context, {.states = there(start.inputs),
                                                               .forcing = there(start.forcing),
                                                               .truth = there(start.outputs),
                                                               .truth_steps = known,
                                                               .valid = there(start.input_valid)});
  if (experiment.rule.given_border && known < request.steps)
    log.warning("the data give the border for ", known, " of ", request.steps,
                " steps; beyond them the network forecasts the border, too");
  ForecastFile file;
  file.grid = store.grid();
  file.calendar = store.info().calendar;
  file.reference_time = t0;
  file.times = data->validity_times(0);
  std::vector<Tensor> fields;
  for (const Tensor& prediction : predictions)
    fields.push_back(converted(on_host(prediction), DataType::f32));
  file.fields = physical_fields(store, fields);
  file.attributes = {{"title", "Forecast by " + experiment.settings.model.name},
                     {"source", "py4cast " + find_checkpoint(request.run, {"best", "last"})}};
  write_forecast(request.out, file);
  log.info(request.out, ": ", request.steps, " steps from ", format_time(file.calendar, t0),
           ", to ", format_time(file.calendar, file.times.back()));
  return 0;
}

}  // namespace

PredictRequest predict_request(const Registries& registries, const Arguments& arguments) {
  PredictRequest request;
  request.run = arguments.positional[0];
  request.start = arguments.required("start");
  request.steps = (arguments.required("steps"), arguments.integer("steps", 0));
  constexpr int64_t most = 1000000;
  if (request.steps < 1 || request.steps > most)
    throw Error(ErrorKind::configuration, "command line: '--steps' must be between 1 and ", most);
  request.member = arguments.integer("member", 0);
  request.out = arguments.required("out");
  request.overwrite = arguments.has("overwrite");
  request.configuration = run_configuration(registries, request.run, arguments.flags);
  return request;
}

Command predict_command(const Registries& registries, const ForecastRegistries& kinds) {
  return {"predict",
          "RUN",
          1,
          1,
          "Writes a forecast of a trained run as CF netCDF. Flags of the configuration change the "
          "data that it starts from.",
          {{"start", "TIME", "Time of the last given state, ISO 8601: 2019-03-27T06."},
           {"steps", "N", "Number of steps of the data to forecast."},
           {"member", "N", "Member of an ensemble to start from (default 0)."},
           {"out", "FILE", "The netCDF file to write."},
           {"overwrite", "", "Replace FILE if it exists."}},
          [&registries] { return registries.layout(); },
          [&registries, &kinds](const Arguments& arguments) {
            return predict(registries, kinds, predict_request(registries, arguments));
          }};
}

}  // namespace py4cast
