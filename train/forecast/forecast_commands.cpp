// py4cast test | predict | data order: what a trained network, or its data, is asked for.
#include <algorithm>
#include <cmath>
#include <iostream>

#include "data/netcdf/forecast_file.h"
#include "data/weather/calendar.h"
#include "train/forecast/baselines.h"
#include "train/forecast/experiment.h"
#include "train/forecast/score_table.h"
#include "train/programs/commands.h"

namespace py4cast {
namespace {

Split parse_split(const std::string& name) {
  for (Split split : {Split::train, Split::valid, Split::test})
    if (name == name_of(split)) return split;
  throw Error(ErrorKind::configuration, "--split ", name, ": the splits are train, valid and test");
}

// The network of a run with its best (else last) weights; features must be those it was trained
// with.
void load(const std::string& run, Experiment& experiment) {
  const std::string checkpoint = find_checkpoint(run, {"best", "last"});
  check_same_features(load_checkpoint_state(checkpoint).extra, experiment.store->info(),
                      experiment.steps, checkpoint);
  load_weights(checkpoint, experiment.network.slab());
}

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

// One field per variable: its levels are the features of that variable, in physical units.
std::vector<ForecastField> physical_fields(const FieldStore& store,
                                           const std::vector<Tensor>& predictions) {
  const DatasetInfo& info = store.info();
  std::vector<ForecastField> fields;
  const auto points = static_cast<size_t>(info.rows * info.columns);
  const size_t features = info.state.size(), times = predictions.size();
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
        const double mean = store.settings().standardize ? info.state_statistics[f].mean : 0;
        const double std = store.settings().standardize ? info.state_statistics[f].std : 1;
        for (size_t p = 0; p < points; ++p)
          field.data.push_back(
              static_cast<float>(static_cast<double>(values[p * features + f]) * std + mean));
      }
    fields.push_back(std::move(field));
    first = end;
  }
  return fields;
}

}  // namespace

int run_test(const TestRequest& request) {
  Runtime runtime(request.configuration.device);
  return runtime.guard([&] {
    set_precision(runtime, request.configuration.precision);
    const bool root = runtime.communicator().root();
    Logger log(root ? &std::cout : nullptr);
    Experiment experiment(request.configuration, runtime, log, false, read_statistics(request.run));
    load(request.run, experiment);
    const Split split = parse_split(request.split);
    log.info("scores of the ", name_of(split), " period with ",
             experiment.steps.prediction_val_test,
             " predictions (--split, --num_pred_steps_val_test)");
    const Evaluation evaluation =
        experiment.task.evaluate(runtime.context(), split, runtime.communicator());
    if (!root) return 0;
    std::vector<std::string> notes;
    const Json references = baseline_scores(*experiment.task.dataset(split), {}, notes);
    for (const std::string& note : notes) log.info(note);
    const DatasetInfo& info = experiment.store->info();
    log.info(request.split, ": ", evaluation.scores["samples"].get<int64_t>(), " samples, loss ",
             evaluation.loss, "\n",
             score_table(evaluation.scores, references, request.configuration.model.name,
                         info.state_names(), info.state_units()));
    return 0;
  });
}

int run_predict(const PredictRequest& request) {
  Runtime runtime(request.configuration.device);
  set_precision(runtime, request.configuration.precision);
  Logger log(&std::cout);
  Experiment experiment(request.configuration, runtime, log, false, read_statistics(request.run));
  load(request.run, experiment);
  const FieldStore& store = *experiment.store;
  const Time t0 = parse_time(store.info().calendar, request.start).time;
  const auto data = std::make_shared<const Dataset>(Dataset::forecast(
      experiment.store, t0, request.member, experiment.steps.input, request.steps));
  const WeatherBatch start = load_start(data);
  const int64_t known = known_steps(start);

  Context context = runtime.context();
  context.phase = Phase::evaluate;
  const Forecaster forecaster(experiment.network.model(), store, experiment.steps, context);
  const auto there = [&](const Tensor& x) {
    return on_device_of(context, x, Owner::batches, "forecast");
  };
  const std::vector<Tensor> predictions = forecaster(context, {.states = there(start.inputs),
                                                               .forcing = there(start.forcing),
                                                               .truth = there(start.outputs),
                                                               .truth_steps = known,
                                                               .valid = there(start.input_valid)});
  if (experiment.steps.strategy == Strategy::scaled_ar && known < request.steps)
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
  file.attributes = {{"title", "Forecast by " + request.configuration.model.name},
                     {"source", "py4cast " + find_checkpoint(request.run, {"best", "last"})}};
  write_forecast(request.out, file);
  log.info(request.out, ": ", request.steps, " steps from ", format_time(file.calendar, t0),
           ", to ", format_time(file.calendar, file.times.back()));
  return 0;
}

int run_data_order(const Configuration& configuration) {
  Runtime runtime(configuration.device);
  const Steps steps = make_steps(configuration.training);
  const auto store = open_store(configuration, runtime.communicator(), nullptr, &runtime.ledger());
  const auto data =
      std::make_shared<const Dataset>(store, Split::train, steps.input, steps.prediction_train);
  Loader loader(data, loader_settings(configuration, 0, 1));
  for (int64_t epoch = 0; epoch < configuration.training.epochs; ++epoch) {
    loader.start(epoch);
    for (int64_t step = 0; const Batch* batch = loader.next(); ++step) {
      Json line = {{"epoch", epoch + 1}, {"step", step + 1}, {"samples", Json::array()}};
      for (const int64_t sample : batch->samples) line["samples"].push_back(data->describe(sample));
      std::cout << line.dump() << '\n';
    }
  }
  return 0;
}

}  // namespace py4cast
