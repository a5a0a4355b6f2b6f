// Forecasting as a task of the programs.
#pragma once

#include "train/forecast/registries.h"
#include "train/registries.h"

namespace py4cast {

// The data sets, strategies, losses and metrics that are built in.
void add_built_in(ForecastRegistries& kinds);

// "forecast". Both registries outlive the kind and may still be filled.
TaskKind forecast_kind(const Registries& registries, const ForecastRegistries& kinds);

}  // namespace py4cast
