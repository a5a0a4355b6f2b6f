#include "train/forecast/period_guess.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>

#include "data/weather/calendar.h"
#include "data/weather/features.h"
#include "engine/error.h"
#include "train/forecast/forecast_settings.h"

namespace py4cast {
namespace {

double hours(Time seconds) {
  return static_cast<double>(seconds) / 3600;
}
int64_t day_of(Time time) {
  return (time - seconds_of_day(time)) / seconds_per_day;
}

// The index of a share of `count` steps.
int64_t part(int64_t count, double share) {
  return std::llround(static_cast<double>(count) * share);
}

const std::vector<Time>& step_times(const TimeAxis& axis) {
  return axis.reforecast() ? axis.leads : axis.runs;
}

struct PartOfTime {
  SurveyPeriod period;
  Json json;
};

// Those with states: whole days, or some of them.
class Division {
 public:
  Division(const Presence& there, const std::vector<Time>& runs, const TimeAxis& axis)
      : there_(there), runs_(runs), axis_(axis), midnight_(day_of(runs.front()) * seconds_per_day) {
    before_ = std::ranges::lower_bound(axis.runs, runs.front());
    behind_ = std::ranges::upper_bound(axis.runs, runs.back());
  }
  int64_t days() const { return day_of(runs_.back()) - day_of(runs_.front()) + 1; }
  bool whole_days() const { return days() >= 10; }
  int64_t count() const { return whole_days() ? days() : std::ssize(runs_); }

  PartOfTime part(int64_t begin, int64_t end) const {
    SurveyPeriod period;
    if (whole_days())
      period = {midnight_ + begin * seconds_per_day, midnight_ + end * seconds_per_day - 1};
    else
      period = {runs_[static_cast<size_t>(begin)], runs_[static_cast<size_t>(end - 1)]};
    // A day is whole if it has no time without values.
    if (before_ != axis_.runs.begin() && before_[-1] >= period.begin) period.begin = runs_.front();
    if (behind_ != axis_.runs.end() && *behind_ <= period.end) period.end = runs_.back();
    end_before(end, period);
    const auto first = std::ranges::lower_bound(runs_, period.begin);
    period.first = axis_.reforecast() ? first_lead() : first == runs_.end() ? period.begin : *first;
    return {
        period,
        {{"start", text(period.begin, period.begin)}, {"end", text(period.end, period.end + 1)}}};
  }

 private:
  Time first_lead() const {
    const size_t leads = axis_.leads.size();
    size_t first = leads - 1;
    for (size_t i = 0; i < there_.size(); ++i)
      if (there_[i]) first = std::min(first, i % leads);
    return axis_.leads[first];
  }
  // Runs reach into the next period, which begins at that part: the last ones are left out, unless they are
  // half of all.
  void end_before(int64_t next, SurveyPeriod& period) const {
    if (!axis_.reforecast() || next >= count()) return;
    const Time begin =
        whole_days() ? midnight_ + next * seconds_per_day : runs_[static_cast<size_t>(next)];
    const auto first = std::ranges::lower_bound(runs_, period.begin),
               behind = std::ranges::upper_bound(runs_, period.end),
               reaching = std::lower_bound(first, behind,
                                           begin + axis_.leads.front() - axis_.leads.back());
    if (reaching < behind && 2 * (reaching - first) > behind - first) period.end = reaching[-1];
  }
  // `edge`: of the day, for an end a second further.
  std::string text(Time time, Time edge) const {
    const std::string whole = format_time(axis_.calendar, time);
    return whole_days() && seconds_of_day(edge) == 0 ? whole.substr(0, whole.find('T')) : whole;
  }

  const Presence& there_;
  const std::vector<Time>& runs_;
  const TimeAxis& axis_;
  const Time midnight_;
  std::vector<Time>::const_iterator before_, behind_;
};

[[noreturn]] void refuse_period(const char* name, const SurveyPeriod& period, int64_t row,
                                const TimeAxis& axis, Time step, const std::string& file) {
  std::ostringstream problem;
  problem << "the " << name << " period, " << format_time(axis.calendar, period.begin) << " to "
          << format_time(axis.calendar, period.end) << ", has no " << fewest_states()
          << " states that are " << hours(step) << " h apart, only " << row;
  if (axis.reforecast())
    problem << " in a run; dataset.as_series makes one series of runs that follow each other";
  const std::string uneven = uneven_words(step_times(axis));
  if (uneven.empty()) throw Error(ErrorKind::data, file, ": ", problem.str());
  throw Error(ErrorKind::data, file, ": ", uneven, ", so ", problem.str(),
              "; a forecast needs data with a fixed step, daily means for example");
}

}  // namespace

int64_t fewest_states() {
  return ForecastTraining().num_input_steps + 1;
}

std::string uneven_words(const std::vector<Time>& times) {
  std::map<Time, int64_t> counts;
  for (size_t i = 1; i < times.size(); ++i) ++counts[times[i] - times[i - 1]];
  if (counts.size() < 2) return "";
  std::vector<std::pair<Time, int64_t>> all(counts.begin(), counts.end());
  std::ranges::stable_sort(all, std::ranges::greater(), &std::pair<Time, int64_t>::second);
  std::ostringstream text;
  text << "the times are not evenly spaced: " << hours(all[0].first) << " h apart are "
       << all[0].second << " of " << times.size() - 1 << " neighbours";
  for (size_t i = 1; i < std::min<size_t>(all.size(), 3); ++i)
    text << ", " << hours(all[i].first) << " h " << all[i].second;
  if (all.size() > 3) text << " and " << all.size() - 3 << " more distances";
  const Time least = counts.begin()->first, most = counts.rbegin()->first;
  if (least >= 28 * seconds_per_day && most <= 31 * seconds_per_day)
    text << " (months differ in length)";
  if (least >= 365 * seconds_per_day && most <= 366 * seconds_per_day)
    text << " (years differ in length)";
  if (most < 28 * seconds_per_day && most - least <= usual_step(times) / 4)
    text << " (rounded, perhaps stored in single precision)";
  return text.str();
}

PeriodGuess guess_periods(const Presence& there, const TimeAxis& axis, Time step,
                          const std::string& file) {
  const size_t fewest = axis.reforecast() ? 7 : 20;
  const std::vector<Time> runs = runs_of(there, axis);
  const char* what = axis.reforecast() ? " runs" : " times";
  const std::string which =
      runs.size() < axis.runs.size() ? " where all variables have values" : "";
  if (runs.size() < fewest)
    throw Error(ErrorKind::data, file, ": has ", runs.size(), what, which, "; ", fewest,
                " are the fewest that make a training, a validation and a test period");
  const Division division(there, runs, axis);
  const int64_t all = division.count(), begin_validation = part(all, 0.7),
                begin_test = part(all, 0.85);
  const PartOfTime training = division.part(0, begin_validation),
                   validation = division.part(begin_validation, begin_test),
                   test = division.part(begin_test, all);
  PeriodGuess guess{
      .training = training.period,
      .validation = validation.period,
      .test = test.period,
      .json = {{"train", training.json}, {"valid", validation.json}, {"test", test.json}},
      .reason = "The first 70 % of the " + std::to_string(all) +
                (division.whole_days() ? " days" : what) + which +
                " for training, 15 % for validation, the last 15 % for the test.",
      .days = division.days()};
  int64_t longest_row = std::numeric_limits<int64_t>::max();
  for (const auto& [name, period] :
       {std::pair("training", guess.training), std::pair("validation", guess.validation),
        std::pair("test", guess.test)}) {
    const int64_t row =
        std::ranges::max(row_lengths(inside(there, axis, period, step), axis, step));
    if (row < fewest_states()) refuse_period(name, period, row, axis, step, file);
    if (name != std::string("training")) longest_row = std::min(longest_row, row);
  }
  guess.longest_forecast = longest_row - ForecastTraining().num_input_steps;
  return guess;
}

}  // namespace py4cast
