#include "train/forecast/experiment.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "train/checkpoint.h"
#include "train/forecast/dataset_kinds.h"
#include "train/programs/commands.h"

namespace py4cast {
namespace {

// What feature_record wrote. Older versions wrote less.
const Json& recorded(const Json& trained, const char* key, const std::string& checkpoint) {
  if (!trained.contains(key))
    throw Error(ErrorKind::data, checkpoint, "/state.json: has no 'extra.", key,
                "': the run was made by an older version, which did not record it");
  return trained[key];
}

}  // namespace

std::pair<int64_t, int64_t> profiled_steps(const std::string& text) {
  if (text.empty()) return {0, -1};
  long long first = 0, last = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%lld%*1[:-]%lld%n", &first, &last, &end) != 2 ||
      static_cast<size_t>(end) != text.size() || first < 1 || last < first)
    throw Error(ErrorKind::configuration, "run.profile_steps '", text,
                "' is not FIRST:LAST with two optimiser steps that count from 1");
  return {first, last};
}

TrainerSettings trainer_settings(const Configuration& configuration) {
  const TrainingSection& from = configuration.training;
  const auto [profile_first, profile_last] = profiled_steps(configuration.run.profile_steps);
  return {.step = {.seed = configuration.seed,
                   .cuda_graph = configuration.run.cuda_graph,
                   .bucket_bytes = configuration.run.bucket_bytes},
          .epochs = from.epochs,
          .limit_train_batches = from.limit_train_batches,
          .val_interval = from.val_interval,
          .profile_first = profile_first,
          .profile_last = profile_last};
}

std::unique_ptr<Optimizer> make_optimizer(const Configuration& configuration,
                                          const std::string& learner, ParameterSlab& slab,
                                          const Context& context) {
  const TrainingSection& from = configuration.training;
  const Schedule schedule{
      .kind = from.schedule.name == "cosine" ? Schedule::Kind::cosine : Schedule::Kind::constant,
      .lr = from.optimizer.lr,
      .min_lr = from.schedule.min_lr,
      .warmup_steps = from.schedule.warmup_steps};
  return std::make_unique<Optimizer>(learner, context, slab,
                                     make_adamw({.beta1 = from.optimizer.betas[0],
                                                 .beta2 = from.optimizer.betas[1],
                                                 .epsilon = from.optimizer.epsilon,
                                                 .weight_decay = from.optimizer.weight_decay}),
                                     schedule, from.clip_norm);
}

std::shared_ptr<FieldStore> open_store(const Configuration& configuration,
                                       Communicator& communicator, Logger* log,
                                       MemoryLedger* ledger,
                                       const std::optional<Statistics>& statistics) {
  const DatasetSettings settings = dataset_settings(configuration);
  const DatasetKind& kind = dataset_kind(settings.name);
  std::shared_ptr<FieldStore> store;
  if (communicator.root()) store = kind.open(settings, ledger, statistics);
  communicator.barrier();
  if (!store) store = kind.open(settings, ledger, statistics);
  if (communicator.root() && log)
    for (const std::string& note : store->notes()) log->info("data: ", note);
  return store;
}

std::optional<Statistics> read_statistics(const std::string& run) {
  const std::string file = find_run(run) + "/statistics.json";
  if (!std::filesystem::exists(file)) return {};
  return statistics_from_json(nlohmann::json::parse(read_json_file(file).dump()));
}

void set_precision(Runtime& runtime, const std::string& precision) {
  if (precision == "tf32" && runtime.device().kind == DeviceKind::cpu)
    throw Error(ErrorKind::configuration,
                "precision tf32: only GPUs compute in it, and the device is ",
                runtime.description(), "; fp32, bf16 and fp64 are the precisions of the CPU");
  runtime.set_precision(precision == "bf16"   ? Precision::bf16
                        : precision == "tf32" ? Precision::tf32
                        : precision == "fp64" ? Precision::fp64
                                              : Precision::fp32);
}

std::string precision_warning(const Context& context) {
  if (context.precision != Precision::bf16 || context.device.kind != DeviceKind::cpu ||
      fast_bf16(context.cpu_level))
    return {};
  return "precision bf16: instruction level " + std::string(name_of(context.cpu_level)) +
         " of this processor has no fast products in bf16 (matrix tiles, or dot products as fast "
         "as multiply-adds), so training takes at least as long as in fp32, in less memory";
}

Experiment::Experiment(const Configuration& given, Runtime& runtime, Logger& log, bool training,
                       const std::optional<Statistics>& statistics)
    : configuration(given),
      steps(make_steps(given.training)),
      store(open_store(given, runtime.communicator(), training ? &log : nullptr, &runtime.ledger(),
                       statistics)),
      network(built_in_models(), given.model.name, Forecaster::ports(*store, steps),
              given.model.settings, given.model.autopad, given.seed, runtime.context(), training),
      optimizer(training ? make_optimizer(given, "network", network.slab(), runtime.context())
                         : nullptr),
      task(given, store, network.model(), optimizer.get(), steps, runtime.communicator(),
           runtime.context()) {}

Json feature_record(const DatasetInfo& info, const Steps& steps) {
  return {{"state", info.state_names()},
          {"forcing", info.forcing_names},
          {"static", info.static_names},
          {"num_inter_steps", steps.inter},
          {"data_step_seconds", info.step_seconds},
          {"rows", info.rows},
          {"columns", info.columns}};
}

ModelRequest run_model_request(const std::string& run, const Configuration& configuration) {
  const std::string checkpoint = find_checkpoint(run, {"best", "last", "initial"});
  const Json trained = load_checkpoint_state(checkpoint).extra;
  const auto size = [&](const char* key) {
    return static_cast<int64_t>(recorded(trained, key, checkpoint).size());
  };
  ModelRequest request;
  request.model = configuration.model.name;
  request.settings = configuration.model.settings;
  request.autopad = configuration.model.autopad;
  request.inputs = configuration.training.num_input_steps * size("state") + size("static") +
                   size("forcing") + (configuration.dataset.missing == "mask");
  request.outputs = size("state");
  request.height = recorded(trained, "rows", checkpoint);
  request.width = recorded(trained, "columns", checkpoint);
  request.batch = configuration.training.batch_size;
  request.seed = configuration.seed;
  request.precision = configuration.precision;
  return request;
}

void check_same_features(const Json& trained, const DatasetInfo& info, const Steps& steps,
                         const std::string& origin) {
  if (!trained.is_object() || trained.empty()) return;
  const std::pair<const char*, std::vector<std::string>> kinds[] = {{"state", info.state_names()},
                                                                    {"forcing", info.forcing_names},
                                                                    {"static", info.static_names}};
  for (const auto& [kind, names] : kinds) {
    const std::vector<std::string> expected = recorded(trained, kind, origin);
    for (size_t i = 0; i < std::max(expected.size(), names.size()); ++i) {
      const std::string had = i < expected.size() ? expected[i] : "nothing",
                        has = i < names.size() ? names[i] : "nothing";
      if (had != has)
        throw Error(ErrorKind::configuration, origin, ": the network was trained with '", had,
                    "' as ", kind, " feature ", i + 1, ", but the data give '", has, "'");
    }
  }
  Steps before = steps;
  before.inter = recorded(trained, "num_inter_steps", origin);
  check_model_step(before, recorded(trained, "data_step_seconds", origin), steps,
                   static_cast<double>(info.step_seconds));
}

}  // namespace py4cast
