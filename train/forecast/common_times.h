// When fields of all variables are there: for a first configuration.
#pragma once

#include <vector>

#include "data/weather/source.h"
#include "train/forecast/variable_survey.h"

namespace py4cast {

// Of each member, run and lead time, in this order: whether a state is there.
using Presence = std::vector<bool>;

// Where a level of a variable has a field, neither before its first value nor after its last.
Presence presence_of(const FieldSource& source, const VariableInfo& variable, int64_t level,
                     const LevelSurvey& found);
Presence both(const Presence& a, const Presence& b);
// Those that a training uses in a period.
Presence inside(const Presence& there, const TimeAxis& axis, const SurveyPeriod& period, Time step);
// The runs of which something is there.
std::vector<Time> runs_of(const Presence& there, const TimeAxis& axis);
// Of each moment, how many states, one step apart and of one run, stand in the row that it ends.
std::vector<int64_t> row_lengths(const Presence& there, const TimeAxis& axis, Time step);

}  // namespace py4cast
