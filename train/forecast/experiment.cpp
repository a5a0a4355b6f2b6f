#include "train/forecast/experiment.h"

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "data/weather/units.h"
#include "engine/error.h"
#include "train/checkpoint.h"

namespace py4cast {
namespace {

// What feature_record wrote. Older versions wrote less.
const Json& recorded(const Json& trained, const char* key, const std::string& checkpoint) {
  if (!trained.contains(key))
    throw Error(ErrorKind::data, checkpoint, "/state.json: has no 'extra.", key,
                "': the run was made by an older version, which did not record it");
  return trained[key];
}

// Of the states, the physical forcings and the boundary data. The only level of a variable does not count: not all
// formats tell it.
std::vector<std::string> units_of(const DatasetInfo& info, std::string Feature::*units) {
  std::vector<std::string> result;
  for (const auto* features : {&info.state, &info.physical_forcing, &info.boundary})
    for (const Feature& feature : *features)
      result.push_back(units == &Feature::level_units && feature.only_level ? "" : feature.*units);
  return result;
}

constexpr std::pair<const char*, std::string VariableInfo::*> variable_texts[] = {
    {"name", &VariableInfo::name},
    {"units", &VariableInfo::units},
    {"long_name", &VariableInfo::long_name},
    {"standard_name", &VariableInfo::standard_name},
    {"cell_methods", &VariableInfo::cell_methods},
    {"level_name", &VariableInfo::level_name},
    {"level_units", &VariableInfo::level_units},
    {"level_standard_name", &VariableInfo::level_standard_name},
    {"level_positive", &VariableInfo::level_positive},
    {"level_suffix", &VariableInfo::level_suffix}};

Json variable_record(const VariableInfo& info) {
  Json json = {{"levels", info.levels}};
  if (info.only_level) json["only_level"] = *info.only_level;
  for (const auto& [key, text] : variable_texts) json[key] = info.*text;
  return json;
}

VariableInfo variable_of(const Json& json) {
  VariableInfo info{.levels = json.at("levels")};
  if (json.contains("only_level")) info.only_level = json["only_level"].get<double>();
  for (const auto& [key, text] : variable_texts) info.*text = json.at(key);
  return info;
}

void check_same_units(const Json& trained, const DatasetInfo& info, const std::string& origin) {
  std::vector<Feature> features = info.state;
  features.insert(features.end(), info.physical_forcing.begin(), info.physical_forcing.end());
  features.insert(features.end(), info.boundary.begin(), info.boundary.end());
  for (const auto& [key, what, units] :
       {std::tuple("units", "", &Feature::units),
        std::tuple("level_units", "the level axis of ", &Feature::level_units)}) {
    const std::vector<std::string> before = recorded(trained, key, origin),
                                   now = units_of(info, units);
    for (size_t i = 0; i < std::min(before.size(), now.size()); ++i)
      if (!same_units(before[i], now[i]))
        throw Error(ErrorKind::configuration, features[i].file,
                    features[i].file.empty() ? "" : ": ", what, "variable '", features[i].variable,
                    "' is in '", now[i], "', but the network of ", origin, " was trained with '",
                    before[i], "'");
  }
}

// Files for a kind that knows where its own lie: nearly always the kind was forgotten.
void check_reads_files(const ForecastRegistries& kinds, const DatasetKind& kind) {
  if (!kind.own_periods || kind.open_source) return;
  std::string readers;
  for (const DatasetKind& each : kinds.datasets)
    if (each.open_source) readers += (readers.empty() ? "" : ", ") + each.name;
  const bool is_default = plain_name(kind.name) == DatasetSettings{}.name;
  throw Error(ErrorKind::configuration, "dataset.name ",
              is_default ? "is missing" : "does not fit dataset.files", ": '", kind.name,
              is_default ? "', the default, " : "' ",
              "takes no dataset.files; kinds that do: ", readers);
}

}  // namespace

std::shared_ptr<FieldStore> open_store(const ForecastSettings& settings,
                                       const ForecastRegistries& kinds, Communicator& communicator,
                                       Logger* log, MemoryLedger* ledger,
                                       const std::optional<Statistics>& statistics) {
  DatasetSettings dataset = settings.dataset;
  const DatasetKind& kind = kinds.datasets.find(dataset.name);
  if (!dataset.files.empty()) check_reads_files(kinds, kind);
  if (!kind.own_periods) require_periods(dataset.periods);
  dataset.open_files = [&kinds, ledger](const Texts& files, const Texts& variables) {
    return kind_of_files(kinds.datasets, files).open_source(files, variables, ledger);
  };
  std::shared_ptr<FieldStore> store;
  if (communicator.root() && !dataset.files.empty())
    check_kind_of_files(kinds.datasets, kind, dataset.files);
  if (communicator.root()) store = kind.open(dataset, ledger, statistics);
  communicator.barrier();
  if (!store) store = kind.open(dataset, ledger, statistics);
  if (communicator.root() && log) {
    for (const std::string& note : store->notes()) log->info("data: ", note);
    for (const std::string& warning : store->warnings()) log->warning(warning);
    if (const std::string note = store->cache_note(); !note.empty()) log->info("data: ", note);
  }
  return store;
}

std::optional<Statistics> read_statistics(const std::string& run) {
  const std::string file = find_run(run) + "/statistics.json";
  if (!std::filesystem::exists(file)) return {};
  return statistics_from_json(read_json_file(file, ErrorKind::data), file);
}

namespace {

ForecastSettings settings_of(const TaskSource& source) {
  ForecastSettings settings = forecast_settings(source.configuration);
  if (source.run.empty()) return settings;
  for (const std::string& file : settings.dataset.files)
    if (file.find_first_of("*?[") == std::string::npos && !std::filesystem::exists(file))
      throw Error(ErrorKind::data, file, ": there is no such file or folder, seen from ",
                  std::filesystem::current_path().string(), "; a run's dataset.files are those of ",
                  find_run(source.run), "/config.json unless --dataset.files is given");
  const Json record = load_checkpoint_state(find_checkpoint(source.run, {"best", "last"})).extra;
  settings.dataset.trained_step = record.value("data_step_seconds", int64_t{0});
  for (const Json& variable : record.value("diagnostic_variables", Json::array()))
    settings.dataset.trained_diagnostics.push_back(variable_of(variable));
  return settings;
}

}  // namespace

Experiment::Experiment(const Registries& registries, const ForecastRegistries& kinds,
                       const TaskSource& source)
    : settings(settings_of(source)),
      store(open_store(settings, kinds, source.runtime.communicator(), &source.log,
                       &source.runtime.ledger(),
                       source.run.empty() ? std::nullopt : read_statistics(source.run))),
      rule(make_rule(source.configuration, kinds)),
      network(registries.models, settings.model.name, Forecaster::ports(*store, rule.steps),
              source.configuration.section("model.settings"), settings.model.autopad,
              source.configuration.seed, source.runtime.context(), source.training),
      optimizer(source.training
                    ? registries.make_optimizer(source.configuration, "network", network.slab(),
                                                source.runtime.context())
                    : nullptr),
      task(source.configuration, kinds, store, network.model(), optimizer.get(),
           source.runtime.communicator(), source.runtime.context(), source.log) {
  if (source.run.empty()) return;
  const std::string checkpoint = find_checkpoint(source.run, {"best", "last"});
  const Json record = load_checkpoint_state(checkpoint).extra;
  if (const std::string doubt = task.check(record, checkpoint); !doubt.empty())
    source.log.warning(doubt);
  task.check_graph(record, checkpoint);
  load_weights(checkpoint, network.slab());
}

Json feature_record(const DatasetInfo& info, const Steps& steps) {
  Json record = {{"state", info.input_names()},
                 {"forcing", info.forcing_names},
                 {"static", info.static_names},
                 {"units", units_of(info, &Feature::units)},
                 {"level_units", units_of(info, &Feature::level_units)},
                 {"num_inter_steps", steps.inter},
                 {"data_step_seconds", info.step_seconds},
                 {"rows", info.rows},
                 {"columns", info.columns}};
  if (info.diagnostics == 0) return record;
  record["diagnostic"] = info.diagnostic_names();
  for (const VariableInfo& variable : info.diagnostic_variables)
    record["diagnostic_variables"].push_back(variable_record(variable));
  return record;
}

std::vector<std::string> input_features(const DatasetInfo& info, const Steps& steps, bool masked) {
  std::vector<std::string> result;
  for (int64_t before = steps.input - 1; before >= 0; --before)
    for (std::string name : info.input_names()) {
      if (before > 0) name += " " + std::to_string(before) + (before > 1 ? " steps" : " step");
      result.push_back(before > 0 ? name + " before" : name);
    }
  result.insert(result.end(), info.static_names.begin(), info.static_names.end());
  result.insert(result.end(), info.forcing_names.begin(), info.forcing_names.end());
  if (masked) result.push_back("input_valid");
  return result;
}

ModelRequest trained_network(const Configuration& configuration, const std::string& checkpoint) {
  const Json trained = load_checkpoint_state(checkpoint).extra;
  const auto size = [&](const char* key) {
    return static_cast<int64_t>(recorded(trained, key, checkpoint).size());
  };
  const ForecastSettings settings = forecast_settings(configuration);
  ModelRequest request;
  request.model = settings.model.name;
  request.settings = configuration.section("model.settings");
  request.autopad = settings.model.autopad;
  request.inputs = settings.training.num_input_steps * size("state") + size("static") +
                   size("forcing") + (settings.dataset.missing == Missing::mask);
  request.outputs = size("state") + (trained.contains("diagnostic") ? size("diagnostic") : 0);
  request.height = recorded(trained, "rows", checkpoint);
  request.width = recorded(trained, "columns", checkpoint);
  request.batch = settings.training.batch_size;
  request.seed = configuration.seed;
  request.precision = configuration.precision;
  return request;
}

void check_same_features(const Json& trained, const DatasetInfo& info, const Steps& steps,
                         const std::string& origin) {
  if (!trained.is_object() || trained.empty()) return;
  const std::pair<const char*, std::vector<std::string>> kinds[] = {
      {"state", info.input_names()},
      {"diagnostic", info.diagnostic_names()},
      {"forcing", info.forcing_names},
      {"static", info.static_names}};
  for (const auto& [kind, names] : kinds) {
    std::vector<std::string> expected;
    if (trained.contains(kind) || std::string_view(kind) != "diagnostic")
      expected = recorded(trained, kind, origin);
    for (size_t i = 0; i < std::max(expected.size(), names.size()); ++i) {
      const std::string had = i < expected.size() ? expected[i] : "nothing",
                        has = i < names.size() ? names[i] : "nothing";
      if (had != has)
        throw Error(ErrorKind::configuration, origin, ": the network was trained with '", had,
                    "' as ", kind, " feature ", i + 1, ", but the data give '", has, "'");
    }
  }
  check_same_units(trained, info, origin);
  Steps before = steps;
  before.inter = recorded(trained, "num_inter_steps", origin);
  check_model_step(before, recorded(trained, "data_step_seconds", origin), steps,
                   static_cast<double>(info.step_seconds));
}

}  // namespace py4cast
