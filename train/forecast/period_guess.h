// The periods of a first configuration.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/weather/source.h"
#include "engine/settings/json.h"
#include "train/forecast/common_times.h"
#include "train/forecast/variable_survey.h"

namespace py4cast {

struct PeriodGuess {
  SurveyPeriod training, validation, test;
  Json json;  // dataset.periods
  std::string reason;
  int64_t days = 0;              // from the first state to the last
  int64_t longest_forecast = 0;  // inside the validation and the test period, in steps
};

// The first 70 % of the days on which there are states (of fewer than ten: of the times or runs), 15 %, and the
// last 15 %; of forecasts, runs that reach into the next period are left out, unless they are half of one. `step`
// is between two states. Error(data), of `file`: fewer than 20 times or 7 runs; a period
// without a sample.
PeriodGuess guess_periods(const Presence& there, const TimeAxis& axis, Time step,
                          const std::string& file);

int64_t fewest_states();  // of a sample
// "the times are not evenly spaced: 744 h apart are 70 of 119 neighbours, 720 h 40, 672 h 9 (months differ in
// length)"; empty: they are.
std::string uneven_words(const std::vector<Time>& times);

}  // namespace py4cast
