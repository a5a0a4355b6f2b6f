// How many states go in, how many steps come out, and how often the network is called in between.
//
// A sample is num_input_steps states followed by num_pred_steps targets, one step of the data
// apart. To get from one target to the next the network is called num_inter_steps times; the states
// in between have no data. So one call advances by the model step = data step / num_inter_steps.
#pragma once

#include <cstdint>

#include "train/forecast/forecast_settings.h"
#include "train/forecast/registries.h"

namespace py4cast {

struct Steps {
  int64_t input = 2;                // states given
  int64_t inter = 1;                // network calls per step of the data
  int64_t prediction_train = 1;     // targets in training
  int64_t prediction_val_test = 5;  // targets in validation and test
};

// Error(configuration), before any data are read: counts below 1, several input steps with inner
// steps, inner steps with a strategy that has none.
Steps make_steps(const ForecastTraining& training, const StrategyKind& strategy);

// A forecast may have other steps than the training had, as long as one network call advances by
// the same time: hourly data with 4 inner steps, then 15-minute data with 1. Error(configuration)
// otherwise; steps of the data in seconds.
void check_model_step(const Steps& trained, double trained_data_step, const Steps& forecast,
                      double forecast_data_step);

}  // namespace py4cast
