// Times and units of times; the first letter chooses the calendar.
#include "data/weather/calendar.h"

#include "engine/error.h"
#include "tests/fuzz/door.h"

void py4cast::enter(std::string_view input) {
  if (input.empty()) return;
  const auto calendar = static_cast<Calendar>(static_cast<unsigned char>(input[0]) % 6);
  const std::string_view text = input.substr(1);
  try {
    const Time time = parse_time(calendar, text).time;
    const Time again = parse_time(calendar, format_time(calendar, time)).time;
    if (again != time)
      throw std::logic_error(std::string(text) + " is another time when it is written and read");
  } catch (const Error&) {  // no time; units, perhaps
  }
  if (!is_time_units(text)) return;
  const TimeUnits units(calendar, text);
  for (const double value : {0.0, -1.5, 1e9}) format_time(calendar, units.decode(value));
}
