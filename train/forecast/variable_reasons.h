// Why variables get their roles or are left out, in words: for a first configuration.
#pragma once

#include <map>
#include <string>

#include "data/weather/source.h"
#include "train/forecast/variable_survey.h"

namespace py4cast {

// What says that a variable belongs to an interval of time, as radiation and accumulations do: "tp"; empty: nothing.
std::string interval_word(const VariableInfo& variable);

// Of a series: no value ever falls, as those of a total since some start.
bool never_falls(const LevelSurvey& found, const TimeAxis& axis);

// " Its values only grow within a run: ..." of sums over the lead times of reforecasts: those that begin anew every
// some hours, too, and totals of GRIB; empty: nothing of the kind.
std::string growth_words(const FieldSource& source, const VariableInfo& variable, int64_t level,
                         const LevelSurvey& found);

// "t, u and 3 more (REASON); ..." of FieldSource::left_out, without what is no field of the grid if there is anything
// else; `path` in front of a reason is not repeated.
std::string left_out_words(const std::map<std::string, std::string>& left_out,
                           const std::string& path);

}  // namespace py4cast
