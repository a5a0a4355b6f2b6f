#include "train/forecast/forecast_settings.h"

#include <utility>

#include "data/weather/calendar.h"
#include "engine/error.h"

namespace py4cast {
namespace {

bool is_time(const std::string& text) {
  // The calendar is that of the data; 30 February is a day in one of them.
  for (const Calendar calendar : {Calendar::standard, Calendar::day_360, Calendar::all_leap}) {
    try {
      parse_time(calendar, text);
      return true;
    } catch (const Error&) {
    }
  }
  return false;
}

template <typename Action>
void for_each_period(const DatasetPeriods& periods, const Action& action) {
  action(periods.train, "dataset.periods.train");
  action(periods.valid, "dataset.periods.valid");
  action(periods.test, "dataset.periods.test");
}

}  // namespace

ForecastSettings forecast_settings(const Configuration& configuration) {
  auto settings = configuration.read<ForecastSettings>();
  settings.dataset.own = std::make_shared<const Json>(configuration.section("dataset.settings"));
  settings.dataset.cache_folder = configuration.run.root + "/cache";
  settings.dataset.seed = static_cast<uint64_t>(configuration.seed);
  return settings;
}

void check_periods(const DatasetPeriods& periods) {
  for_each_period(periods, [](const DatasetPeriod& period, const char* path) {
    for (const auto& [name, text] : {std::pair(".start", period.start), {".end", period.end}})
      if (!text.empty() && !is_time(text))
        throw Error(ErrorKind::configuration, path, name, ": '", text,
                    "' is not a time; write it as 2019-03-27 or 2019-03-27T06:00");
  });
}

void require_periods(const DatasetPeriods& periods) {
  for_each_period(periods, [](const DatasetPeriod& period, const char* path) {
    if (!period.given())
      throw Error(ErrorKind::configuration, path, " is missing; give its start, its end or both");
  });
}

}  // namespace py4cast
