#include "train/forecast/common_times.h"

#include <algorithm>

namespace py4cast {

Presence presence_of(const FieldSource& source, const VariableInfo& variable, int64_t level,
                     const LevelSurvey& found) {
  const TimeAxis& axis = source.times();
  Presence there;
  for (int64_t member = 0; member < axis.members; ++member)
    for (size_t run = 0; run < axis.runs.size(); ++run)
      for (size_t lead = 0; lead < axis.leads.size(); ++lead)
        there.push_back(axis.runs[run] >= found.first_value && axis.runs[run] <= found.last_value &&
                        source.exists({variable.name, level, static_cast<int64_t>(run),
                                       static_cast<int64_t>(lead), member}));
  return there;
}

Presence both(const Presence& a, const Presence& b) {
  Presence result(a.size());
  for (size_t i = 0; i < a.size(); ++i) result[i] = a[i] && b[i];
  return result;
}

Presence inside(const Presence& there, const TimeAxis& axis, const SurveyPeriod& period,
                Time step) {
  Presence result = there;
  const size_t runs = axis.runs.size(), leads = axis.leads.size();
  for (size_t i = 0; i < result.size(); ++i)
    if (!is_used(axis, period, step, axis.runs[i / leads % runs], axis.leads[i % leads]))
      result[i] = false;
  return result;
}

std::vector<Time> runs_of(const Presence& there, const TimeAxis& axis) {
  const size_t runs = axis.runs.size(), leads = axis.leads.size();
  std::vector<bool> found(runs, false);
  for (size_t i = 0; i < there.size(); ++i)
    if (there[i]) found[i / leads % runs] = true;
  std::vector<Time> result;
  for (size_t run = 0; run < runs; ++run)
    if (found[run]) result.push_back(axis.runs[run]);
  return result;
}

std::vector<int64_t> row_lengths(const Presence& there, const TimeAxis& axis, Time step) {
  const std::vector<Time>& times = axis.reforecast() ? axis.leads : axis.runs;
  std::vector<size_t> back;  // from each time to the one a step before; 0: there is none
  for (size_t i = 0; i < times.size(); ++i) {
    const auto before = std::ranges::lower_bound(times, times[i] - step);
    back.push_back(
        *before == times[i] - step
            ? static_cast<size_t>(times.begin() + static_cast<std::ptrdiff_t>(i) - before)
            : 0);
  }
  std::vector<int64_t> lengths(there.size(), 0);
  for (size_t i = 0; i < there.size(); ++i) {
    const size_t steps = back[i % times.size()];
    if (there[i]) lengths[i] = 1 + (steps > 0 ? lengths[i - steps] : 0);
  }
  return lengths;
}

}  // namespace py4cast
