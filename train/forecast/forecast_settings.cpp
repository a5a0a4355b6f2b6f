#include "train/forecast/forecast_settings.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {
namespace {

template <typename Action>
void for_each_period(const DatasetPeriods& periods, const Action& action) {
  action(periods.train, "dataset.periods.train");
  action(periods.valid, "dataset.periods.valid");
  action(periods.test, "dataset.periods.test");
}

// The calendar is that of the data, which are not known yet; 30 February is a day in one of them.
constexpr Calendar calendars[] = {Calendar::standard, Calendar::day_360, Calendar::all_leap};

std::optional<ParsedTime> time_of(Calendar calendar, const std::string& text) {
  try {
    return parse_time(calendar, text);
  } catch (const Error&) {
    return {};
  }
}

bool is_time(const std::string& text) {
  return std::ranges::any_of(calendars, [&](Calendar c) { return time_of(c, text).has_value(); });
}

// A period from its first to its last second.
struct Bounds {
  const char* path;
  const DatasetPeriod& period;
  Time begin = std::numeric_limits<Time>::min(), end = std::numeric_limits<Time>::max();
};

// In a calendar that knows all days of the periods; none: there is no such calendar.
std::vector<Bounds> bounds_of(const DatasetPeriods& periods) {
  for (const Calendar calendar : calendars) {
    std::vector<Bounds> result;
    bool known = true;
    for_each_period(periods, [&](const DatasetPeriod& period, const char* path) {
      Bounds bounds{.path = path, .period = period};
      const auto start = time_of(calendar, period.start), end = time_of(calendar, period.end);
      known = known && (start || period.start.empty()) && (end || period.end.empty());
      if (start) bounds.begin = start->time;
      if (end) bounds.end = end->last();
      if (period.given()) result.push_back(bounds);
    });
    if (known) return result;
  }
  return {};
}

}  // namespace

ForecastSettings forecast_settings(const Configuration& configuration) {
  auto settings = configuration.read<ForecastSettings>();
  settings.dataset.own = std::make_shared<const Json>(configuration.section("dataset.settings"));
  settings.dataset.cache_folder = configuration.run.root_folder() + "/cache";
  settings.dataset.seed = static_cast<uint64_t>(configuration.seed);
  return settings;
}

void check_periods(const DatasetSettings& dataset) {
  for_each_period(dataset.periods, [](const DatasetPeriod& period, const char* path) {
    for (const auto& [name, text] : {std::pair(".start", period.start), {".end", period.end}})
      if (!text.empty() && !is_time(text))
        throw Error(ErrorKind::configuration, path, name, ": '", text,
                    "' is not a time; write it as 2019-03-27 or 2019-03-27T06:00");
  });
  const std::vector<Bounds> all = bounds_of(dataset.periods);
  const auto shown = [](const DatasetPeriod& period) {
    return (period.start.empty() ? "the first time" : period.start) + " to " +
           (period.end.empty() ? "the last time" : period.end);
  };
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].begin > all[i].end)
      throw Error(ErrorKind::configuration, all[i].path, ": ", shown(all[i].period),
                  " ends before it begins");
    for (size_t k = 0; k < i && dataset.overlap == Overlap::refuse; ++k)
      if (all[i].begin <= all[k].end && all[k].begin <= all[i].end)
        throw Error(ErrorKind::configuration, all[k].path, " (", shown(all[k].period), ") and ",
                    all[i].path, " (", shown(all[i].period),
                    ") overlap; dataset.overlap \"allow\" would take them so");
  }
}

void require_periods(const DatasetPeriods& periods) {
  for_each_period(periods, [](const DatasetPeriod& period, const char* path) {
    if (!period.given())
      throw Error(ErrorKind::configuration, path, " is missing; give its start, its end or both");
  });
}

}  // namespace py4cast
