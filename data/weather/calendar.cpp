#include "data/weather/calendar.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "engine/text.h"

namespace py4cast {
namespace {

// 1970-01-01 of the Julian calendar is 1970-01-14 of the Gregorian one.
constexpr int64_t julian_lag_days = 13;

const std::vector<std::pair<std::string, Calendar>>& calendar_names() {
  static const std::vector<std::pair<std::string, Calendar>> names = {
      {"standard", Calendar::standard},  {"proleptic_gregorian", Calendar::proleptic_gregorian},
      {"noleap", Calendar::noleap},      {"all_leap", Calendar::all_leap},
      {"360_day", Calendar::day_360},    {"julian", Calendar::julian},
      {"gregorian", Calendar::standard}, {"365_day", Calendar::noleap},
      {"366_day", Calendar::all_leap}};
  return names;
}

int64_t floor_divide(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  return text;
}

bool is_gregorian(Calendar calendar, int64_t year, int month, int day) {
  return calendar == Calendar::proleptic_gregorian ||
         (calendar == Calendar::standard &&
          std::tuple(year, month, day) >= std::tuple<int64_t, int, int>(1582, 10, 15));
}

bool is_leap(Calendar calendar, int64_t year) {
  if (calendar == Calendar::noleap || calendar == Calendar::day_360) return false;
  if (calendar == Calendar::all_leap) return true;
  return year % 4 == 0 &&
         (!is_gregorian(calendar, year, 12, 31) || year % 100 != 0 || year % 400 == 0);
}

// Ordinal of a month and a day counted from 1 March, when the leap day comes last.
int64_t days_since_march(int month, int day) {
  return (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
}

// Days since 1970-01-01 of the calendar.
int64_t day_number(Calendar calendar, int64_t year, int month, int day) {
  if (calendar == Calendar::day_360) return (year - 1970) * 360 + (month - 1) * 30 + day - 1;
  if (calendar == Calendar::noleap || calendar == Calendar::all_leap) {
    int64_t days = (year - 1970) * days_in_year(calendar, year) + day - 1;
    for (int m = 1; m < month; ++m) days += days_in_month(calendar, year, m);
    return days;
  }
  const int64_t march_year = year - (month <= 2);
  const int64_t julian =
      365 * march_year + floor_divide(march_year, 4) + days_since_march(month, day);
  if (is_gregorian(calendar, year, month, day))
    return julian - floor_divide(march_year, 100) + floor_divide(march_year, 400) - 719468;
  return julian - 719483 + (calendar == Calendar::standard ? julian_lag_days : 0);
}

void check_date(Calendar calendar, const DateTime& d) {
  const auto fail = [&](const char* what, int64_t value) {
    throw Error(ErrorKind::data, "there is no ", what, " ", value, " in ", d.year, "-", d.month,
                "-", d.day, " of the calendar ", calendar_name(calendar));
  };
  if (d.month < 1 || d.month > 12) fail("month", d.month);
  const bool october = calendar == Calendar::standard && d.year == 1582 && d.month == 10;
  const int last = october ? 31 : days_in_month(calendar, d.year, d.month);
  if (d.day < 1 || d.day > last || (october && d.day > 4 && d.day < 15)) fail("day", d.day);
  const bool midnight = d.hour == 24 && d.minute == 0 && d.second == 0;
  if (d.hour < 0 || (d.hour > 23 && !midnight)) fail("hour", d.hour);
  if (d.minute < 0 || d.minute > 59) fail("minute", d.minute);
  if (d.second < 0 || d.second > 59) fail("second", d.second);
}

// A point in time as written: fields, fraction of a second and offset from UTC.
struct Stamp {
  DateTime date;
  double fraction = 0;
  int64_t offset = 0;  // seconds east of UTC
  bool date_only = true;
};

class StampReader {
 public:
  explicit StampReader(std::string_view text) : text_(trim(text)), rest_(text_) {}

  Stamp read() {
    Stamp stamp;
    read_date(stamp);
    const bool separated = take('T') || take('t') || skip_spaces();
    if (separated && !rest_.empty() && is_digit()) read_clock(stamp);
    skip_spaces();
    read_zone(stamp);
    skip_spaces();
    if (!rest_.empty()) fail();
    return stamp;
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(ErrorKind::data, "'", text_, "' is not a time like 2019-03-27T06:00");
  }
  bool is_digit(size_t i = 0) const {
    return i < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[i]));
  }
  size_t digits() const {
    size_t n = 0;
    while (is_digit(n)) ++n;
    return n;
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool skip_spaces() {
    const size_t before = rest_.size();
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())))
      rest_.remove_prefix(1);
    return rest_.size() < before;
  }
  int64_t number(size_t length) {
    int64_t value = 0;
    if (length == 0 || length > digits() || length > 9) fail();
    std::from_chars(rest_.data(), rest_.data() + length, value);
    rest_.remove_prefix(length);
    return value;
  }
  int small(size_t length) { return static_cast<int>(number(length)); }

  void read_date(Stamp& stamp) {
    const bool negative = take('-');
    const size_t length = digits();
    if (!negative && (length == 8 || length == 10)) {  // 20190327 or 2019032706
      stamp.date.year = number(4);
      stamp.date.month = small(2);
      stamp.date.day = small(2);
      if (length == 10) {
        stamp.date.hour = small(2);
        stamp.date_only = false;
      }
      return;
    }
    stamp.date.year = number(length) * (negative ? -1 : 1);
    if (!take('-')) fail();
    stamp.date.month = small(digits());
    if (!take('-')) fail();
    stamp.date.day = small(digits());
  }

  void read_clock(Stamp& stamp) {
    if (!stamp.date_only) fail();
    stamp.date_only = false;
    const bool basic = digits() == 4 || digits() == 6;  // 0600 or 060000
    stamp.date.hour = small(basic ? 2 : digits());
    if (basic || take(':')) {
      stamp.date.minute = small(basic ? 2 : digits());
      if (basic ? is_digit() : take(':')) stamp.date.second = small(digits());
      if (take('.')) read_fraction(stamp);
    }
  }

  void read_fraction(Stamp& stamp) {
    double place = 0.1;
    for (; is_digit(); rest_.remove_prefix(1), place /= 10)
      stamp.fraction += place * (rest_.front() - '0');
  }

  void read_zone(Stamp& stamp) {
    if (take('Z') || take('z') || rest_.empty()) return;
    for (const char* name : {"UTC", "utc", "GMT", "gmt"})
      if (rest_.starts_with(name)) {
        rest_.remove_prefix(3);
        return;
      }
    const bool west = take('-');
    if (!west && !take('+') && !is_digit()) return;  // "0:00", as UDUNITS takes it
    const size_t length = digits();
    int64_t hours = number(length > 2 ? length - 2 : length), minutes = 0;
    if (length > 2 || take(':')) minutes = number(2);
    if (hours > 18 || minutes > 59) fail();
    stamp.offset = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
  }

  std::string_view text_, rest_;
};

// Position of the word "since", or npos.
size_t find_since(const std::string& lowered) {
  for (size_t at = lowered.find("since"); at != std::string::npos;
       at = lowered.find("since", at + 1)) {
    const bool before = at > 0 && std::isspace(static_cast<unsigned char>(lowered[at - 1]));
    const bool after =
        at + 5 < lowered.size() && std::isspace(static_cast<unsigned char>(lowered[at + 5]));
    if (before && after) return at;
  }
  return std::string::npos;
}

}  // namespace

Calendar parse_calendar(std::string_view name) {
  const std::string lowered = lower_case(trim(name));
  if (lowered.empty()) return Calendar::standard;
  std::string known;
  for (const auto& [known_name, calendar] : calendar_names()) {
    if (lowered == known_name) return calendar;
    known += (known.empty() ? "" : ", ") + known_name;
  }
  throw Error(ErrorKind::data, "unknown calendar '", name, "'; known are ", known);
}

std::string calendar_name(Calendar calendar) {
  for (const auto& [name, known] : calendar_names())
    if (known == calendar) return name;
  throw Error(ErrorKind::internal, "calendar without a name");
}

bool same_calendar(Calendar a, Calendar b, const std::vector<Time>& times) {
  const Time reform = to_time(Calendar::standard, {1582, 10, 15});
  return a == b || (is_gregorian(a, 1582, 10, 15) && is_gregorian(b, 1582, 10, 15) &&
                    std::ranges::all_of(times, [&](Time t) { return t >= reform; }));
}

int days_in_month(Calendar calendar, int64_t year, int month) {
  static constexpr std::array<int, 12> lengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (calendar == Calendar::day_360) return 30;
  if (calendar == Calendar::standard && year == 1582 && month == 10) return 21;
  return lengths.at(static_cast<size_t>(month - 1)) + (month == 2 && is_leap(calendar, year));
}

int days_in_year(Calendar calendar, int64_t year) {
  if (calendar == Calendar::day_360) return 360;
  if (calendar == Calendar::standard && year == 1582) return 355;
  return 365 + is_leap(calendar, year);
}

Time to_time(Calendar calendar, const DateTime& date) {
  check_date(calendar, date);
  return day_number(calendar, date.year, date.month, date.day) * seconds_per_day +
         date.hour * 3600 + date.minute * 60 + date.second;
}

DateTime to_date(Calendar calendar, Time time) {
  const int64_t days = floor_divide(time, seconds_per_day);
  const int64_t seconds = time - days * seconds_per_day;
  // A guess from the mean length of a year is off by one at most.
  const double mean_length = calendar == Calendar::day_360    ? 360
                             : calendar == Calendar::noleap   ? 365
                             : calendar == Calendar::all_leap ? 366
                                                              : 365.2425;
  DateTime date;
  date.year = 1970 + static_cast<int64_t>(std::floor(static_cast<double>(days) / mean_length));
  while (day_number(calendar, date.year, 1, 1) > days) --date.year;
  while (day_number(calendar, date.year + 1, 1, 1) <= days) ++date.year;
  date.month = 12;
  while (day_number(calendar, date.year, date.month, 1) > days) --date.month;
  date.day = static_cast<int>(days - day_number(calendar, date.year, date.month, 1)) + 1;
  if (calendar == Calendar::standard && date.year == 1582 && date.month == 10 && date.day > 4)
    date.day += 10;
  date.hour = static_cast<int>(seconds / 3600);
  date.minute = static_cast<int>(seconds / 60 % 60);
  date.second = static_cast<int>(seconds % 60);
  return date;
}

int day_of_year(Calendar calendar, Time time) {
  return static_cast<int>(seconds_since_new_year(calendar, time) / seconds_per_day);
}

int64_t seconds_since_new_year(Calendar calendar, Time time) {
  const int64_t year = to_date(calendar, time).year;
  return time - day_number(calendar, year, 1, 1) * seconds_per_day;
}

int64_t seconds_in_year(Calendar calendar, Time time) {
  return days_in_year(calendar, to_date(calendar, time).year) * seconds_per_day;
}

int64_t seconds_of_day(Time time) {
  return time - floor_divide(time, seconds_per_day) * seconds_per_day;
}

std::string format_time(Calendar calendar, Time time) {
  const DateTime d = to_date(calendar, time);
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%s%04lld-%02d-%02dT%02d:%02d:%02d",
                d.year < 0 ? "-" : "", std::llabs(d.year), d.month, d.day, d.hour, d.minute,
                d.second);
  return text.data();
}

ParsedTime parse_time(Calendar calendar, std::string_view text) {
  const Stamp stamp = StampReader(text).read();
  const Time time = to_time(calendar, stamp.date) - stamp.offset;
  return {time + static_cast<Time>(std::floor(stamp.fraction + 0.5)), stamp.date_only};
}

double seconds_per_unit(Calendar calendar, std::string_view unit) {
  static const std::vector<std::pair<double, std::vector<std::string_view>>> units = {
      {1e-9, {"nanosecond", "nanoseconds", "nanosec", "nanosecs", "ns"}},
      {1e-6, {"microsecond", "microseconds", "microsec", "microsecs", "us"}},
      {1e-3, {"millisecond", "milliseconds", "millisec", "millisecs", "msec", "msecs", "ms"}},
      {1, {"second", "seconds", "sec", "secs", "s"}},
      {60, {"minute", "minutes", "min", "mins"}},
      {3600, {"hour", "hours", "hr", "hrs", "h"}},
      {86400, {"day", "days", "d"}},
      {604800, {"week", "weeks"}}};
  const std::string lowered = lower_case(trim(unit));
  for (const auto& [seconds, names] : units)
    for (std::string_view name : names)
      if (lowered == name) return seconds;
  if (calendar == Calendar::day_360) {
    if (lowered == "month" || lowered == "months") return 30.0 * seconds_per_day;
    if (lowered == "year" || lowered == "years") return 360.0 * seconds_per_day;
  }
  return 0;
}

Time whole_seconds(double seconds) {
  if (!(std::abs(seconds) <= 1e13))
    throw Error(ErrorKind::data, seconds, " s are no time of weather");
  return static_cast<Time>(std::floor(seconds + 0.5));
}

bool is_time_units(std::string_view text) {
  return find_since(lower_case(text)) != std::string::npos;
}

TimeUnits::TimeUnits(Calendar calendar, std::string_view text) {
  const size_t since = find_since(lower_case(text));
  if (since == std::string::npos)
    throw Error(ErrorKind::data, "time units '", text,
                "' are not of the form 'hours since 1970-01-01'");
  const std::string_view unit = trim(text.substr(0, since));
  seconds_per_unit_ = seconds_per_unit(calendar, unit);
  if (seconds_per_unit_ == 0)
    throw Error(ErrorKind::data, "time units '", text, "': '", unit,
                "' is not a unit of fixed length in the calendar ", calendar_name(calendar),
                "; units like 'days since 1970-01-01' are needed");
  Stamp stamp = StampReader(text.substr(since + 5)).read();
  // Calendars of historians have no year 0: -4713 is 4713 BC, the first year of the Julian day.
  const bool historic = calendar == Calendar::standard || calendar == Calendar::julian;
  if (historic && stamp.date.year == 0)
    throw Error(ErrorKind::data, "time units '", text, "': the calendar ", calendar_name(calendar),
                " has no year 0; if the times were made in the calendar proleptic_gregorian, name "
                "it in the attribute 'calendar'");
  if (historic && stamp.date.year < 0) ++stamp.date.year;
  epoch_ = to_time(calendar, stamp.date) - stamp.offset;
  epoch_fraction_ = stamp.fraction;
}

Time TimeUnits::decode(double value) const {
  return epoch_ + whole_seconds(value * seconds_per_unit_ + epoch_fraction_);
}

}  // namespace py4cast
