// py4cast_train: training, validation, test; and the dry run.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <optional>

#include "engine/error.h"
#include "kernels/ops/arithmetic.h"
#include "train/environment.h"
#include "train/precision.h"
#include "train/programs/commands.h"
#include "train/progress.h"
#include "train/run_configuration.h"
#include "train/run_folder.h"
#include "train/tensorboard.h"

namespace py4cast {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What must be the same to go on bit for bit: everything but where files lie, the device, how
// batches are read ahead, and how the batches of a step are shared between ranks.
Json continuation(Json json, int64_t ranks) {
  json.erase("run");
  json.erase("device");
  Json& training = json["training"];
  for (const char* reading : {"num_workers", "prefetch_factor", "pin_memory"})
    training.erase(reading);
  for (const char* per_rank : {"accumulate_batches", "limit_train_batches"}) {
    json["ranks x training." + std::string(per_rank)] =
        ranks * training.value(per_rank, int64_t{0});
    training.erase(per_rank);
  }
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

// What a run leaves behind while it trains: log, metrics, TensorBoard, checkpoints, the status
// line. Without a folder only the log on the terminal.
class Records {
 public:
  Records(const Configuration& configuration, Task& task, Trainer& trainer, RunFolder* folder,
          Logger& log, Communicator& communicator)
      : configuration_(configuration),
        task_(task),
        trainer_(trainer),
        folder_(folder),
        log_(log),
        root_(communicator.root()),
        ranks_(communicator.size()) {
    const RunSection& run = configuration.run;
    if (!root_ || !folder || !run.tensorboard) return;
    const bool resumed = !run.resume.empty();
    board_.emplace(folder->file("tensorboard"),
                   resumed ? std::optional(trainer.position().step + 1) : std::nullopt);
    if (!resumed)
      board_->text("configuration", "```json\n" + configuration.document.dump(2) + "\n```", 0);
  }

  TrainerObserver observer() {
    TrainerObserver observer;
    observer.on_step = [this](const StepReport& report, int64_t number) { step(report, number); };
    observer.on_epoch = [this](int64_t, double loss) {
      epoch_loss_ = loss;
      if (board_) board_->scalar("train_loss_epoch", loss, trainer_.position().step);
      progress_.reset();
    };
    observer.on_validation = [this](const Position& position, const Evaluation& evaluation,
                                    bool best) { validation(position, evaluation, best); };
    observer.on_checkpoint = [this](const Position& position) {
      save("last", position);
      begin_epoch();
    };
    begin_epoch();
    return observer;
  }

  void save(const std::string& name, const Position& position) {
    if (!folder_) return;
    CheckpointState state;
    state.epoch = position.epoch;
    state.batch = position.batch;
    state.step = position.step;
    state.seed = configuration_.seed;
    if (position.has_best) state.best = position.best;
    state.configuration_hash = fingerprint(continuation(configuration_.document, ranks_).dump());
    state.extra = task_.checkpoint_record();
    folder_->save(name, trainer_.learners(), state);
  }

  void scalars(const std::vector<std::pair<std::string, double>>& values, int64_t at) {
    if (!board_) return;
    for (const auto& [tag, value] : values) board_->scalar(tag, value, at);
  }

 private:
  void begin_epoch() {
    before_epoch_ = trainer_.position().step;
    progress_.emplace(log_, "epoch " + std::to_string(trainer_.position().epoch + 1),
                      trainer_.steps_per_epoch());
  }

  // Tags of several learners begin with the move's name.
  std::string tag(const StepReport& report, const char* name) const {
    return trainer_.learners().size() > 1 ? report.move + "_" + name : name;
  }

  void step(const StepReport& report, int64_t number) {
    if (!root_) return;
    const std::string loss = tag(report, "train_loss"), lr = tag(report, "lr");
    if (folder_)
      folder_->append_metrics({{"step", number},
                               {"epoch", report.place.epoch + 1},
                               {loss, report.loss},
                               {lr, report.lr}});
    if (board_) board_->scalar(loss + "_step", report.loss, number);
    if (board_) board_->scalar(lr, report.lr, number);
    if (progress_) progress_->update(number - before_epoch_, report.loss);
  }

  void validation(const Position& position, const Evaluation& evaluation, bool best) {
    if (root_) report(position, evaluation, best);
    if (best) save("best", position);
  }

  void report(const Position& position, const Evaluation& evaluation, bool best) {
    Json line = {{"step", position.step}, {"epoch", position.epoch}};
    for (const auto& [tag, value] : evaluation.scalars) line[tag] = value;
    if (folder_) folder_->append_metrics(line);
    scalars(evaluation.scalars, position.step);
    log_.info("epoch ", position.epoch, " of ", configuration_.training.epochs, ": training loss ",
              epoch_loss_, ", validation loss ", evaluation.loss, best ? ", best" : "");
  }

  const Configuration& configuration_;
  Task& task_;
  Trainer& trainer_;
  RunFolder* folder_;
  Logger& log_;
  bool root_;
  int64_t ranks_;
  double epoch_loss_ = 0;
  std::optional<TensorBoard> board_;
  std::optional<Progress> progress_;  // of the epoch under way
  int64_t before_epoch_ = 0;          // steps
};

std::unique_ptr<RunFolder> make_folder(const Configuration& configuration, const Task& task,
                                       Runtime& runtime, Logger& log) {
  const RunSection& run = configuration.run;
  if (run.no_log) return nullptr;
  auto folder = std::make_unique<RunFolder>(
      RunFolder::Place{run.root, run.campaign_name, task.folder_names(), run.run_name},
      runtime.communicator(), log);
  folder->write_json("config.json", configuration.document);
  folder->write_json("environment.json", run_environment(runtime));
  task.write_files(*folder);
  return folder;
}

// Test of the best weights: scores.json, and what the task has to say.
void test(Trainer& trainer, RunFolder& folder, Records& records, Runtime& runtime, Logger& log) {
  runtime.communicator().barrier();
  load_weights(folder.checkpoint("best"), trainer.learners());
  const TestReport report = trainer.test();
  records.scalars(report.scalars, trainer.position().step);
  if (!runtime.communicator().root()) return;
  folder.write_json("scores.json", report.scores);
  if (!report.text.empty()) log.info(report.text);
}

// The engines that the plan of a step has chosen, for the record of the run.
void note_engines(Runtime& runtime, RunFolder* folder, Logger& log) {
  const std::vector<std::string> engines = runtime.engines();
  if (engines.empty()) return;
  for (const std::string& engine : engines)
    if (engine.find("our own kernel") != std::string::npos) log.info(engine);
  if (folder) folder->write_json("environment.json", run_environment(runtime));
}

void resume(const Registries& registries, const std::string& path,
            const Configuration& configuration, Trainer& trainer, Runtime& runtime, Logger& log) {
  const CheckpointState state = load_checkpoint(path, trainer.learners());
  const Json given = continuation(configuration.document, runtime.communicator().size());
  const std::string run = find_run(path);
  const Json environment = read_json_file(run + "/environment.json");
  if (state.configuration_hash != fingerprint(given.dump())) {
    // Keys that the run did not know yet have their defaults.
    const Json before = continuation(registries.resolve({.file = run + "/config.json"}).document,
                                     environment.value("ranks", int64_t{1}));
    if (before != given)
      throw Error(ErrorKind::configuration, path,
                  ": the configuration differs from that of the run to be resumed (",
                  first_difference(before, given),
                  "); --load_model_ckpt starts a new run from its weights");
  }
  log.info("goes on from ", path, ": ", state.epoch, " epochs, ", state.step, " steps done");
  const std::string before = environment.value("device", "");
  const auto kind = [](const std::string& device) {
    return device.substr(0, device.find_first_of(":,( "));
  };
  if (kind(before) != kind(runtime.description()))
    log.warning("the run was trained on ", before,
                "; on another device its numbers will be close to those it would have had there, "
                "not the same");
  trainer.set_position({.epoch = state.epoch,
                        .batch = state.batch,
                        .step = state.step,
                        .best = state.best.value_or(0),
                        .has_best = state.best.has_value()});
}

// What the user asked for and will not get, or not at once.
void note_profile(const Configuration& configuration, const Trainer& trainer, Device device,
                  Logger& log) {
  if (configuration.run.profile_steps.empty()) return;
  const auto [first, last] = profiled_steps(configuration.run.profile_steps);
  const int64_t steps = configuration.training.epochs * trainer.steps_per_epoch();
  if (device.kind == DeviceKind::cpu)
    log.warning(
        "run.profile_steps has no effect on the CPU; the ranges of the layers are always there "
        "for a profiler (NVTX)");
  else if (first > steps)
    log.warning("run.profile_steps: the training has ", steps, " steps, so step ", first,
                " is never reached");
  else
    log.info("steps ", first, " to ", last, " are marked for a profiler");
}

int train(const Registries& registries, const Configuration& configuration, Runtime& runtime) {
  const auto start = Clock::now();
  const bool root = runtime.communicator().root();
  Logger log(root ? &std::cout : nullptr,
             root && shows_progress(configuration.run.progress) ? &std::cerr : nullptr);
  if (!configuration.run.resume.empty()) find_checkpoint(configuration.run.resume, {"last"});
  log.info(runtime.description());
  if (const std::string way = runtime.connect_devices(add_into); !way.empty()) log.info(way);
  if (const std::string warning = precision_warning(runtime.context()); !warning.empty())
    log.warning(warning);
  const auto task = registries.task_of(configuration)
                        .make({.configuration = configuration, .runtime = runtime, .log = log});
  Trainer trainer(runtime.context(), *task, runtime.communicator(),
                  trainer_settings(configuration));
  if (!configuration.run.load_model_ckpt.empty())
    load_weights(configuration.run.load_model_ckpt, trainer.learners());
  // What does not fit together is said before there is a folder.
  const size_t activations = trainer.plan().bytes;

  std::unique_ptr<RunFolder> folder;
  if (configuration.run.resume.empty()) {
    folder = make_folder(configuration, *task, runtime, log);
  } else {
    const std::string checkpoint = find_checkpoint(configuration.run.resume, {"last"});
    resume(registries, checkpoint, configuration, trainer, runtime, log);
    folder =
        std::make_unique<RunFolder>(find_run(configuration.run.resume),
                                    load_checkpoint_state(checkpoint), runtime.communicator(), log);
  }
  if (folder) log.info("run folder: ", folder->path());
  note_profile(configuration, trainer, runtime.device(), log);
  Records records(configuration, *task, trainer, folder.get(), log, runtime.communicator());
  if (configuration.run.resume.empty()) records.save("initial", trainer.position());
  log.info(task->description(), "; ", trainer.steps_per_epoch(),
           " steps an epoch; activations of a step ", activations / 1000000, " MB; ready after ",
           seconds_since(start), " s");
  note_engines(runtime, configuration.run.resume.empty() ? folder.get() : nullptr, log);
  const auto begin = Clock::now();
  trainer.fit(all_of(
      {records.observer(), registries.make_observer(configuration, folder.get(), *task, log)}));
  const double train_seconds = seconds_since(begin);
  log.info("trained in ", train_seconds, " s");
  if (folder) folder->write_json("timing.json", {{"train_seconds", train_seconds}});
  if (folder) test(trainer, *folder, records, runtime, log);
  if (folder) log.info("results: ", folder->path());
  return 0;
}

int run_train(const Registries& registries, const Configuration& configuration) {
  Runtime runtime(configuration.device);
  return runtime.guard([&] {
    set_precision(runtime, configuration.precision);
    check_ranks(configuration, runtime.communicator().size());
    return train(registries, configuration, runtime);
  });
}

// Prints the resolved configuration, the parameter count and the memory plan.
int dry_run(const Registries& registries, const Configuration& configuration) {
  Runtime runtime(configuration.device);
  set_precision(runtime, configuration.precision);
  Logger log(&std::cerr);
  const auto task = registries.task_of(configuration)
                        .make({.configuration = configuration, .runtime = runtime, .log = log});
  Trainer trainer(runtime.context(), *task, runtime.communicator(),
                  trainer_settings(configuration));
  const StepPlan& plan = trainer.plan();
  std::cout << configuration.document.dump(2) << "\n" << task->summary();
  size_t bytes = 0;
  for (const Optimizer* learner : trainer.learners())
    bytes += learner->slab().values().bytes() * (2 + learner->state().size());
  std::printf("%lld optimiser steps an epoch\n", static_cast<long long>(trainer.steps_per_epoch()));
  std::printf(
      "memory of a training step: %.1f MB of activations (%.1f MB live at once, %zu blocks); "
      "%.1f MB of parameters, gradients and moments\n",
      static_cast<double>(plan.bytes) / 1e6, static_cast<double>(plan.live_bytes) / 1e6,
      plan.requests.size(), static_cast<double>(bytes) / 1e6);
  return 0;
}

}  // namespace

Command train_command(const Registries& registries, const std::string& name) {
  return {name,
          "[CONFIG]",
          0,
          1,
          "Trains, validates and tests a network. CONFIG is a JSON file in which comments are "
          "allowed. Defaults < CONFIG < environment (PY4CAST_SECTION_KEY) < flags.",
          {{"dry-run", "", "Print the configuration, the parameter count and the memory plan."},
           {"test", "RUN", "Score this run instead of training."},
           {"split", "PERIOD", "With --test: train, valid (default) or test."}},
          [&registries] { return registries.layout(); },
          [&registries](const Arguments& arguments) {
            if (arguments.has("test"))
              return run_test(registries,
                              test_request(registries, arguments.text("test"), arguments));
            const Configuration configuration = train_configuration(registries, arguments);
            return arguments.has("dry-run") ? dry_run(registries, configuration)
                                            : run_train(registries, configuration);
          }};
}

}  // namespace py4cast
