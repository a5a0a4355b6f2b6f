#include "train/programs/resumption.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/error.h"
#include "engine/files.h"
#include "train/environment.h"

namespace py4cast {
namespace {

namespace fs = std::filesystem;

// to = from at that place.
void take_place(Json& to, const Json& from, const std::string& path) {
  if (const Json* value = find_place(from, path)) place_of(to, path) = *value;
}

// What must be the same to go on bit for bit: everything but the device, where the results go, what the
// task lets free, the number of epochs (check_epochs), the patience, and how the batches of a step are shared
// between ranks.
Json continuation(Json json, int64_t ranks, const std::vector<std::string>& free_keys) {
  json.erase("run");
  json.erase("device");
  for (const std::string& key : free_keys) place_of(json, key) = nullptr;
  Json training = json["training"];  // a copy: new keys of json move its values
  training.erase("epochs");
  training.erase("patience");
  // Then it matters for the sums which batches one rank has.
  if (training.value("embed_once", false)) json["ranks (with training.embed_once)"] = ranks;
  for (const char* per_rank : {"accumulate_batches", "limit_train_batches"}) {
    json["ranks x training." + std::string(per_rank)] =
        ranks * training.value(per_rank, int64_t{0});
    training.erase(per_rank);
  }
  json["training"] = std::move(training);
  return json;
}

// "'precision' was "bf16" and is "fp32"": the first key in which two documents differ.
std::string first_difference(const Json& before, const Json& now) {
  const Json was = before.flatten(), is = now.flatten();
  for (const Json* keys : {&is, &was})
    for (const auto& [pointer, value] : keys->items()) {
      const Json old = was.value(pointer, Json()), given = is.value(pointer, Json());
      if (old == given) continue;
      std::string key = pointer.substr(1);
      std::replace(key.begin(), key.end(), '/', '.');
      return "'" + key + "' was " + old.dump() + " and is " + given.dump();
    }
  return "it was written by another version";
}

// What an environment.json says.
struct Environment {
  int64_t ranks = 1;
  std::string arithmetic;  // the kind of processor, as far as the bits depend on it
};
Environment environment_of(const Json& json) {
  const std::string device = json.value("device", ""),
                    kind = device.substr(0, device.find_first_of(":,( "));
  const Json gpus = json.value("gpus", Json::array());
  return {json.value("ranks", int64_t{1}), gpus.empty()
                                               ? kind + " (" + json.value("cpu_level", "") + ")"
                                               : gpus.at(0).at("name").get<std::string>()};
}
Environment read_environment(const std::string& run) {
  const std::string file = run + "/environment.json";
  try {
    return environment_of(parse_json(read_file(file), file, ErrorKind::data));
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::data, file, ": is not the environment of a run: ", error.what());
  }
}

// More epochs than a run was begun with; fewer are refused. `done`: the epochs that it has.
void check_epochs(const Configuration& before, const Configuration& given, int64_t done,
                  const Trainer& trainer, const std::string& path, Logger& log) {
  const int64_t had = before.training.epochs, has = given.training.epochs;
  if (has == had) return;
  if (has < had)
    throw Error(ErrorKind::configuration, path, ": 'training.epochs' was ", had, " and is ", has,
                "; the epochs of a run may grow but not shrink");
  log.info("training.epochs grows from ", had, " to ", has);
  if (given.training.schedule.name == Schedule::Kind::cosine)
    log.warning("the cosine of the learning rate now ends at step ",
                has * trainer.steps_per_epoch(), ", not ", had * trainer.steps_per_epoch(),
                ": from here on the run differs from one that had all these epochs from its start");
  if (done == had && had % before.training.val_interval != 0)
    log.warning("epoch ", had, " was the last one and so was validated: a run that had all these ",
                "epochs from its start would not have been, and its best weights may be others");
}

// Error(configuration): the configuration or the data are not those that the run can go on with. Gives
// the run's own configuration with what may have changed; null: nothing.
Json check_continues(const Registries& registries, const std::string& path,
                     const CheckpointState& state, const Configuration& configuration,
                     const Environment& former, const Trainer& trainer, const Task& task,
                     Runtime& runtime, Logger& log) {
  const std::vector<std::string>& free_keys = registries.task_of(configuration).free_keys;
  // Keys that the run did not know yet have their defaults.
  const Configuration before = registries.resolve({.file = find_run(path) + "/config.json"});
  const Json given = continuation(configuration.document, runtime.communicator().size(), free_keys),
             had = continuation(before.document, former.ranks, free_keys);
  if (state.configuration_hash != fingerprint(given.dump()) && had != given)
    throw Error(ErrorKind::configuration, path,
                ": the configuration differs from that of the run to be resumed (",
                first_difference(had, given),
                "); --load_model_ckpt starts a new run from its weights");
  check_epochs(before, configuration, state.epoch, trainer, path, log);
  task.check_same_data(state.extra, path);
  Json now = before.document;
  for (const char* key : {"training.epochs", "training.patience"})
    take_place(now, configuration.document, key);
  for (const std::string& key : free_keys) take_place(now, configuration.document, key);
  return now == before.document ? Json() : now;
}

// Error(data): a run that its beginning stands for has come further.
void check_first_epoch(const std::string& run) {
  const std::string last = run + "/checkpoints/last";
  int64_t epoch = 0;
  std::ifstream metrics(run + "/metrics.jsonl");
  for (std::string line; std::getline(metrics, line);)
    if (const Json json = Json::parse(line, nullptr, false); json.is_object())
      epoch = std::max(epoch, json.value("epoch", int64_t{0}));
  if (epoch > 1 || fs::exists(folder_or_old(last)))
    throw Error(ErrorKind::data, last, ": is missing or damaged, but the run has come to epoch ",
                std::max<int64_t>(epoch, 1), "; --resume ", run,
                "/checkpoints/initial would begin it again");
}

}  // namespace

std::string continuation_fingerprint(const Registries& registries,
                                     const Configuration& configuration, int64_t ranks) {
  return fingerprint(
      continuation(configuration.document, ranks, registries.task_of(configuration).free_keys)
          .dump());
}

std::unique_ptr<RunFolder> resume(const Registries& registries, const std::string& path,
                                  const Configuration& configuration, Trainer& trainer,
                                  const Task& task, Runtime& runtime, Logger& log) {
  const std::string run = find_run(path);
  auto folder = std::make_unique<RunFolder>(run, runtime.communicator());
  const Environment former = read_environment(run),
                    now = environment_of(environment_report(runtime));
  const CheckpointState state = load_checkpoint(path, trainer.learners());
  const Json changed =
      check_continues(registries, path, state, configuration, former, trainer, task, runtime, log);
  trainer.set_position({.epoch = state.epoch,
                        .batch = state.batch,
                        .step = state.step,
                        .epoch_loss = state.epoch_loss,
                        .best = state.best.value_or(0),
                        .has_best = state.best.has_value(),
                        .without_best = state.without_best},
                       path);
  std::error_code none;
  if (const std::string last = run + "/checkpoints/last";
      fs::exists(last, none) && !fs::equivalent(path, last, none))
    log.warning(path, " is not the run's last checkpoint: what came after it is done again");
  log.info("goes on from ", path, ": ", state.epoch, state.epoch == 1 ? " epoch, " : " epochs, ",
           state.step, " steps done");
  folder->go_on_from(state, log);
  // The sum of a step's gradients, one after another: on one rank, or with one batch on each.
  const auto in_order = [](int64_t ranks, int64_t batches) { return ranks == 1 || batches == 1; };
  const int64_t ranks = runtime.communicator().size(),
                batches = configuration.training.accumulate_batches;
  if (former.ranks != ranks &&
      !(in_order(ranks, batches) && in_order(former.ranks, ranks * batches / former.ranks)))
    log.warning(
        "the run was begun on ", former.ranks, former.ranks == 1 ? " rank" : " ranks",
        " and goes on on ", ranks,
        ": gradients are added in another order, so numbers will be close to those it would "
        "have had there, not the same");
  if (former.arithmetic != now.arithmetic)
    log.warning("the run was begun on ", former.arithmetic, " and goes on on ", now.arithmetic,
                ": its numbers will be close to those it would have had there, not the same");
  if (!changed.is_null()) folder->write_json("config.json", changed);
  return folder;
}

std::string find_start(const RunSection& run, Communicator& communicator) {
  if (!run.resume.empty() && !run.resume_or_start.empty())
    throw Error(ErrorKind::configuration,
                "run.resume and run.resume_or_start cannot be given together");
  if (run.no_log && (!run.resume.empty() || !run.resume_or_start.empty()))
    throw Error(ErrorKind::configuration, "run.no_log cannot go with run.resume",
                run.resume.empty() ? "_or_start" : "", ", which goes on in a run folder");
  std::string checkpoint;
  // Before the first epoch has ended there is the state that the run began with.
  if (communicator.root() && !run.resume.empty())
    checkpoint = find_checkpoint(run.resume, {"last", "initial"});
  if (communicator.root() && !run.resume_or_start.empty())
    checkpoint = checkpoint_at(run.resume_or_start, {"last", "initial"});
  for (const std::string& given : {run.resume, run.resume_or_start})
    if (!given.empty() && checkpoint == fs::path(given) / "checkpoints" / "initial")
      check_first_epoch(given);
  return communicator.broadcast(checkpoint);
}

}  // namespace py4cast
