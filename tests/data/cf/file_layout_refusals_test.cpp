// Files that are refused for their axes and coordinates, and why.
#include <cmath>

#include "data/cf/file_layout.h"
#include "tests/data/cf/cf_source_fixture.h"

namespace py4cast {
namespace {

class FileLayoutRefusals : public CfSourceTest {};

TEST_F(FileLayoutRefusals, BadTimes) {
  hourly("twice.nc", {0, 1, 1});
  expect_contains(refusal({"twice.nc"}), {"twice.nc", "2000-01-01T01:00:00 twice", "1 and 2"});
  hourly("unsorted.nc", {0, 2, 1});
  expect_contains(refusal({"unsorted.nc"}), {"not sorted", "2000-01-01T01:00:00 at 2"});
  for (const std::string units : {"", "hours", "K"}) {
    TestFile(path("units.nc"))
        .grid()
        .time({0}, units)
        .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
    expect_contains(refusal({"units.nc"}), {"units.nc", "variable 'time' has", "hours since"});
  }
  TestFile(path("months.nc"))
      .grid()
      .time({0}, "months since 1990-01-01")
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
  expect_contains(refusal({"months.nc"}),
                  {"months.nc: variable 't' cannot be used: variable 'time': time units 'months "
                   "since 1990-01-01'",
                   "not a unit of fixed length", "'days since 1970-01-01' are needed"});
  TestFile(path("absolute.nc"))
      .grid()
      .time({20000101.25}, "day as %Y%m%d.%f")
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
  expect_contains(refusal({"absolute.nc"}), {"; 'cdo -r copy FILE COPY' makes them so"});
  TestFile(path("none.nc"))
      .grid()
      .dimension("time", 1)
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
  expect_contains(refusal({"none.nc"}), {"dimension 'time' has no coordinate variable"});
  TestFile(path("fill.nc"))
      .grid()
      .time({0, 9.9692099683868690e+36})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 12));
  expect_contains(refusal({"fill.nc"}), {"value 1 of variable 'time' is missing"});
}

// As files of days that end with the first hour of the next one; packed numbers may differ by their steps.
TEST_F(FileLayoutRefusals, NeighboursMayHoldTheSameFieldIfItIsTheSame) {
  hourly("a.nc", {0, 1});
  hourly("b.nc", {1, 2});
  const auto source = open({"a.nc", "b.nc"});
  EXPECT_EQ(source->times().runs.size(), 3U);
  EXPECT_EQ(field(*source, {.variable = "t2m", .run = 1})[5], 105);
  const auto packed = [&](const std::string& name, const std::vector<double>& hours, double scale,
                          std::vector<double> values) {
    values.resize(6 * hours.size(), 7);
    TestFile(path(name))
        .grid()
        .time(hours)
        .variable("tcc", NC_SHORT, {"time", "latitude", "longitude"}, {{"units", "1"}}, values)
        .number("scale_factor", NC_DOUBLE, {scale})
        .number("_FillValue", NC_SHORT, {-1})
        .variable("t2m", NC_FLOAT, {"time", "latitude", "longitude"}, {{"units", "K"}},
                  count_from(hours[0], 6 * std::ssize(hours)));
  };
  packed("c.nc", {0}, 0.01, {3, -1, 14, 14, 14, 14});
  packed("d.nc", {0}, 0.02, {1, -1});
  EXPECT_TRUE(open({"c.nc", "d.nc"})->left_out().empty());
  packed("d.nc", {0}, 0.02, {4, -1});
  const auto apart = open({"c.nc", "d.nc"});
  EXPECT_EQ(apart->variables().size(), 1U);
  expect_contains(error_of([&] { apart->variable("tcc"); }),
                  {"variable 'tcc' cannot be used: ", "c.nc and ", "d.nc differ in variable 'tcc'",
                   "2000-01-01T00:00:00"});
}

TEST_F(FileLayoutRefusals, WhatDoesNotConcernAVariableDoesNotRefuseIt) {
  const auto file = [&](const std::string& name, double hour, double level) {
    TestFile(path(name))
        .grid()
        .time({hour, hour + 1, hour + 2})
        .axis("ts", {}, {NAN, 1})
        .axis("level", {}, {500, level})
        .axis("time2", {{"units", "days since 1950-01-01"}}, {0, 1})
        .axis("time3", {{"units", "fortnights since 2000-01-01"}}, {0, 1})
        .variable("soil", NC_FLOAT, {"time", "ts", "latitude", "longitude"}, {}, count_from(0, 36))
        .variable("u", NC_FLOAT, {"time", "level", "latitude", "longitude"}, {}, count_from(0, 36))
        .variable("climate", NC_FLOAT, {"time2", "latitude", "longitude"}, {}, count_from(0, 12))
        .variable("tide", NC_FLOAT, {"time3", "latitude", "longitude"}, {}, count_from(0, 12))
        .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 18));
  };
  file("a.nc", 0, 850);
  file("b.nc", 3, 500);
  auto source = open({"a.nc"});
  EXPECT_EQ(source->times().runs.size(), 3u);
  EXPECT_EQ(source->variables().size(), 2u);
  const auto reasons = source->left_out();
  expect_contains(reasons.at("soil"), {"a.nc: value 0 of variable 'ts' is missing"});
  expect_contains(reasons.at("climate"), {"a.nc: it has no time that the others have"});
  expect_contains(reasons.at("tide"), {"a.nc: variable 'time3'", "'fortnights' is not a unit"});
  // What one file cannot give would be a gap that nobody made.
  source = open({"a.nc", "b.nc"});
  EXPECT_EQ(source->variables().size(), 1u);
  expect_contains(error_of([&] { source->variable("u"); }),
                  {"'u' cannot be used", "b.nc: variable 'level' has the value 500 twice"});
}

TEST_F(FileLayoutRefusals, NoGrid) {
  TestFile(path("a.nc")).time({0}).variable("t", NC_FLOAT, {"time"}, {}, {1});
  expect_contains(refusal({"a.nc"}), {"a.nc", "no coordinates of latitude"});
  TestFile(path("points.nc"))
      .dimension("cell", 3)
      .variable("lat", NC_FLOAT, {"cell"}, {}, {1, 2, 3})
      .variable("lon", NC_FLOAT, {"cell"}, {}, {1, 2, 3})
      .variable("t", NC_FLOAT, {"cell"}, {}, {1, 2, 3});
  expect_contains(refusal({"points.nc"}), {"a list of points is not a grid"});
  TestFile(path("empty.nc")).grid();
  expect_contains(refusal({"empty.nc"}), {"no variable on a grid"});
}

TEST_F(FileLayoutRefusals, LevelsAndMembersAreDistinctNumbers) {
  const auto refused = [&](const std::string& axis, const std::vector<double>& values) {
    TestFile(path("a.nc"))
        .grid()
        .time({0})
        .axis(axis, {}, values)
        .variable("t", NC_FLOAT, {"time", axis, "latitude", "longitude"}, {},
                  count_from(0, 6 * values.size()));
    return refusal({"a.nc"});
  };
  for (const char* axis : {"level", "number"}) {
    const std::string name = axis;
    expect_contains(refused(name, {9.9692099683868690e+36, 500, 850}),
                    {"value 0 of variable '" + name + "' is missing"});
    expect_contains(refused(name, {NAN, 500, 850}),
                    {"value 0 of variable '" + name + "' is missing"});
    expect_contains(refused(name, {500, 850, 500}),
                    {"'" + name + "' has the value 500 twice, at 0 and 2"});
    EXPECT_EQ(refused(name, {500, 850}), "");
    TestFile(path("many.nc"))
        .grid()
        .time({0})
        .dimension(name, 300000)
        .variable("t", NC_FLOAT, {"time", name, "latitude", "longitude"}, {}, {});
    expect_contains(refusal({"many.nc"}), {"'" + name + "' has 300000 levels or members"});
  }
}

TEST_F(FileLayoutRefusals, TimesBeyondAnyWeather) {
  TestFile(path("past.nc"))
      .grid()
      .time({-1e300})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
  expect_contains(refusal({"past.nc"}), {"value 0 of variable 'time' is -1e+300 hours since"});
  TestFile(path("lead.nc"))
      .grid()
      .time({0, 1})
      .axis("step", {{"units", "hours"}}, {0, 2.5e15})
      .variable("t", NC_FLOAT, {"time", "step", "latitude", "longitude"}, {}, count_from(0, 24));
  expect_contains(refusal({"lead.nc"}), {"value 1 of variable 'step' is 2.5e+15 hours"});
}

TEST_F(FileLayoutRefusals, AnAxisWithoutValuesIsNamed) {
  TestFile(path("a.nc"), 0)
      .grid()
      .dimension("time", NC_UNLIMITED)
      .variable("time", NC_DOUBLE, {"time"}, {{"units", "hours since 2000-01-01"}}, {})
      .axis("step", {{"standard_name", "forecast_period"}, {"units", "hours since 2000-01-01"}},
            {0, 1})
      .variable("t", NC_FLOAT, {"time", "step", "latitude", "longitude"}, {}, {})
      .variable("u", NC_FLOAT, {"step", "latitude", "longitude"}, {}, count_from(0, 12));
  expect_contains(refusal({"a.nc"}), {"'u' has lead times but no time of the run"});
  TestFile(path("b.nc"), 0)
      .grid()
      .dimension("time", NC_UNLIMITED)
      .variable("time", NC_DOUBLE, {"time"}, {{"units", "hours since 2000-01-01"}}, {})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, {});
  expect_contains(refusal({"b.nc"}),
                  {"no variable on a grid", "'t' (its dimension 'time' has the length 0)"});
}

TEST_F(FileLayoutRefusals, DegreesAreOnTheEarth) {
  const auto refused = [&](double latitude, double longitude, const char* units) {
    TestFile(path("a.nc"))
        .axis("lat", {{"standard_name", "latitude"}, {"units", units}}, {50, latitude})
        .axis("lon", {{"standard_name", "longitude"}}, {1, 2, longitude})
        .time({0})
        .variable("t", NC_FLOAT, {"time", "lat", "lon"}, {}, count_from(0, 6));
    return refusal({"a.nc"});
  };
  const char* degrees = "degrees_north";
  EXPECT_EQ(refused(90, 363, degrees), "");
  expect_contains(refused(NAN, 3, degrees), {"'lat' at row 1, column 0 is missing"});
  expect_contains(refused(1e30, 3, degrees), {"'lat' at row 1, column 0 is 1e+30 degrees"});
  expect_contains(refused(49, 1e30, degrees), {"'lon' at row 0, column 2 is 1e+30 degrees"});
  expect_contains(refused(0.9, 3, "radian"), {"'lat' is in radians"});
}

TEST_F(FileLayoutRefusals, TheOnlyVariableIsNamed) {
  TestFile(path("a.nc"))
      .grid()
      .time({0})
      .variable("rain", NC_FLOAT, {"time", "latitude", "longitude"}, {{"missing_value", "-9999"}},
                count_from(0, 6));
  expect_contains(refusal({"a.nc"}), {"a.nc: variable 'rain' cannot be used: its attribute "
                                      "'missing_value' is the text '-9999'"});
}

TEST_F(FileLayoutRefusals, HeightsOfOtherTimesAreRefused) {
  const auto write = [&](const std::string& name, double hour, const std::string& height) {
    TestFile file(path(name));
    file.grid().time({hour});
    if (!height.empty())
      file.variable("height", NC_DOUBLE, {}, {{"units", "m"}, {"axis", "Z"}}, {std::stod(height)});
    file.variable("t", NC_FLOAT, {"time", "latitude", "longitude"},
                  {{"coordinates", height.empty() ? "" : "height"}}, count_from(0, 6));
  };
  write("a.nc", 0, "1.5");
  write("b.nc", 1, "2");
  write("c.nc", 1, "1.5");
  write("d.nc", 2, "");
  write("e.nc", 0, "2");
  const std::string refusal = error_of([&] { open({"a.nc", "b.nc"}); });
  EXPECT_NE(refusal.find("variable 't' is at 1.5 m in "), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("b.nc, at other times"), std::string::npos) << refusal;
  const std::string after = error_of([&] { open({"d.nc", "a.nc", "b.nc"}); });
  EXPECT_NE(after.find("at other times"), std::string::npos) << after;
  const auto source = open({"a.nc", "c.nc", "d.nc"});
  EXPECT_EQ(source->variable("t").only_level, 1.5);
  EXPECT_EQ(field(*source, {.variable = "t", .run = 2})[5], 5)
      << "of the file that tells no height";
  EXPECT_EQ(open({"a.nc", "e.nc"})->variable("t").levels, (std::vector<double>{1.5, 2}));
}

}  // namespace
}  // namespace py4cast
