// Forcings that follow from date and place alone.
#pragma once

#include <string>
#include <vector>

#include "data/weather/calendar.h"
#include "data/weather/source.h"

namespace py4cast {

// sin_hour, cos_hour, sin_year, cos_year, toa_radiation (data/weather/field_store.h says how they
// are scaled). Solar declination 23.45 degrees * sin(2 pi (284 + day of year) / 365), the first of
// January being day 1; local solar time is UTC + longitude / 15 degrees (Duffie and Beckman, "Solar
// engineering of thermal processes").
class TimeForcings {
 public:
  // `kinds`: "hour", "year", "toa_radiation". Error(configuration): another one, with the nearest.
  TimeForcings(const std::vector<std::string>& kinds, Calendar calendar, const Grid& grid);

  const std::vector<std::string>& names() const { return names_; }
  // The first ones, which are the same at all points.
  std::vector<float> constants(Time time) const;
  // The last one, toa_radiation, if it was asked for: [points].
  bool radiation() const { return radiation_; }
  void write_radiation(Time time, float* out) const;

 private:
  Calendar calendar_;
  bool hour_ = false, year_ = false, radiation_ = false;
  std::vector<std::string> names_;
  // Of each point, for the radiation.
  std::vector<double> sin_latitude_, cos_latitude_, sin_longitude_, cos_longitude_;
};

}  // namespace py4cast
