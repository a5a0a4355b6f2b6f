// py4cast data order
#include <iostream>

#include "train/forecast/commands.h"
#include "train/forecast/experiment.h"
#include "train/run_configuration.h"

namespace py4cast {
namespace {

int data_order(const ForecastRegistries& kinds, const Configuration& configuration) {
  return with_runtime(configuration.device, [&](Runtime& runtime) {
    const Steps steps = make_rule(configuration, kinds).steps;
    const auto store = open_store(forecast_settings(configuration), kinds, runtime.communicator(),
                                  nullptr, &runtime.ledger());
    const auto data =
        std::make_shared<const Dataset>(store, Split::train, steps.input, steps.prediction_train);
    Loader loader(data, loader_settings(configuration, 0, 1));
    for (int64_t epoch = 0; epoch < configuration.training.epochs; ++epoch) {
      loader.start(epoch);
      for (int64_t number = 1; const Batch* batch = loader.next(); ++number) {
        Json line = {{"epoch", epoch + 1}, {"batch", number}, {"samples", Json::array()}};
        for (const int64_t sample : batch->samples)
          line["samples"].push_back(data->describe(sample));
        std::cout << line.dump() << '\n';
      }
    }
    return 0;
  });
}

}  // namespace

Command data_order_command(const Registries& registries, const ForecastRegistries& kinds) {
  return {"data order",
          "[CONFIG]",
          0,
          1,
          "Prints the samples of all epochs in the order in which training takes them.",
          {},
          [&registries] { return registries.layout(); },
          [&registries, &kinds](const Arguments& arguments) {
            return data_order(kinds, train_configuration(registries, arguments));
          }};
}

}  // namespace py4cast
