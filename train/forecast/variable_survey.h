// What the fields of a variable are like: for a first configuration.
#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

// A period: validity times of a series, runs of reforecasts.
struct SurveyPeriod {
  Time begin = 0, end = 0;  // inclusive
  Time first = 0;           // of the states in it; of reforecasts, their first lead
};
// Whether a training with so many seconds between its states uses a field (FieldStore::moments).
bool is_used(const TimeAxis& axis, const SurveyPeriod& period, Time step, Time run, Time lead);

struct ValueRange {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double value) { add(ValueRange{value, value}); }
  void add(const ValueRange& other) {
    low = std::fmin(low, other.low);
    high = std::fmax(high, other.high);
  }
  bool any() const { return low <= high; }
  bool varies() const { return low < high; }
};

// One level of a variable, over all its runs, lead times and members.
struct LevelSurvey {
  struct Field {
    Time run = 0, lead = 0;
    int64_t missing = 0;
    ValueRange values, changes;  // changes: of a field one step before, if that was read
  };
  std::vector<Field> fields;        // that were read
  int64_t missing = 0, points = 0;  // of them
  // Of the first and last field (runs of reforecasts) that has a value.
  std::optional<Time> first_value, last_value;
  bool in_space = false, in_time = false;  // where it varies
  std::optional<Time> infinite;            // the first time with an infinite value
};

// Reads every `stride`-th field along the time and the one after it, to see what changes over `step`
// seconds.
LevelSurvey survey_level(FieldSource& source, const VariableInfo& variable, int64_t level,
                         Time step, int64_t stride);

// All values in a period, how many are missing, and all changes over a step inside it.
struct PeriodSurvey {
  int64_t missing = 0;
  ValueRange values, changes;
};
PeriodSurvey survey_period(const LevelSurvey& level, const TimeAxis& axis,
                           const SurveyPeriod& period, Time step);

}  // namespace py4cast
