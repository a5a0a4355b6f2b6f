#include "train/experiment.h"

#include <algorithm>
#include <filesystem>

namespace py4cast {
namespace {

ModelShape model_shape(const FieldStore& store, const Steps& steps) {
  return {Forecaster::input_features(store, steps), store.info().weather_dim(), store.info().rows,
          store.info().columns};
}

}  // namespace

TrainerSettings trainer_settings(const Configuration& configuration) {
  const TrainingSection& from = configuration.training;
  return {.seed = configuration.seed,
          .epochs = from.epochs,
          .accumulate_batches = from.accumulate_batches,
          .limit_train_batches = from.limit_train_batches,
          .val_interval = from.val_interval,
          .clip_norm = from.clip_norm,
          .beta1 = from.optimizer.betas[0],
          .beta2 = from.optimizer.betas[1],
          .weight_decay = from.optimizer.weight_decay,
          .epsilon = from.optimizer.epsilon,
          .schedule = {.kind = from.schedule.name == "cosine" ? Schedule::Kind::cosine
                                                              : Schedule::Kind::constant,
                       .lr = from.optimizer.lr,
                       .min_lr = from.schedule.min_lr,
                       .warmup_steps = from.schedule.warmup_steps}};
}

std::shared_ptr<FieldStore> open_store(const Configuration& configuration,
                                       Communicator& communicator, Logger* log,
                                       MemoryLedger* ledger,
                                       const std::optional<Statistics>& statistics) {
  const DatasetSettings settings = dataset_settings(configuration);
  std::shared_ptr<FieldStore> store;
  if (communicator.root()) store = FieldStore::open(settings, ledger, statistics);
  communicator.barrier();
  if (!store) store = FieldStore::open(settings, ledger, statistics);
  if (communicator.root() && log)
    for (const std::string& note : store->notes()) log->info("data: ", note);
  return store;
}

void write_statistics(const RunFolder& folder, const DatasetInfo& info) {
  Statistics all = info.state_statistics;
  all.insert(all.end(), info.forcing_statistics.begin(), info.forcing_statistics.end());
  folder.write_json("statistics.json", Json::parse(to_json(all).dump()));
}

std::optional<Statistics> read_statistics(const std::string& run) {
  const std::string file = find_run(run) + "/statistics.json";
  if (!std::filesystem::exists(file)) return {};
  return statistics_from_json(nlohmann::json::parse(read_json_file(file).dump()));
}

void check_precision(const std::string& precision) {
  if (precision != "fp32")
    throw Error(ErrorKind::configuration, "precision ", precision,
                ": this build computes in fp32 only");
}

Experiment::Experiment(const Configuration& given, Runtime& runtime, Logger& log, bool training,
                       const std::optional<Statistics>& statistics)
    : configuration(given),
      steps(make_steps(given.training)),
      store(open_store(given, runtime.communicator(), training ? &log : nullptr, &runtime.ledger(),
                       statistics)),
      network(given.model.name, model_shape(*store, steps), given.model.settings,
              given.model.autopad, given.seed, &runtime.ledger(), training),
      task(given, store, network.model(), steps, runtime.communicator(), &runtime.ledger()) {}

Json feature_record(const DatasetInfo& info, const Steps& steps) {
  return {{"state", info.state_names()},
          {"forcing", info.forcing_names},
          {"static", info.static_names},
          {"num_inter_steps", steps.inter},
          {"data_step_seconds", info.step_seconds}};
}

void check_same_features(const Json& trained, const DatasetInfo& info, const Steps& steps,
                         const std::string& origin) {
  if (!trained.is_object() || trained.empty()) return;
  const std::pair<const char*, std::vector<std::string>> kinds[] = {{"state", info.state_names()},
                                                                    {"forcing", info.forcing_names},
                                                                    {"static", info.static_names}};
  for (const auto& [kind, names] : kinds) {
    const std::vector<std::string> expected = trained.at(kind);
    for (size_t i = 0; i < std::max(expected.size(), names.size()); ++i) {
      const std::string had = i < expected.size() ? expected[i] : "nothing",
                        has = i < names.size() ? names[i] : "nothing";
      if (had != has)
        throw Error(ErrorKind::configuration, origin, ": the network was trained with '", had,
                    "' as ", kind, " feature ", i + 1, ", but the data give '", has, "'");
    }
  }
  Steps before = steps;
  before.inter = trained.at("num_inter_steps");
  check_model_step(before, trained.at("data_step_seconds"), steps,
                   static_cast<double>(info.step_seconds));
}

}  // namespace py4cast
