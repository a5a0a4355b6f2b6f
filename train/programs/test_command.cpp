// py4cast test
#include <algorithm>
#include <iostream>

#include "engine/error.h"
#include "engine/files.h"
#include "engine/settings/resolve.h"
#include "train/precision.h"
#include "train/programs/commands.h"
#include "train/progress.h"
#include "train/run_configuration.h"
#include "train/watch_ranks.h"

namespace py4cast {
namespace {

// The flags that the task of a run is tested with, beside the user's.
std::vector<FlagValue> test_flags(const Registries& registries, const std::string& run) {
  return registries.task_of(run_configuration(registries, run, {})).test_flags;
}

}  // namespace

std::string test_run(const Arguments& arguments) {
  if (arguments.positional.empty()) return arguments.required("ckpt");
  if (arguments.has("ckpt"))
    throw Error(ErrorKind::configuration, "command line: '--ckpt ", arguments.text("ckpt"),
                "' and the run ", arguments.positional[0], " cannot be given together");
  return arguments.positional[0];
}

TestRequest test_request(const Registries& registries, const std::string& run,
                         const Arguments& arguments) {
  if (arguments.has("out")) check_output(arguments.required("out"), arguments.has("overwrite"));
  std::vector<FlagValue> added = test_flags(registries, run);
  const Configuration configuration = run_configuration(registries, run, arguments.flags, added);
  const Keys keys = Keys::all(registries.layout());
  const auto key_of = [&](const FlagValue& flag) {
    const auto target = find_flag(keys, flag.flag.substr(2));
    return target ? target->key : nullptr;
  };
  std::erase_if(added, [&](const FlagValue& own) {
    return std::ranges::find(arguments.flags, key_of(own), key_of) != arguments.flags.end();
  });
  return {.run = run,
          .configuration = configuration,
          .split = parse_split(arguments.text("split", "valid")),
          .added = std::move(added),
          .own = run_configuration(registries, run, arguments.flags),
          .out = arguments.text("out")};
}

int run_test(const Registries& registries, const TestRequest& request) {
  const Configuration& configuration = request.configuration;
  return with_runtime(configuration.device, [&](Runtime& runtime) {
    set_precision(runtime, configuration.precision);
    const bool root = runtime.communicator().root();
    Logger log(root ? &std::cout : nullptr,
               root && shows_progress(configuration.run.progress) ? &std::cerr : nullptr);
    const RankWatch watch = watch_ranks(runtime.communicator(), configuration, log);
    const auto make = [&](const Configuration& wanted) {
      return registries.task_of(wanted).make({.configuration = wanted,
                                              .runtime = runtime,
                                              .log = log,
                                              .training = false,
                                              .run = request.run});
    };
    auto task = make(configuration);
    const bool as_wanted = request.added.empty() || task->has_samples(request.split);
    if (!as_wanted) task = make(request.own);
    log.info("scores of the ", name_of(request.split), " period",
             request.split == Split::valid
                 ? ", as the original's test program; --split test scores that of the test"
                 : "");
    for (const auto& [flag, value] : request.added)
      if (as_wanted)
        log.info("with ", flag, " ", value.value_or(""), ", as the original's test program");
      else
        log.info("with the run's own ", flag, ": the period has no sample for ", value.value_or(""),
                 ", which the original's test program takes");
    Context context = runtime.context();
    context.phase = Phase::evaluate;
    const TestReport report = task->test(context, request.split, runtime.communicator());
    log.info(report.text);
    if (!root || request.out.empty()) return 0;
    write_file(request.out, report.scores.dump(2) + "\n");
    log.info("written: ", request.out);
    return 0;
  });
}

Command test_command(const Registries& registries) {
  return {"test",
          "RUN",
          0,
          1,
          "Scores a run: its best weights on the validation period, 17 steps ahead where it has "
          "samples of so many, as the original's test program does; with --split test on that of "
          "the test, with --num_pred_steps_val_test N on N steps.",
          {{"split", "PERIOD", "train, valid (default, as in the original) or test."},
           {"out", "FILE", "Writes the scores, as in scores.json, to this file, too."},
           {"overwrite", "", "Replace FILE if it exists."},
           {"ckpt", "RUN", "The same as RUN."}},
          [&registries] { return registries.layout(); },
          [&registries](const Arguments& arguments) {
            return run_test(registries, test_request(registries, test_run(arguments), arguments));
          }};
}

}  // namespace py4cast
