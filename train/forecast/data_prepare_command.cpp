// py4cast data prepare
#include <iostream>

#include "train/forecast/commands.h"
#include "train/forecast/experiment.h"
#include "train/run_configuration.h"

namespace py4cast {
namespace {

int data_prepare(const ForecastRegistries& kinds, const Configuration& configuration) {
  return with_runtime("cpu", [&](Runtime& runtime) {
    Logger log(&std::cout);
    const ForecastSettings settings = forecast_settings(configuration);
    const auto store = open_store(settings, kinds, runtime.communicator(), &log, &runtime.ledger());
    log.info(
        "statistics of ", store->info().state.size(), " state and ",
        store->info().forcing_statistics.size(), " forcing features are in ",
        settings.dataset.cache_folder,
        "; a training with this configuration finds them there (py4cast data info prints them)");
    return 0;
  });
}

}  // namespace

Command data_prepare_command(const Registries& registries, const ForecastRegistries& kinds) {
  return {"data prepare",
          "[CONFIG]",
          0,
          1,
          "Reads the training period once, on the CPU, and keeps its statistics where a training "
          "with this configuration finds them.",
          {},
          [&registries] { return registries.layout(); },
          [&registries, &kinds](const Arguments& arguments) {
            return data_prepare(kinds, train_configuration(registries, arguments));
          }};
}

}  // namespace py4cast
