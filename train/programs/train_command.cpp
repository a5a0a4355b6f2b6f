// py4cast_train: training, validation, test; and the dry run.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>

#include "engine/error.h"
#include "engine/stopwatch.h"
#include "kernels/ops/arithmetic.h"
#include "train/environment.h"
#include "train/precision.h"
#include "train/programs/commands.h"
#include "train/programs/records.h"
#include "train/programs/resumption.h"
#include "train/run_configuration.h"
#include "train/stop_signals.h"
#include "train/watch_ranks.h"

namespace py4cast {
namespace {

std::string counted(int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// "28.4 s"
std::string in_seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", seconds);
  return text;
}

std::unique_ptr<RunFolder> make_folder(const Configuration& configuration, const Task& task,
                                       Runtime& runtime, Logger& log) {
  const RunSection& run = configuration.run;
  if (run.no_log) return nullptr;
  auto folder = std::make_unique<RunFolder>(
      RunFolder::Place{run.root_folder(), run.campaign_name, task.folder_names(), run.run_name,
                       run.resume_or_start},
      runtime.communicator(), log);
  Json document = configuration.document;
  place_of(document, "run.resume_or_start") = "";  // who takes this file begins another run
  folder->write_json("config.json", document);
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
  records.pictures(report.pictures, trainer.position().step);
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

// What run.ceilings says, else measured, by all ranks at once. None on an emulated device.
std::optional<Ceilings> ceilings_of(const Configuration& configuration, Runtime& runtime) {
  const Precision precision = runtime.context().precision;
  if (const Numbers& told = configuration.run.ceilings; !told.empty())
    return told[0] > 0 && told[1] > 0 ? std::optional(Ceilings{{{precision, told[0]}}, told[1]})
                                      : std::nullopt;
  if (runtime.emulated()) return {};
  runtime.communicator().barrier();
  return measure_ceilings(runtime, {precision});
}

// Says when run.checkpoint_every asks for a checkpoint.
std::function<bool(int64_t step)> checkpoint_clock(const std::string& text) {
  const CheckpointEvery every = checkpoint_every(text);
  if (every.steps) return [every](int64_t step) { return step % every.steps == 0; };
  if (every.minutes == 0) return {};
  return [every, last = Stopwatch()](int64_t) mutable {
    if (last.seconds() < 60 * every.minutes) return false;
    last = Stopwatch();
    return true;
  };
}

// For the log and the exit code.
int stopped(const StopSignals& signals, const Position& position, const RunFolder* folder,
            Logger& log) {
  log.info(
      signals.received() ? signals.name() : "a signal to another rank", ": stopped ",
      position.batch > 0 ? "in epoch " + std::to_string(position.epoch + 1) + " " : std::string(),
      "after step ", position.step, "; ",
      folder ? "--resume " + folder->path() + " goes on from there"
             : "nothing is kept (run.no_log)",
      "; exit code ", stopped_exit_code);
  return stopped_exit_code;
}

int train(const Registries& registries, const Configuration& configuration, Runtime& runtime) {
  const Stopwatch start;
  StopSignals signals;
  const bool root = runtime.communicator().root();
  Logger log(root ? &std::cout : nullptr,
             root && shows_progress(configuration.run.progress) ? &std::cerr : nullptr);
  RankWatch watch = watch_ranks(runtime.communicator(), configuration, log);
  const std::string checkpoint = find_start(configuration.run, runtime.communicator());
  const bool resumed = !checkpoint.empty();
  log.info(runtime.description());
  if (const std::string way = runtime.connect_devices(add_into); !way.empty()) log.info(way);
  if (const std::string warning = precision_warning(runtime.context()); !warning.empty())
    log.warning(warning);
  const auto task = registries.task_of(configuration)
                        .make({.configuration = configuration, .runtime = runtime, .log = log});
  TrainerSettings settings = trainer_settings(configuration);
  settings.stop = [&signals] { return signals.received(); };
  const auto clock = checkpoint_clock(configuration.run.checkpoint_every);
  if (root) settings.checkpoint = clock;
  settings.step.arrived = [&watch] { watch.arrived(); };
  Trainer trainer(runtime.context(), *task, runtime.communicator(), settings);
  if (const std::string& path = configuration.run.load_model_ckpt; !resumed && !path.empty()) {
    const Json record = load_weights(path, trainer.learners());
    log.info("weights of ", path,
             record.is_null() ? ", which does not say of which features, units and scales" : "");
    if (const std::string doubt = task->check(record, path); !doubt.empty()) log.warning(doubt);
  }
  // What does not fit together is said before there is a folder.
  const size_t activations = trainer.plan().bytes;

  const std::unique_ptr<RunFolder> folder =
      resumed ? resume(registries, checkpoint, configuration, trainer, *task, runtime, log)
              : make_folder(configuration, *task, runtime, log);
  if (folder) log.info("run folder: ", folder->path());
  note_profile(configuration, trainer, runtime.device(), log);
  Records records({.configuration = configuration,
                   .fingerprint = continuation_fingerprint(registries, configuration,
                                                           runtime.communicator().size()),
                   .task = *task,
                   .trainer = trainer,
                   .folder = folder.get(),
                   .resumed = resumed,
                   .root = root},
                  Speed(ceilings_of(configuration, runtime), runtime.context().precision), log);
  if (!resumed) records.save("initial", trainer.position());
  log.info(task->description(), "; ", counted(trainer.steps_per_epoch(), "step"),
           " an epoch; activations of a step ", activations / 1000000, " MB; ready after ",
           in_seconds(start.seconds()));
  note_engines(runtime, resumed ? nullptr : folder.get(), log);
  const Stopwatch begin;
  const TrainerObserver others = registries.make_observer(configuration, folder.get(), *task, log);
  if (!trainer.fit(all_of({records.observer(), others})))
    return stopped(signals, trainer.position(), folder.get(), log);
  signals.end_at_once();
  const double train_seconds = begin.seconds();
  if (const Position& end = trainer.position(); end.epoch < configuration.training.epochs)
    log.info("epoch ", end.epoch, " of ", configuration.training.epochs,
             " was the last: ", counted(end.without_best, "validation"),
             " without a new lowest loss (training.patience)");
  log.info("trained in ", in_seconds(train_seconds));
  if (folder) folder->write_json("timing.json", {{"train_seconds", train_seconds}});
  if (folder) test(trainer, *folder, records, runtime, log);
  if (folder) log.info("results: ", folder->path());
  return 0;
}

int run_train(const Registries& registries, const Configuration& configuration) {
  return with_runtime(configuration.device, [&](Runtime& runtime) {
    set_precision(runtime, configuration.precision);
    check_ranks(configuration, runtime.communicator().size());
    return train(registries, configuration, runtime);
  });
}

// Without a file, a flag or a variable of the environment that says what to train, a beginner looks for
// the door.
void check_given(const Registries& registries, const Arguments& arguments,
                 const Configuration& configuration) {
  if (!arguments.positional.empty() || !arguments.flags.empty()) return;
  Json given = configuration.document, otherwise = resolve(registries.layout(), {});
  for (Json* document : {&given, &otherwise}) document->erase("run");
  if (given == otherwise)
    throw Error(ErrorKind::configuration,
                "no configuration is given: 'py4cast_train config/dummy.json' tries the program, "
                "'py4cast init FILE.nc > mine.json' makes one for files of your own");
}

// Prints the resolved configuration, the parameter count and the memory plan.
int dry_run(const Registries& registries, const Configuration& configuration) {
  return with_runtime(configuration.device, [&](Runtime& runtime) {
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
    std::printf("%s an epoch\n", counted(trainer.steps_per_epoch(), "optimiser step").c_str());
    std::printf(
        "memory of a training step: %.1f MB of activations (%.1f MB live at once, %zu blocks); "
        "%.1f MB of parameters, gradients and moments",
        static_cast<double>(plan.bytes) / 1e6, static_cast<double>(plan.live_bytes) / 1e6,
        plan.requests.size(), static_cast<double>(bytes) / 1e6);
    if (const size_t shared = trainer.runner().shared_bytes())
      std::printf("; %.1f MB of embeddings and their gradients", static_cast<double>(shared) / 1e6);
    std::puts("");
    return 0;
  });
}

}  // namespace

std::string run_to_test(const Arguments& arguments) {
  const std::string run = arguments.text("test");
  const auto refuse = [](const auto&... parts) {
    throw Error(ErrorKind::configuration, "command line: ", parts...);
  };
  for (const char* flag : {"split", "out", "overwrite"})
    if (run.empty() && arguments.has(flag)) refuse("'--", flag, "' goes with '--test' alone");
  if (!run.empty() && arguments.has("dry-run"))
    refuse("'--test' and '--dry-run' cannot be given together");
  if (!run.empty() && !arguments.positional.empty())
    refuse("'--test ", run, "' and the configuration ", arguments.positional[0],
           " cannot be given together: a run has its own");
  return run;
}

Command train_command(const Registries& registries, const std::string& name) {
  return {name,
          "[CONFIG]",
          0,
          1,
          "Trains, validates and tests a network. CONFIG is a JSON file in which comments are "
          "allowed. Defaults < CONFIG < environment (PY4CAST_SECTION_KEY) < flags.",
          {{"dry-run", "", "Print the configuration, the parameter count and the memory plan."},
           {"test", "RUN", "Score this run instead of training."},
           {"split", "PERIOD", "With --test: train, valid (default, as in the original) or test."},
           {"out", "FILE", "With --test: writes the scores, as in scores.json, to this file, too."},
           {"overwrite", "", "Replace FILE if it exists."}},
          [&registries] { return registries.layout(); },
          [&registries](const Arguments& arguments) {
            if (const std::string run = run_to_test(arguments); !run.empty())
              return run_test(registries, test_request(registries, run, arguments));
            const Configuration configuration = train_configuration(registries, arguments);
            check_given(registries, arguments, configuration);
            return arguments.has("dry-run") ? dry_run(registries, configuration)
                                            : run_train(registries, configuration);
          },
          true};
}

}  // namespace py4cast
