// py4cast baselines
#include <iostream>

#include "engine/error.h"
#include "train/forecast/baselines.h"
#include "train/forecast/commands.h"
#include "train/forecast/experiment.h"
#include "train/forecast/score_table.h"
#include "train/run_configuration.h"
#include "train/watch_ranks.h"

namespace py4cast {
namespace {

int baselines(const ForecastRegistries& kinds, const Configuration& configuration, Split split,
              bool json) {
  return with_runtime("cpu", [&](Runtime& runtime) {
    const bool root = runtime.communicator().root();
    Logger log(root ? &std::cerr : nullptr);
    const RankWatch watch = watch_ranks(runtime.communicator(), configuration, log);
    const ForecastSettings settings = forecast_settings(configuration);
    const Steps steps = make_rule(configuration, kinds).steps;
    const auto store = open_store(settings, kinds, runtime.communicator(), &log, &runtime.ledger());
    const Dataset samples(store, split, steps.input, steps.prediction_val_test);
    const BaselineScores result =
        baseline_scores(samples, {}, runtime.communicator(), settings.dataset.cache_folder);
    for (const std::string& note : result.notes) log.info(note);
    if (!root) return 0;
    const DatasetInfo& info = store->info();
    std::cout << (json ? result.scores.dump(2) + "\n"
                       : std::string(name_of(split)) + ": " + std::to_string(samples.size()) +
                             " samples\n" +
                             score_table(reference_forecasts(result.scores), info.state_names(),
                                         info.state_units()));
    return 0;
  });
}

}  // namespace

Command baselines_command(const Registries& registries, const ForecastRegistries& kinds) {
  return {"baselines",
          "[CONFIG]",
          0,
          1,
          "Computes the scores of the references that need no network, on the CPU, prints them and "
          "keeps them where the test of a training with this configuration finds them.",
          {{"split", "PERIOD", "test (default), valid or train."},
           {"json", "", "As JSON, not as a table."}},
          [&registries] { return registries.layout(); },
          [&registries, &kinds](const Arguments& arguments) {
            return baselines(kinds, train_configuration(registries, arguments),
                             parse_split(arguments.text("split", "test")), arguments.has("json"));
          }};
}

}  // namespace py4cast
