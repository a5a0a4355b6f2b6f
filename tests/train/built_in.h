// What is built in, and its configurations with the parts of all tables in one struct.
#pragma once

#include <string>
#include <vector>

#include "train/forecast/experiment.h"
#include "train/forecast/forecast_kind.h"
#include "train/registries.h"

namespace py4cast {

// Registries that a test may add to.
struct TestRegistries {
  Registries general;
  ForecastRegistries forecast;

  TestRegistries() {
    add_built_in(general);
    add_built_in(forecast);
    general.tasks.add(forecast_kind(general, forecast));
  }
  TestRegistries(const TestRegistries&) = delete;
  TestRegistries& operator=(const TestRegistries&) = delete;
};

inline const TestRegistries& built_in() {
  static const TestRegistries registries;
  return registries;
}

struct Resolved {
  struct Model : ModelSection {
    Json settings;
  };
  struct Training : TrainingSection, ForecastTraining {
    struct {
      std::string name;
      double lr = 0;
      std::vector<double> betas;
    } optimizer;
  };

  Resolved() = default;
  explicit Resolved(const Configuration& configuration)
      : all(configuration),
        seed(all.seed),
        device(all.device),
        precision(all.precision),
        run(all.run),
        dataset(forecast_settings(all).dataset) {
    static_cast<ModelSection&>(model) = forecast_settings(all).model;
    model.settings = all.section("model.settings");
    static_cast<TrainingSection&>(training) = all.training;
    static_cast<ForecastTraining&>(training) = forecast_settings(all).training;
    const Json optimizer = all.section("training.optimizer");
    training.optimizer = {optimizer["name"], optimizer["lr"], optimizer.value("betas", Numbers{})};
  }

  Configuration all;
  int64_t seed = 0;
  std::string device, precision;
  RunSection run;
  Model model;
  DatasetSettings dataset;
  Training training;
};

inline Resolved resolve(const ConfigurationSources& sources) {
  return Resolved(built_in().general.resolve(sources));
}

}  // namespace py4cast
