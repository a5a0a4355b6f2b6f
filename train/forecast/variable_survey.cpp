#include "train/forecast/variable_survey.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace py4cast {
namespace {

class Surveyor {
 public:
  Surveyor(FieldSource& source, const VariableInfo& variable, Time step)
      : source_(source), variable_(variable), step_(step) {
    const Grid& grid = source.grid();
    region_ = {0, grid.rows, 0, grid.columns};
    field_.resize(static_cast<size_t>(grid.rows * grid.columns));
  }

  LevelSurvey survey(int64_t level, int64_t stride) {
    const TimeAxis& axis = source_.times();
    const auto runs = static_cast<int64_t>(axis.runs.size()),
               leads = static_cast<int64_t>(axis.leads.size());
    const bool reforecast = axis.reforecast();
    if (!variable_.has_time) {
      look({.variable = variable_.name, .level = level}, 0, 0);
      return std::move(result_);
    }
    for (int64_t member = 0; member < axis.members; ++member)
      for (int64_t run = 0; run < runs; ++run) {
        if (run % stride > (reforecast ? 0 : 1)) continue;
        if (reforecast) before_.clear();
        for (int64_t lead = 0; lead < leads; ++lead)
          look({variable_.name, level, run, lead, member}, axis.runs[static_cast<size_t>(run)],
               axis.leads[static_cast<size_t>(lead)]);
      }
    return std::move(result_);
  }

 private:
  void look(const FieldRequest& request, Time run, Time lead) {
    if (!source_.exists(request)) return;
    source_.read(request, region_, field_.data());
    const bool pair =
        !before_.empty() && before_member_ == request.member && run + lead - before_time_ == step_;
    ValueRange values, changes;
    int64_t missing = 0;
    for (size_t i = 0; i < field_.size(); ++i) {
      missing += std::isnan(field_[i]);
      values.add(field_[i]);
      if (!first_.empty()) result_.in_time |= differs(field_[i], first_[i]);
      if (pair) changes.add(static_cast<double>(field_[i]) - static_cast<double>(before_[i]));
    }
    result_.fields.push_back({run, lead, missing, values, changes});
    result_.missing += missing;
    result_.points += static_cast<int64_t>(field_.size());
    result_.in_space |= values.varies();
    if (values.any()) {
      if (!result_.infinite && !(std::isfinite(values.low) && std::isfinite(values.high)))
        result_.infinite = run + lead;
      if (first_.empty()) first_ = field_;
      result_.first_value = std::min(result_.first_value.value_or(run), run);
      result_.last_value = std::max(result_.last_value.value_or(run), run);
    }
    before_ = field_;
    before_time_ = run + lead;
    before_member_ = request.member;
  }

  static bool differs(float a, float b) { return a < b || a > b; }

  FieldSource& source_;
  const VariableInfo& variable_;
  const Time step_;
  Region region_;
  LevelSurvey result_;
  std::vector<float> field_, first_, before_;  // first_: with a value
  Time before_time_ = 0;
  int64_t before_member_ = 0;
};

}  // namespace

bool is_used(const TimeAxis& axis, const SurveyPeriod& period, Time step, Time run, Time lead) {
  const Time place = (axis.reforecast() ? lead : run) - period.first;
  return run >= period.begin && run <= period.end && place % step == 0;
}

LevelSurvey survey_level(FieldSource& source, const VariableInfo& variable, int64_t level,
                         Time step, int64_t stride) {
  return Surveyor(source, variable, step).survey(level, stride);
}

PeriodSurvey survey_period(const LevelSurvey& level, const TimeAxis& axis,
                           const SurveyPeriod& period, Time step) {
  PeriodSurvey result;
  for (const auto& [run, lead, missing, values, changes] : level.fields) {
    if (!is_used(axis, period, step, run, lead)) continue;
    result.missing += missing;
    result.values.add(values);
    if (axis.reforecast() || run - step >= period.begin) result.changes.add(changes);
  }
  return result;
}

}  // namespace py4cast
