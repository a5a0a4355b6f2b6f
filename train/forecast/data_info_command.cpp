// py4cast data info
#include <iostream>

#include "engine/error.h"
#include "train/forecast/commands.h"
#include "train/forecast/experiment.h"
#include "train/forecast/source_summary.h"
#include "train/run_configuration.h"

namespace py4cast {
namespace {

// Features with their statistics, and the samples of the periods.
int info_of_configuration(const ForecastRegistries& kinds, const Configuration& configuration) {
  return with_runtime("cpu", [&](Runtime& runtime) {
    Logger log(&std::cerr);
    const Steps steps = make_rule(configuration, kinds).steps;
    const auto store = open_store(forecast_settings(configuration), kinds, runtime.communicator(),
                                  &log, &runtime.ledger());
    std::cout << store->info().summary();
    for (const Split split : {Split::train, Split::valid, Split::test}) {
      const int64_t ahead =
          split == Split::train ? steps.prediction_train : steps.prediction_val_test;
      const Dataset samples(store, split, steps.input, ahead);
      std::cout << name_of(split) << ": " << samples.size() << " samples of " << steps.input
                << " input and " << ahead << " prediction steps, from " << samples.describe(0)
                << " to " << samples.describe(samples.size() - 1);
      if (samples.without_boundary() > 0)
        std::cout << "; " << samples.without_boundary() << " more lack boundary data";
      std::cout << "\n";
    }
    return 0;
  });
}

}  // namespace

Command data_info_command(const Registries& registries, const ForecastRegistries& kinds) {
  return {"data info",
          "[CONFIG | FILE...]",
          0,
          size_t(-1),
          "Prints grid, times and variables of files; or of a configuration the features of its "
          "data with units, statistics and weights, and its samples.",
          {},
          [&registries] { return registries.layout(); },
          [&registries, &kinds](const Arguments& arguments) {
            const std::vector<std::string>& files = arguments.positional;
            const bool configured = files.empty() || files[0].ends_with(".json") ||
                                    files[0].ends_with(".jsonc") || !arguments.flags.empty();
            if (!configured) {
              const DatasetKind& kind = kind_of_files(kinds.datasets, files);
              std::cout << source_summary(*kind.open_source(files, {}, nullptr));
              return 0;
            }
            if (files.size() > 1)
              throw Error(ErrorKind::configuration,
                          "data info: one configuration is asked for, or "
                          "data files without flags of a configuration; not ",
                          files.size(), " files");
            return info_of_configuration(kinds, train_configuration(registries, arguments));
          }};
}

}  // namespace py4cast
