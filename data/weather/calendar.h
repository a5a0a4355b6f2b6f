// CF calendars: seconds <-> year, month, day; time units; ISO 8601.
// Source: CF conventions 1.8, section 4.4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/weather/source.h"

namespace py4cast {

// Year 0 exists (astronomical numbering) in every calendar.
struct DateTime {
  int64_t year = 1970;
  int month = 1, day = 1, hour = 0, minute = 0, second = 0;
  bool operator==(const DateTime&) const = default;
};

// The calendar of a CF name ("gregorian", "365_day", ...; empty means standard; case does not
// matter). Error(data): unknown name, with the nearest.
Calendar parse_calendar(std::string_view name);
// The CF name: "standard", "proleptic_gregorian", "noleap", "all_leap", "360_day", "julian".
std::string calendar_name(Calendar calendar);
// Whether times have the same dates in both: equal ones, or Gregorian ones of which all times follow the
// reform of October 1582.
bool same_calendar(Calendar a, Calendar b, const std::vector<Time>& times);

// Lengths in days. In the standard calendar October 1582 has 21 days.
int days_in_month(Calendar calendar, int64_t year, int month);
int days_in_year(Calendar calendar, int64_t year);

// Seconds since 1970-01-01 00:00 of the same calendar. Error(data): a day that the calendar lacks.
Time to_time(Calendar calendar, const DateTime& date);
DateTime to_date(Calendar calendar, Time time);

// Days since 1 January of the same year, from 0; and the same in seconds.
int day_of_year(Calendar calendar, Time time);
int64_t seconds_since_new_year(Calendar calendar, Time time);
int64_t seconds_in_year(Calendar calendar, Time time);
constexpr int64_t seconds_per_day = 86400;
// Seconds since midnight, 0 ... 86399.
int64_t seconds_of_day(Time time);

// "2019-03-27T06:00:00"
std::string format_time(Calendar calendar, Time time);

// ISO 8601 and its looser relatives: "2019-03-27", "2019-3-27 6:00:00.5 -1:30", "2019-3-27 6:00 1:00",
// "20190327T06Z", "2019032706". Fractions of a second are rounded. Error(data): names the text.
struct ParsedTime {
  Time time = 0;
  bool date_only = false;  // no time of day was given: the text may mean the whole day
  Time last() const { return time + (date_only ? 86399 : 0); }  // the last second that it means
};
ParsedTime parse_time(Calendar calendar, std::string_view text);

// "<unit> since <epoch>", with unit from nanoseconds to weeks (months and years only in the 360-day
// calendar, where their length is fixed).
class TimeUnits {
 public:
  // Error(data): not of that form; names the text.
  TimeUnits(Calendar calendar, std::string_view text);
  // epoch + value * unit, rounded to the nearest second. Error(data): see whole_seconds.
  Time decode(double value) const;

 private:
  Time epoch_ = 0;
  double epoch_fraction_ = 0;  // seconds
  double seconds_per_unit_ = 1;
};

// To the nearest second. Error(data): NaN, or more than 1e13 (300 000 years).
Time whole_seconds(double seconds);

// True for texts of the form "... since ...".
bool is_time_units(std::string_view text);
// Seconds of a unit of duration: "hours", "h", "days", ...; 0 if it is none.
double seconds_per_unit(Calendar calendar, std::string_view unit);

}  // namespace py4cast
