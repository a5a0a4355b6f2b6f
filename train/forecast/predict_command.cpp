// py4cast predict
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>

#include "data/grib/grib_forecast.h"
#include "data/netcdf/forecast_file.h"
#include "data/weather/calendar.h"
#include "data/weather/data_files.h"
#include "data/zarr/zarr_writer.h"
#include "engine/error.h"
#include "train/checkpoint.h"
#include "train/forecast/commands.h"
#include "train/forecast/experiment.h"
#include "train/forecast/forecast_output.h"
#include "train/precision.h"
#include "train/run_configuration.h"

namespace py4cast {
namespace {

std::vector<std::string> split_at(const std::string& text, char separator) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, separator);) words.push_back(word);
  return words;
}

std::optional<double> number_of(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

// The only sample of a data set, as a batch.
WeatherBatch load_start(const std::shared_ptr<const Dataset>& data) {
  Loader loader(data, {.num_workers = 0});
  loader.start(0);
  return WeatherBatch(*loader.next());
}

// Predictions for which the data have the truth of all states: some of it, where missing values are masked.
int64_t known_steps(const WeatherBatch& start) {
  const int64_t steps = start.outputs.size(1), states = start.inputs.size(-1),
                features = start.outputs.size(-1), each = start.outputs.numel() / steps;
  const bool masked = start.output_valid.defined();
  const auto truth = start.outputs.span<float>();
  for (int64_t k = 0; k < steps; ++k)
    for (int64_t f = 0; f < states; ++f) {
      bool some = false, all = true;
      for (int64_t i = k * each + f; i < (k + 1) * each; i += features) {
        const auto at = static_cast<size_t>(i);
        const bool there =
            !std::isnan(truth[at]) && (!masked || start.output_valid.span<float>()[at] != 0);
        some |= there;
        all &= there;
      }
      if (!(masked ? some : all)) return k;
    }
  return steps;
}

void check_forecast_file(const PredictRequest& request, const std::string& out) {
  if (!is_grib_name(out) && !is_zarr_name(out) && !out.ends_with(".nc") && !out.ends_with(".nc4"))
    throw Error(
        ErrorKind::configuration, "command line: '--out ", out,
        "': the name's ending says the format: .nc (netCDF), .grib2 or .grb2 (GRIB), .zarr");
  check_output(out, forecast_settings(request.configuration).dataset, request.overwrite);
}

// "TIME", "TIME,TIME,...", "FIRST/LAST/HOURS".
std::vector<Time> parse_starts(Calendar calendar, const std::string& text) {
  const std::vector<std::string> bounds = split_at(text, '/');
  std::vector<Time> starts;
  if (bounds.size() == 1) {
    for (const std::string& word : split_at(text, ',')) {
      const Time start = parse_time(calendar, word).time;
      if (std::ranges::find(starts, start) != starts.end())
        throw Error(ErrorKind::configuration, "command line: '--start ", text, "' has ", word,
                    " twice");
      starts.push_back(start);
    }
    return starts;
  }
  const auto hours = bounds.size() == 3 ? number_of(bounds[2]) : std::nullopt;
  const Time step = hours && *hours > 0 ? whole_seconds(*hours * 3600) : 0;
  if (step < 1)
    throw Error(
        ErrorKind::configuration, "command line: '--start ", text,
        "' is no TIME, no list TIME,TIME and no range FIRST/LAST/HOURS, of a second at least");
  const Time last = parse_time(calendar, bounds[1]).time;
  for (Time time = parse_time(calendar, bounds[0]).time; time <= last; time += step)
    starts.push_back(time);
  if (starts.empty())
    throw Error(ErrorKind::configuration, "command line: '--start ", text,
                "': the first is after the last");
  return starts;
}

// Of those that the configuration uses; without a text the first.
std::vector<int64_t> parse_members(const FieldStore& store, const std::string& text) {
  if (text == "all") return store.members();
  if (text.empty()) return {store.members().front()};
  std::vector<int64_t> members;
  for (const std::string& word : split_at(text, ',')) {
    const auto number = number_of(word);
    if (!number || *number != std::floor(*number) || std::abs(*number) > 1e9)
      throw Error(ErrorKind::configuration, "command line: '--member ", text, "': '", word,
                  "' is no number of a member");
    members.push_back(store.member(static_cast<int64_t>(*number), "command line: '--member'"));
  }
  std::ranges::sort(members);
  if (std::ranges::adjacent_find(members) != members.end())
    throw Error(ErrorKind::configuration, "command line: '--member ", text, "' has a member twice");
  return members;
}

// As the data count them.
std::vector<int64_t> numbers_of(const TimeAxis& times, std::vector<int64_t> members) {
  for (int64_t& member : members) member = times.number_of(member);
  return members;
}

// FILE with the start in the place of "{start}": 20190327T0600, with seconds if there are any.
std::string output_name(const std::string& out, Calendar calendar, Time start) {
  constexpr std::string_view place = "{start}";
  const size_t at = out.find(place);
  if (at == std::string::npos) return out;
  std::string compact;
  const std::string text = format_time(calendar, start);
  for (const char c : text.ends_with(":00") ? text.substr(0, text.rfind(':')) : text)
    if (c != '-' && c != ':') compact += c;
  return std::string(out).replace(at, place.size(), compact);
}

// Those of the input, after which forecasts are written as GRIB.
void add_messages(const FieldStore& store, const std::vector<int64_t>& members,
                  std::vector<ForecastField>& fields) {
  int64_t first = 0;
  for (ForecastField& field : fields) {
    const int64_t end = first + std::max<int64_t>(std::ssize(field.info.levels), 1);
    for (const int64_t member : members)
      for (int64_t feature = first; feature < end; ++feature)
        field.messages.push_back(store.message(feature, member));
    first = end;
  }
}

// In the format that its name says.
void write(const std::string& out, const ForecastFile& forecast) {
  if (is_grib_name(out))
    write_grib_forecast(out, forecast);
  else if (is_zarr_name(out))
    write_zarr_forecast(out, forecast);
  else
    write_forecast(out, forecast);
}

// Of a written forecast.
void warn_of_sums(const ForecastFile& file, Logger& log) {
  const std::vector<std::string> names = assumed_sums(file);
  if (names.empty()) return;
  log.warning(
      "as GRIB '", names.front(), "'", names.size() > 1 ? " and others are sums" : " is a sum",
      " over the time since the field before; the data do not say over which time they have it");
}

// Forecasts of one network from any start.
class Predictor {
 public:
  Predictor(const PredictRequest& request, Experiment& experiment, const Context& context,
            Logger& log)
      : request_(request),
        experiment_(experiment),
        context_(context),
        log_(log),
        members_(parse_members(*experiment.store, request.member)),
        forecaster_(experiment.network.model(), *experiment.store, experiment.rule, context) {}

  // Error(data): what a forecast from there needs is missing.
  void check(Time t0) const {
    for (const int64_t member : members_) dataset(t0, member);
  }

  ForecastFile forecast(Time t0) {
    const FieldStore& store = *experiment_.store;
    ForecastFile file;
    file.grid = store.grid();
    file.calendar = store.info().calendar;
    file.reference_time = t0;
    file.of_runs = store.times().reforecast();
    if (store.times().members > 1) file.members = numbers_of(store.times(), members_);
    std::vector<std::vector<Tensor>> predictions;
    for (const int64_t member : members_) {
      const auto data = std::make_shared<const Dataset>(dataset(t0, member));
      predictions.push_back(predict(data));
      file.times = data->validity_times(0);
    }
    warn_if_not_finite(predictions, file);
    file.fields = physical_fields(store, predictions);
    if (is_grib_name(request_.out)) add_messages(store, members_, file.fields);
    keep_wanted(file.fields);
    file.attributes = {{"title", "Forecast by " + experiment_.settings.model.name},
                       {"source", "py4cast " + find_checkpoint(request_.run, {"best", "last"})}};
    return file;
  }

 private:
  // Of what the network gives; points that never have a value are left out of the fields later.
  void warn_if_not_finite(const std::vector<std::vector<Tensor>>& predictions,
                          const ForecastFile& file) {
    const std::vector<std::string> names = experiment_.store->info().state_names();
    for (size_t time = 0; time < file.times.size(); ++time)
      for (const std::vector<Tensor>& member : predictions)
        if (const std::string name = bad_feature(member[time], names); !name.empty()) {
          log_.warning("the forecast from ", format_time(file.calendar, *file.reference_time),
                       " does not stay finite: the first variable that is not is '", name, "' at ",
                       format_time(file.calendar, file.times[time]));
          return;
        }
  }
  void keep_wanted(std::vector<ForecastField>& fields) const {
    if (request_.variables.empty()) return;
    std::vector<std::string> names;
    for (const ForecastField& field : fields) names.push_back(field.info.name);
    const std::vector<std::string> wanted = split_at(request_.variables, ',');
    for (const std::string& name : wanted)
      if (std::ranges::find(names, name) == names.end())
        throw Error(ErrorKind::configuration, "command line: '--variables ", request_.variables,
                    "': '", name, "' is not forecast; the nearest is '", nearest_name(name, names),
                    "'");
    std::erase_if(fields, [&](const ForecastField& field) {
      return std::ranges::find(wanted, field.info.name) == wanted.end();
    });
  }
  Dataset dataset(Time t0, int64_t member) const {
    return Dataset::forecast(experiment_.store, t0, member, experiment_.rule.steps.input,
                             request_.steps);
  }
  std::vector<Tensor> predict(const std::shared_ptr<const Dataset>& data) {
    const WeatherBatch start = load_start(data);
    warn_if_lacking(*data, start);
    const int64_t known = known_steps(start);
    const auto there = [&](const Tensor& x) {
      return on_device_of(context_, x, Owner::batches, "forecast");
    };
    const std::vector<Tensor> predictions =
        forecaster_(context_, {.states = there(start.inputs),
                               .forcing = there(start.forcing),
                               .truth = there(start.outputs),
                               .truth_steps = known,
                               .state_valid = there(start.input_valid),
                               .forcing_valid = there(start.forcing_valid)});
    if (experiment_.rule.given_border && data->store().settings().border > 0 &&
        known < request_.steps)
      log_.warning("the data give the border for ", known, " of ", request_.steps,
                   " steps; beyond them the network forecasts the border, too");
    std::vector<Tensor> fields;
    for (const Tensor& prediction : predictions)
      fields.push_back(converted(on_host(prediction), DataType::f32));
    return fields;
  }

  // A variable without a value is its mean to the network.
  void warn_if_lacking(const Dataset& data, const WeatherBatch& start) const {
    if (!start.input_valid.defined()) return;
    const auto valid = start.input_valid.span<float>();
    const auto points = valid.size() / static_cast<size_t>(start.input_valid.size(1));
    bool lacking = false;
    for (size_t begin = 0; begin < valid.size(); begin += points)
      lacking |= std::ranges::none_of(valid.subspan(begin, points), [](float x) { return x != 0; });
    if (!lacking) return;
    if (const auto empty = data.empty_variable(data.sample_moment(0)))
      log_.warning("the forecast from ", format_time(data.info().calendar, data.sample_time(0)),
                   " begins with the mean of variable '", empty->first, "', which has no value at ",
                   format_time(data.info().calendar, empty->second));
  }

  const PredictRequest& request_;
  Experiment& experiment_;
  Context context_;
  Logger& log_;
  std::vector<int64_t> members_;
  Forecaster forecaster_;
};

std::vector<Time> starts_of(const PredictRequest& request, const Experiment& experiment) {
  const Calendar calendar = experiment.store->info().calendar;
  if (!request.start.empty()) return parse_starts(calendar, request.start);
  const std::vector<int64_t> members = parse_members(*experiment.store, request.member);
  return {Dataset::last_start(experiment.store, members.front(), experiment.rule.steps.input,
                              request.steps)};
}

// Before anything is computed.
std::vector<std::string> output_names(const PredictRequest& request, Calendar calendar,
                                      const std::vector<Time>& starts) {
  std::vector<std::string> outputs;
  for (const Time start : starts) outputs.push_back(output_name(request.out, calendar, start));
  if (request.out.empty()) return outputs;
  if (starts.size() > 1 && request.out.find("{start}") == std::string::npos)
    throw Error(ErrorKind::configuration, "command line: '--out ", request.out,
                "' needs {start} in its name, for ", starts.size(), " starts");
  for (const std::string& out : outputs) check_forecast_file(request, out);
  return outputs;
}

void predict_all(const PredictRequest& request, Experiment& experiment, Runtime& runtime,
                 Logger& log) {
  const std::vector<Time> starts = starts_of(request, experiment);
  const Calendar calendar = experiment.store->info().calendar;
  const std::vector<std::string> outputs = output_names(request, calendar, starts);
  runtime.communicator().barrier();  // no rank sees what another one has written
  const std::vector<Place> places =
      request.points.empty() ? std::vector<Place>{} : parse_places(request.points);
  for (const Place& place : places) nearest_point(experiment.store->grid(), place);
  Context context = runtime.context();
  context.phase = Phase::evaluate;
  Predictor predictor(request, experiment, context, log);
  for (const Time start : starts) predictor.check(start);
  const auto rank = static_cast<size_t>(runtime.communicator().rank()),
             ranks = static_cast<size_t>(runtime.communicator().size());
  for (size_t i = rank; i < starts.size(); i += ranks) {
    const ForecastFile file = predictor.forecast(starts[i]);
    std::string text = std::to_string(request.steps) +
                       (request.steps == 1 ? " step from " : " steps from ") +
                       format_time(calendar, starts[i]) +
                       (request.start.empty() ? " (the last start that the data allow)" : "") +
                       ", to " + format_time(calendar, file.times.back());
    if (!request.out.empty()) {
      write(outputs[i], file);
      if (is_grib_name(outputs[i]) && i == rank) warn_of_sums(file, log);
      text = outputs[i] + ": " + text;
    }
    for (const Place& place : places) text += "\n" + point_table(file, place);
    log.info(text);
  }
}

int predict(const Registries& registries, const ForecastRegistries& kinds,
            const PredictRequest& request) {
  if (request.start.find_first_of(",/") == std::string::npos &&
      request.out.find("{start}") == std::string::npos && !request.out.empty())
    check_forecast_file(request, request.out);
  return with_runtime(request.configuration.device, [&](Runtime& runtime) {
    set_precision(runtime, request.configuration.precision);
    Logger log(&std::cout);
    Experiment experiment(registries, kinds,
                          {.configuration = request.configuration,
                           .runtime = runtime,
                           .log = log,
                           .training = false,
                           .run = request.run});
    predict_all(request, experiment, runtime, log);
    return 0;
  });
}

}  // namespace

PredictRequest predict_request(const Registries& registries, const Arguments& arguments) {
  PredictRequest request;
  request.run = arguments.positional[0];
  request.start = arguments.text("start");
  request.steps = (arguments.required("steps"), arguments.integer("steps", 0));
  constexpr int64_t most = 1000000;
  if (request.steps < 1 || request.steps > most)
    throw Error(ErrorKind::configuration, "command line: '--steps' must be between 1 and ", most);
  request.member = arguments.text("member");
  request.points = arguments.text("points");
  request.variables = arguments.text("variables");
  request.out = request.points.empty() ? arguments.required("out") : arguments.text("out");
  if (arguments.has("out") && request.out.empty())
    throw Error(ErrorKind::configuration, "command line: '--out' is empty; it names a file");
  while (request.out.size() > 1 && request.out.ends_with('/'))
    request.out.pop_back();  // of a folder
  request.overwrite = arguments.has("overwrite");
  request.configuration = run_configuration(registries, request.run, arguments.flags);
  return request;
}

Command predict_command(const Registries& registries, const ForecastRegistries& kinds) {
  return {
      "predict",
      "RUN",
      1,
      1,
      "Writes forecasts of a trained run as CF netCDF, Zarr or GRIB, and tables for points. Flags "
      "of the "
      "configuration change the data that it starts from. Several ranks (mpirun) share the starts.",
      {{"start", "TIMES",
        "Time of the last given state, ISO 8601: 2019-03-27T06; several, comma separated, or "
        "FIRST/LAST/HOURS; left out: the last one that the data allow."},
       {"steps", "N", "Number of steps of the data to forecast."},
       {"member", "N",
        "Members of an ensemble to start from, by their numbers in the data, comma separated, or "
        "all "
        "(default: the first)."},
       {"out", "FILE",
        "The netCDF file to write, a Zarr store (.zarr), or GRIB of edition 2 (.grib, .grib2, "
        ".grb, "
        ".grb2); with several "
        "starts {start} in its name stands for the start."},
       {"points", "LAT,LON;...",
        "Print a table for the grid points that are nearest to these, in degrees; --out may then "
        "be left out."},
       {"variables", "NAMES",
        "Those to be written, comma separated (default: all): GRIB does not take every variable."},
       {"overwrite", "", "Replace FILE if it exists."}},
      [&registries] { return registries.layout(); },
      [&registries, &kinds](const Arguments& arguments) {
        return predict(registries, kinds, predict_request(registries, arguments));
      }};
}

}  // namespace py4cast
