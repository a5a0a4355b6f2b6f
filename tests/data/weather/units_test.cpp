#include "data/weather/units.h"

#include <gtest/gtest.h>

#include <tuple>

namespace py4cast {
namespace {

TEST(Units, HaveManySpellings) {
  const std::vector<std::string> same[] = {
      {"K", "Kelvin", "degK", "degrees_K", " K "},
      {"degC", "C", "Celsius", "degrees Celsius", "degree_C", "degreesCelsius", "degreeC",
       "\u00b0C"},
      {"hPa", "mb", "mbar", "Millibars", "hpa", "100 Pa"},
      {"m s-1", "m/s", "m s**-1", "m.s^-1", "meter second-1", "ms-1", "mps"},
      {"W m-2", "Wm^-2", "W/m2", "J s-1 m-2"},
      {"kg m-2", "kg/m^2", "kg m**-2", "kgm-2"},
      {"m2 s-2", "J kg-1", "m**2 s**-2"},
      {"1", "(0 - 1)", "-", "kg kg-1", "kgkg^-1", "dimensionless", "~"},
      {"%", "percent", "0.01"},
      {"m", "metres", "gpm", "m of water equivalent"},
      {"degree", "degrees", "Degree true", "degree_north"},
      {"rad", "radian"},
      {"a word", "a word"},
      {"", ""}};
  for (const auto& group : same)
    for (const auto& a : group)
      for (const auto& other : same)
        for (const auto& b : other)
          EXPECT_EQ(same_units(a, b), &group == &other) << "'" << a << "', '" << b << "'";
}

TEST(Units, AreConverted) {
  const std::tuple<const char*, const char*, double, double> cases[] = {
      {"degC", "K", 20, 293.15}, {"degF", "degC", 212, 100}, {"Pa", "mb", 101325, 1013.25},
      {"knot", "m/s", 9, 4.63},  {"%", "(0 - 1)", 50, 0.5},  {"g/kg", "kg kg**-1", 5, 0.005}};
  for (const auto& [from, to, given, expected] : cases) {
    const auto conversion = unit_conversion(from, to);
    ASSERT_TRUE(conversion) << from;
    EXPECT_NEAR((*conversion)(given), expected, 1e-9 * expected) << from;
    EXPECT_FALSE(conversion->same());
  }
  for (const auto& [from, to] : {std::pair("m", "kg m-2"), std::pair("K", ""), std::pair("", "1"),
                                 std::pair("dBZ", "mm6 m-3"), std::pair("okta", "1"),
                                 std::pair("degree", "1"), std::pair("1", "rad")})
    EXPECT_FALSE(unit_conversion(from, to)) << from;
}

TEST(Units, OfPressure) {
  EXPECT_EQ(hectopascals_in("hPa"), 1);
  EXPECT_DOUBLE_EQ(hectopascals_in("Pa").value(), 0.01);
  EXPECT_DOUBLE_EQ(hectopascals_in("bar").value(), 1000);
  EXPECT_DOUBLE_EQ(hectopascals_in("kpa").value(), 10);
  EXPECT_FALSE(hectopascals_in("K"));
  EXPECT_FALSE(hectopascals_in(""));
}

}  // namespace
}  // namespace py4cast
