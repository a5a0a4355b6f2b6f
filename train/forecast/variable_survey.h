// What the fields of a variable are like: for a first configuration.
#pragma once

#include <optional>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

// A period: validity times of a series, runs of reforecasts.
struct SurveyPeriod {
  Time begin = 0, end = 0;  // inclusive
  Time first = 0;           // of the data in it
};
// Whether a training with so many seconds between its states uses a field (FieldStore::moments).
bool is_used(const TimeAxis& axis, const SurveyPeriod& period, Time step, Time run, Time lead);

// One level of a variable, over all its runs, lead times and members.
struct LevelSurvey {
  int64_t fields = 0, times = 0;    // that exist; that there could be
  int64_t missing = 0, points = 0;  // of all fields that were read
  // Of the first and last field (runs of reforecasts) that has a value.
  std::optional<Time> first_value, last_value;
  bool in_space = false, in_time = false;  // where it varies
  std::optional<Time> infinite;            // the first time with an infinite value
  // In the training period: has a value; has two; has two fields a step apart; changes over a step by
  // different amounts.
  bool trained = false, trained_varies = false, trained_pairs = false, trained_changes = false;
};

// Reads every `stride`-th field along the time and the one after it, to see what changes over `step`
// seconds.
LevelSurvey survey_level(FieldSource& source, const VariableInfo& variable, int64_t level,
                         Time step, const SurveyPeriod& training, int64_t stride);

}  // namespace py4cast
