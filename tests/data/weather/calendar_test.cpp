#include "data/weather/calendar.h"

#include <gtest/gtest.h>

#include "engine/error.h"
#include "tests/data/netcdf/test_files.h"

namespace py4cast {
namespace {

constexpr Calendar all_calendars[] = {Calendar::standard, Calendar::proleptic_gregorian,
                                      Calendar::noleap,   Calendar::all_leap,
                                      Calendar::day_360,  Calendar::julian};

std::string decode(Calendar calendar, const std::string& units, double value) {
  return format_time(calendar, TimeUnits(calendar, units).decode(value));
}

// Values from cftime 1.6.
TEST(Calendar, HistoriansHaveNoYearZero) {
  const std::string julian_day = "days since -4713-01-01 12:00:00";
  EXPECT_EQ(decode(Calendar::standard, julian_day, 2458849.5), "2020-01-01T00:00:00");
  EXPECT_EQ(decode(Calendar::julian, julian_day, 2458849.5), "2019-12-19T00:00:00");
  EXPECT_EQ(decode(Calendar::standard, "days since -0001-01-01", 800000), "2190-04-27T00:00:00");
  EXPECT_EQ(decode(Calendar::noleap, "days since -0001-01-01", 800000), "2190-10-13T00:00:00");
  EXPECT_EQ(decode(Calendar::proleptic_gregorian, "days since -4713-11-24 12:00:00", 2458849.5),
            "2020-01-01T00:00:00");
}

TEST(Calendar, EpochIsZeroInEveryCalendar) {
  for (Calendar calendar : all_calendars) {
    EXPECT_EQ(to_time(calendar, {1970, 1, 1, 0, 0, 0}), 0) << calendar_name(calendar);
    EXPECT_EQ(to_date(calendar, 0), (DateTime{1970, 1, 1, 0, 0, 0}));
    EXPECT_EQ(format_time(calendar, -1).substr(5),
              calendar == Calendar::day_360 ? "12-30T23:59:59" : "12-31T23:59:59");
  }
}

TEST(Calendar, DatesSurviveTheRoundTripAndAreConsecutive) {
  for (Calendar calendar : all_calendars) {
    DateTime before = to_date(calendar, -150000LL * 86400);
    for (int64_t day = -149999; day < 50000; ++day) {
      const DateTime date = to_date(calendar, day * 86400 + 3723);
      ASSERT_EQ(to_time(calendar, date), day * 86400 + 3723) << format_time(calendar, day * 86400);
      ASSERT_EQ(date.hour * 10000 + date.minute * 100 + date.second, 10203);
      const bool jump =
          calendar == Calendar::standard && date.year == 1582 && date.month == 10 && date.day == 15;
      if (date.day != 1 && !jump) {
        ASSERT_EQ(date.day, before.day + 1);
      } else if (date.day == 1) {
        const int last = calendar == Calendar::standard && date.year == 1582 && date.month == 11
                             ? 31
                             : days_in_month(calendar, before.year, before.month);
        ASSERT_EQ(before.day, last) << format_time(calendar, day * 86400);
      }
      before = date;
    }
  }
}

// Golden values of cftime 1.6 (num2date).
TEST(Calendar, GoldenValues) {
  EXPECT_EQ(decode(Calendar::standard, "hours since 1900-01-01 00:00:00.0", 1044876),
            "2019-03-14T12:00:00");
  EXPECT_EQ(decode(Calendar::standard, "days since 0001-01-01", 737000), "2018-11-01T00:00:00");
  EXPECT_EQ(decode(Calendar::proleptic_gregorian, "days since 0001-01-01", 737000),
            "2018-11-03T00:00:00");
  EXPECT_EQ(decode(Calendar::standard, "days since 1582-10-04", 1), "1582-10-15T00:00:00");
  EXPECT_EQ(decode(Calendar::julian, "days since 1582-10-04", 1), "1582-10-05T00:00:00");
  EXPECT_EQ(decode(Calendar::noleap, "days since 2000-01-01", 59), "2000-03-01T00:00:00");
  EXPECT_EQ(decode(Calendar::noleap, "days since 0001-01-01", 735000), "2014-09-13T00:00:00");
  EXPECT_EQ(decode(Calendar::all_leap, "days since 2001-01-01", 59), "2001-02-29T00:00:00");
  EXPECT_EQ(decode(Calendar::day_360, "days since 2000-01-01", 59), "2000-02-30T00:00:00");
  EXPECT_EQ(decode(Calendar::day_360, "months since 2000-01-01", 2.5), "2000-03-16T00:00:00");
  EXPECT_EQ(decode(Calendar::julian, "days since 1900-02-28", 1), "1900-02-29T00:00:00");
}

TEST(Calendar, UnitsZonesAndFractions) {
  const Calendar c = Calendar::standard;
  EXPECT_EQ(decode(c, "seconds since 1992-10-8 15:15:42.5 -6:00", 0), "1992-10-08T21:15:43");
  EXPECT_EQ(decode(c, "seconds since 1992-10-8 15:15:42.5 +0130", 0.25), "1992-10-08T13:45:43");
  EXPECT_EQ(decode(c, "seconds since 1970-1-1 0:00:00 0:00", 90), "1970-01-01T00:01:30");
  EXPECT_EQ(decode(c, "seconds since 1970-1-1 6:00:00 1:30", 0), "1970-01-01T04:30:00");
  EXPECT_EQ(decode(c, "minutes since 2000-01-01T00:00:00Z", 90), "2000-01-01T01:30:00");
  EXPECT_EQ(decode(c, "days since 2000-1-1 12", 0.0416666679084301), "2000-01-01T13:00:00");
  EXPECT_EQ(decode(c, "Hours Since 2000-01-01 06:00 UTC", -6.5), "1999-12-31T23:30:00");
  EXPECT_EQ(decode(c, "weeks since 2000-01-01", 1), "2000-01-08T00:00:00");
  EXPECT_EQ(decode(c, "milliseconds since 2000-01-01", 61000), "2000-01-01T00:01:01");
  EXPECT_EQ(decode(c, "ns since 1970-01-01", 1553666400e9), "2019-03-27T06:00:00");
  EXPECT_TRUE(is_time_units("days since 2000-01-01"));
  EXPECT_FALSE(is_time_units("days"));
  EXPECT_EQ(seconds_per_unit(c, "hours"), 3600);
  EXPECT_EQ(seconds_per_unit(c, "months"), 0);
}

// As cftime.
TEST(Calendar, YearZeroIsRefusedWhereThereIsNone) {
  const auto refused = [](Calendar calendar) {
    return error_of([&] { TimeUnits(calendar, "days since 0000-01-01"); });
  };
  EXPECT_EQ(refused(Calendar::standard),
            "time units 'days since 0000-01-01': the calendar standard has no year 0; if the times "
            "were made in the calendar proleptic_gregorian, name it in the attribute 'calendar'");
  EXPECT_NE(refused(Calendar::julian), "");
  EXPECT_EQ(refused(Calendar::proleptic_gregorian), "");
  EXPECT_EQ(refused(Calendar::noleap), "");
}

TEST(Calendar, UnknownOnesAreToldWhichAreKnown) {
  EXPECT_EQ(error_of([] { parse_calendar("tai"); }),
            "unknown calendar 'tai'; known are standard, proleptic_gregorian, noleap, all_leap, "
            "360_day, julian, gregorian, 365_day, 366_day");
}

TEST(Calendar, ParsesIsoTimes) {
  const Calendar c = Calendar::standard;
  const Time expected = to_time(c, {2019, 3, 27, 6, 0, 0});
  for (const char* text : {"2019-03-27T06", "2019-03-27T06:00Z", "2019-03-27 6:00:00", "2019032706",
                           "20190327T060000Z", " 2019-03-27T07:00+01:00", "2019-03-27T0600",
                           "2019-03-27T06:00:00.3"}) {
    EXPECT_EQ(parse_time(c, text).time, expected) << text;
    EXPECT_FALSE(parse_time(c, text).date_only) << text;
  }
  EXPECT_TRUE(parse_time(c, "2019-03-27").date_only);
  EXPECT_EQ(parse_time(c, "2019-03-27").time, expected - 6 * 3600);
  EXPECT_EQ(parse_time(c, "2019-03-26T24:00").time, expected - 6 * 3600);
  EXPECT_EQ(parse_time(c, format_time(c, expected)).time, expected);
  EXPECT_EQ(parse_time(c, format_time(c, -99999999999999)).time, -99999999999999);
}

TEST(Calendar, PartsOfTheYear) {
  const auto at = [](Calendar c, const char* text) { return parse_time(c, text).time; };
  EXPECT_EQ(day_of_year(Calendar::standard, at(Calendar::standard, "2019-01-01")), 0);
  EXPECT_EQ(day_of_year(Calendar::standard, at(Calendar::standard, "2020-12-31T23")), 365);
  EXPECT_EQ(seconds_since_new_year(Calendar::noleap, at(Calendar::noleap, "2020-03-01T00:00:05")),
            59 * 86400 + 5);
  EXPECT_EQ(seconds_in_year(Calendar::standard, at(Calendar::standard, "2020-06-01")), 366 * 86400);
  EXPECT_EQ(seconds_in_year(Calendar::standard, at(Calendar::standard, "1900-06-01")), 365 * 86400);
  EXPECT_EQ(seconds_in_year(Calendar::standard, at(Calendar::standard, "1500-06-01")), 366 * 86400);
  EXPECT_EQ(seconds_in_year(Calendar::day_360, 0), 360 * 86400);
  EXPECT_EQ(seconds_of_day(-1), 86399);
}

TEST(Calendar, NamesOfCalendars) {
  for (Calendar calendar : all_calendars)
    EXPECT_EQ(parse_calendar(calendar_name(calendar)), calendar);
  EXPECT_EQ(parse_calendar("Gregorian"), Calendar::standard);
  EXPECT_EQ(parse_calendar(""), Calendar::standard);
  EXPECT_EQ(parse_calendar("365_day"), Calendar::noleap);
  EXPECT_EQ(parse_calendar("366_day"), Calendar::all_leap);
}

template <typename Function>
std::string message(Function function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
  return "";
}

TEST(Calendar, GregorianOnesAreTheSameFromTheReformOn) {
  const Calendar standard = Calendar::standard, proleptic = Calendar::proleptic_gregorian;
  const Time reform = to_time(standard, {1582, 10, 15});
  EXPECT_TRUE(same_calendar(standard, proleptic, {reform + 1, reform}));
  EXPECT_FALSE(same_calendar(proleptic, standard, {reform, reform - 1}));
  EXPECT_TRUE(same_calendar(standard, standard, {reform - 1}));
  for (const Calendar other : {Calendar::noleap, Calendar::julian})
    EXPECT_FALSE(same_calendar(standard, other, {0}));
}

TEST(Calendar, RefusesWhatIsNoTime) {
  const Calendar c = Calendar::standard;
  EXPECT_NE(message([] { parse_calendar("gregorain"); }).find("gregorian"), std::string::npos);
  for (const char* text : {"", "yesterday", "2019", "2019-03", "2019-03-27T06:00 and more",
                           "2019-03-27T06:00+99:00", "1234567890123-01-01"})
    EXPECT_NE(message([&] { parse_time(c, text); }).find("is not a time"), std::string::npos)
        << text;
  for (const char* text : {"2019-02-29", "2019-13-01", "2019-04-31", "2019-04-00", "1582-10-10",
                           "2019-04-01T24:30", "2019-04-01T06:60", "2019-04-01T06:00:61"})
    EXPECT_NE(message([&] { parse_time(c, text); }).find("there is no "), std::string::npos)
        << text;
  EXPECT_EQ(message([] { parse_time(Calendar::all_leap, "2019-02-29"); }), "");
  for (const char* text : {"hours", "parsecs since 1970-01-01", "months since 1970-01-01",
                           "days since tomorrow", "since 1970-01-01"})
    EXPECT_NE(message([&] { TimeUnits(c, text); }), "") << text;
}

}  // namespace
}  // namespace py4cast
