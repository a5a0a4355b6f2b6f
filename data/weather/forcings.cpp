#include "data/weather/forcings.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/error.h"

namespace py4cast {
namespace {

constexpr double degree = std::numbers::pi / 180;

}  // namespace

TimeForcings::TimeForcings(const std::vector<std::string>& kinds, Calendar calendar,
                           const Grid& grid)
    : calendar_(calendar) {
  const std::vector<std::string> known = {"hour", "year", "toa_radiation"};
  for (const std::string& kind : kinds)
    if (std::ranges::find(known, kind) == known.end())
      throw Error(ErrorKind::configuration, "dataset.time_forcings: '", kind,
                  "' is unknown; the nearest is '", nearest_name(kind, known), "'");
  const auto asked = [&](const char* kind) {
    return std::ranges::find(kinds, kind) != kinds.end();
  };
  hour_ = asked("hour");
  year_ = asked("year");
  radiation_ = asked("toa_radiation");
  if (hour_) names_.insert(names_.end(), {"sin_hour", "cos_hour"});
  if (year_) names_.insert(names_.end(), {"sin_year", "cos_year"});
  if (!radiation_) return;
  names_.push_back("toa_radiation");
  for (const double latitude : grid.latitude) {
    sin_latitude_.push_back(std::sin(latitude * degree));
    cos_latitude_.push_back(std::cos(latitude * degree));
  }
  for (const double longitude : grid.longitude) {
    sin_longitude_.push_back(std::sin(longitude * degree));
    cos_longitude_.push_back(std::cos(longitude * degree));
  }
}

std::vector<float> TimeForcings::constants(Time time) const {
  std::vector<float> values;
  const auto add = [&](double turns) {
    const double angle = 2 * std::numbers::pi * turns;
    values.push_back(static_cast<float>((std::sin(angle) + 1) / 2));
    values.push_back(static_cast<float>((std::cos(angle) + 1) / 2));
  };
  if (hour_) add(static_cast<double>(seconds_of_day(time)) / 86400);
  if (year_)
    add(static_cast<double>(seconds_since_new_year(calendar_, time)) /
        static_cast<double>(seconds_in_year(calendar_, time)));
  return values;
}

void TimeForcings::write_radiation(Time time, float* out) const {
  const double day = day_of_year(calendar_, time) + 1;
  const double declination = 23.45 * degree * std::sin(2 * std::numbers::pi * (284 + day) / 365);
  const double hour_angle = 15 * degree * (static_cast<double>(seconds_of_day(time)) / 3600 - 12);
  const double sine = std::sin(hour_angle), cosine = std::cos(hour_angle);
  for (size_t i = 0; i < sin_latitude_.size(); ++i) {
    const double local = cosine * cos_longitude_[i] - sine * sin_longitude_[i];
    const double zenith =
        sin_latitude_[i] * std::sin(declination) + cos_latitude_[i] * std::cos(declination) * local;
    out[i] = static_cast<float>(std::max(0.0, zenith));
  }
}

}  // namespace py4cast
