#include "data/netcdf_source.h"

#include <cmath>
#include <fstream>

#include "data/calendar.h"
#include "tests/data/test_files.h"

namespace py4cast {
namespace {

class NetcdfSourceTest : public NetcdfFolder {
 protected:
  std::unique_ptr<FieldSource> open(const std::vector<std::string>& names) {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(path(name));
    return open_netcdf(paths);
  }
  std::string refusal(const std::vector<std::string>& names) {
    return error_of([&] { open(names); });
  }
  static std::vector<float> field(FieldSource& source, const FieldRequest& request) {
    const Region region = {0, source.grid().rows, 0, source.grid().columns};
    std::vector<float> values(static_cast<size_t>(region.rows() * region.columns()));
    source.read(request, region, values.data());
    return values;
  }
  // A file of the 2 x 3 grid with times in hours; value = 100 * hour + index.
  void hourly(const std::string& name, const std::vector<double>& hours,
              const std::string& variable = "t2m", double latitude = 50) {
    std::vector<double> values;
    for (double hour : hours)
      for (int i = 0; i < 6; ++i) values.push_back(100 * hour + i);
    TestFile(path(name))
        .axis("latitude", {{"units", "degrees_north"}}, {latitude, latitude - 1})
        .axis("longitude", {{"units", "degrees_east"}}, {1, 2, 3})
        .time(hours)
        .variable(variable, NC_FLOAT, {"time", "latitude", "longitude"}, {{"units", "K"}}, values);
  }
};

TEST_F(NetcdfSourceTest, ReadsTheGridTheTimesAndTheFields) {
  hourly("a.nc", {0, 1, 2});
  const auto source = open({"a.nc"});
  const Grid& grid = source->grid();
  EXPECT_EQ(grid.rows, 2);
  EXPECT_EQ(grid.columns, 3);
  EXPECT_TRUE(grid.separable);
  EXPECT_EQ(grid.latitude, (std::vector<double>{50, 50, 50, 49, 49, 49}));
  EXPECT_EQ(grid.longitude, (std::vector<double>{1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(grid.x, grid.longitude);
  EXPECT_EQ(grid.x_name, "longitude");
  EXPECT_EQ(grid.axis_units, "degrees");
  EXPECT_FALSE(source->times().reforecast());
  EXPECT_EQ(source->times().members, 1);
  ASSERT_EQ(source->times().runs.size(), 3u);
  EXPECT_EQ(format_time(Calendar::standard, source->times().runs[2]), "2000-01-01T02:00:00");
  EXPECT_EQ(source->variable("t2m").units, "K");
  EXPECT_TRUE(source->variable("t2m").has_time);
  EXPECT_EQ(field(*source, {"t2m", 0, 2, 0, 0}),
            (std::vector<float>{200, 201, 202, 203, 204, 205}));
  std::vector<float> block(2);
  source->read({"t2m", 0, 1, 0, 0}, {0, 2, 1, 2}, block.data());
  EXPECT_EQ(block, (std::vector<float>{101, 104}));
}

TEST_F(NetcdfSourceTest, KeepsEitherDirectionOfLatitude) {
  hourly("down.nc", {0});
  TestFile(path("up.nc"))
      .axis("lat", {{"standard_name", "latitude"}}, {49, 50})
      .axis("lon", {{"standard_name", "longitude"}}, {1, 2, 3})
      .time({0})
      .variable("t2m", NC_DOUBLE, {"time", "lat", "lon"}, {}, count_from(0, 6));
  EXPECT_EQ(open({"down.nc"})->grid().latitude.front(), 50);
  const auto up = open({"up.nc"});
  EXPECT_EQ(up->grid().latitude.front(), 49);
  EXPECT_EQ(field(*up, {"t2m"}), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  expect_contains(refusal({"down.nc", "up.nc"}),
                  {"down.nc", "up.nc", "different grids", "latitude at row 0", "50", "49"});
}

TEST_F(NetcdfSourceTest, DimensionsInAnyOrder) {
  // value = 1000 * time + 100 * member + 10 * level ... written as (x, level, y, member, time)
  std::vector<double> values;
  for (int x = 0; x < 3; ++x)
    for (int level = 0; level < 2; ++level)
      for (int y = 0; y < 2; ++y)
        for (int member = 0; member < 2; ++member)
          for (int time = 0; time < 2; ++time)
            values.push_back(10000 * time + 1000 * member + 100 * level + 10 * y + x);
  TestFile(path("a.nc"))
      .grid()
      .time({0, 6})
      .axis("number", {{"standard_name", "realization"}}, {3, 7})
      .axis("isobaricInhPa", {{"units", "hPa"}, {"positive", "down"}}, {500, 850})
      .variable("t", NC_FLOAT, {"longitude", "isobaricInhPa", "latitude", "number", "time"}, {},
                values);
  const auto source = open({"a.nc"});
  EXPECT_EQ(source->times().members, 2);
  const VariableInfo& info = source->variable("t");
  EXPECT_EQ(info.levels, (std::vector<double>{500, 850}));
  EXPECT_EQ(info.level_name, "isobaricInhPa");
  EXPECT_EQ(info.level_units, "hPa");
  for (int level = 0; level < 2; ++level)
    for (int time = 0; time < 2; ++time)
      for (int member = 0; member < 2; ++member) {
        const float base = static_cast<float>(10000 * time + 1000 * member + 100 * level);
        EXPECT_EQ(field(*source, {"t", level, time, 0, member}),
                  (std::vector<float>{base, base + 1, base + 2, base + 10, base + 11, base + 12}));
      }
  std::vector<float> block(2);
  source->read({"t", 1, 0, 0, 0}, {1, 2, 1, 3}, block.data());
  EXPECT_EQ(block, (std::vector<float>{111, 112}));
}

TEST_F(NetcdfSourceTest, TwoDimensionalCoordinates) {
  TestFile(path("a.nc"))
      .axis("y", {{"standard_name", "projection_y_coordinate"}, {"units", "km"}}, {0, 2.5})
      .axis("x", {{"standard_name", "projection_x_coordinate"}, {"units", "km"}}, {10, 12.5, 15})
      .time({0})
      .variable("lat", NC_DOUBLE, {"y", "x"}, {{"units", "degrees_north"}},
                {50, 50.1, 50.2, 51, 51.1, 51.2})
      .variable("lon", NC_DOUBLE, {"y", "x"}, {{"units", "degrees_east"}}, {1, 2, 3, 1.1, 2.1, 3.1})
      .variable("crs", NC_INT, {}, {{"grid_mapping_name", "lambert_conformal_conic"}}, {0})
      .variable("t2m", NC_FLOAT, {"time", "y", "x"},
                {{"coordinates", "lat lon"}, {"grid_mapping", "crs"}}, count_from(0, 6));
  const auto source = open({"a.nc"});
  const Grid& grid = source->grid();
  EXPECT_FALSE(grid.separable);
  EXPECT_EQ(grid.latitude, (std::vector<double>{50, 50.1, 50.2, 51, 51.1, 51.2}));
  EXPECT_EQ(grid.longitude[5], 3.1);
  EXPECT_EQ(grid.x, (std::vector<double>{10000, 12500, 15000, 10000, 12500, 15000}));
  EXPECT_EQ(grid.y[3], 2500);
  EXPECT_EQ(grid.axis_units, "m");
  ASSERT_EQ(source->variables().size(), 1u);
}

TEST_F(NetcdfSourceTest, RotatedPoleAndIndexAxes) {
  TestFile(path("rotated.nc"))
      .axis("rlat", {{"standard_name", "grid_latitude"}, {"units", "degrees"}}, {-1, 1})
      .axis("rlon", {{"standard_name", "grid_longitude"}, {"units", "degrees"}}, {-2, 0, 2})
      .time({0})
      .variable("lat", NC_DOUBLE, {"rlat", "rlon"}, {{"standard_name", "latitude"}},
                count_from(50, 6))
      .variable("lon", NC_DOUBLE, {"rlat", "rlon"}, {{"standard_name", "longitude"}},
                count_from(1, 6))
      .variable("t2m", NC_FLOAT, {"time", "rlat", "rlon"}, {{"coordinates", "lon lat"}},
                count_from(0, 6));
  EXPECT_EQ(open({"rotated.nc"})->grid().x, (std::vector<double>{-2, 0, 2, -2, 0, 2}));
  EXPECT_EQ(open({"rotated.nc"})->grid().axis_units, "degrees");
  // As WRF writes it: no coordinate variables, coordinates at each time.
  TestFile(path("wrf.nc"))
      .dimension("Time", 1)
      .dimension("south_north", 2)
      .dimension("west_east", 3)
      .variable("XTIME", NC_DOUBLE, {"Time"}, {{"units", "minutes since 2000-01-01 00:00:00"}},
                {90})
      .variable("XLAT", NC_FLOAT, {"Time", "south_north", "west_east"}, {{"units", "degree_north"}},
                count_from(50, 6))
      .variable("XLONG", NC_FLOAT, {"Time", "south_north", "west_east"}, {{"units", "degree_east"}},
                count_from(1, 6))
      .variable("T2", NC_FLOAT, {"Time", "south_north", "west_east"},
                {{"coordinates", "XLONG XLAT XTIME"}}, count_from(0, 6));
  const auto wrf = open({"wrf.nc"});
  EXPECT_EQ(wrf->grid().latitude[5], 55);
  EXPECT_EQ(wrf->grid().x[4], 1);
  EXPECT_EQ(wrf->grid().axis_units, "1");
  EXPECT_EQ(format_time(Calendar::standard, wrf->times().runs.at(0)), "2000-01-01T01:30:00");
}

TEST_F(NetcdfSourceTest, EveryCalendar) {
  const std::pair<const char*, const char*> expected[] = {
      {"standard", "2000-03-01T00:00:00"},  {"proleptic_gregorian", "2000-03-01T00:00:00"},
      {"noleap", "2000-03-02T00:00:00"},    {"all_leap", "2000-03-01T00:00:00"},
      {"360_day", "2000-02-30T00:00:00"},   {"julian", "2000-03-01T00:00:00"},
      {"gregorian", "2000-03-01T00:00:00"}, {"365_day", "2000-03-02T00:00:00"}};
  for (const auto& [name, date] : expected) {
    const double days = std::string(name) == "360_day" ? 59 : 60;
    TestFile(path("a.nc"))
        .grid()
        .axis("time", {{"units", "days since 2000-01-01"}, {"calendar", name}}, {days})
        .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
    const auto source = open({"a.nc"});
    EXPECT_EQ(format_time(source->times().calendar, source->times().runs.at(0)), date) << name;
  }
  hourly("b.nc", {0});
  expect_contains(refusal({"a.nc", "b.nc"}), {"a.nc", "b.nc", "calendars", "noleap", "standard"});
}

TEST_F(NetcdfSourceTest, GregorianCalendarsMixInModernTimes) {
  hourly("a.nc", {0});
  for (double hour : {6.0, -4e6}) {
    TestFile(path("b.nc"))
        .grid()
        .axis("time", {{"units", "hours since 2000-01-01"}, {"calendar", "proleptic_gregorian"}},
              {hour})
        .variable("t2m", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
    if (hour > 0)
      EXPECT_EQ(open({"a.nc", "b.nc"})->times().runs.size(), 2u);
    else
      expect_contains(refusal({"a.nc", "b.nc"}), {"calendars", "proleptic_gregorian"});
  }
}

TEST_F(NetcdfSourceTest, StaticsWithoutTimeAndWithOneTime) {
  hourly("a.nc", {0, 1});
  TestFile(path("static.nc"))
      .grid()
      .variable("lsm", NC_FLOAT, {"latitude", "longitude"}, {}, {0, 1, 0, 1, 0, 1});
  TestFile(path("relief.nc"))
      .grid()
      .time({-500000})
      .variable("z", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(10, 6));
  const auto source = open({"a.nc", "static.nc", "relief.nc"});
  EXPECT_EQ(source->times().runs.size(), 2u);
  EXPECT_FALSE(source->variable("lsm").has_time);
  EXPECT_FALSE(source->variable("z").has_time);
  EXPECT_TRUE(source->variable("t2m").has_time);
  EXPECT_EQ(field(*source, {"lsm", 0, 1, 0, 0})[1], 1);
  EXPECT_EQ(field(*source, {"z", 0, 1, 0, 0})[5], 15);
  EXPECT_TRUE(source->exists({"z", 0, 1, 0, 0}));
  EXPECT_TRUE(open({"relief.nc"})->variable("z").has_time);  // alone it is a field of that time
}

TEST_F(NetcdfSourceTest, FilesSplitInTimeByPattern) {
  hourly("part_2.nc", {3, 4});
  hourly("part_1.nc", {0, 1});
  const auto source = open({"part_*.nc", "part_1.nc"});
  ASSERT_EQ(source->times().runs.size(), 4u);
  EXPECT_EQ(source->times().runs[2] - source->times().runs[1], 2 * 3600);
  EXPECT_EQ(field(*source, {"t2m", 0, 0, 0, 0})[1], 1);
  EXPECT_EQ(field(*source, {"t2m", 0, 2, 0, 0})[1], 301);
  EXPECT_FALSE(source->exists({"t2m", 0, 4, 0, 0}));
}

TEST_F(NetcdfSourceTest, FilesSplitByVariableMayHaveGaps) {
  hourly("a.nc", {0, 1, 2}, "u10");
  hourly("b.nc", {0, 2}, "v10");
  const auto source = open({"a.nc", "b.nc"});
  EXPECT_EQ(source->variables().size(), 2u);
  EXPECT_EQ(source->times().runs.size(), 3u);
  EXPECT_TRUE(source->exists({"u10", 0, 1, 0, 0}));
  EXPECT_FALSE(source->exists({"v10", 0, 1, 0, 0}));
  EXPECT_EQ(field(*source, {"v10", 0, 2, 0, 0})[0], 200);
  expect_contains(error_of([&] {
                    field(*source, {"v10", 0, 1, 0, 0});
                  }),
                  {"a.nc", "'v10' of 2000-01-01T01:00:00", "not there"});
  expect_contains(error_of([&] { field(*source, {"u10", 1, 1, 0, 0}); }), {"level number 1"});
}

TEST_F(NetcdfSourceTest, ReforecastWithAxesOfRunAndLead) {
  TestFile(path("a.nc"))
      .grid()
      .axis("forecast_reference_time",
            {{"standard_name", "forecast_reference_time"}, {"units", "days since 2000-01-01"}},
            {0, 1})
      .axis("step", {{"standard_name", "forecast_period"}, {"units", "hours"}}, {0, 6, 12})
      .axis("member", {}, {0, 1})
      .variable("t", NC_FLOAT,
                {"forecast_reference_time", "member", "step", "latitude", "longitude"}, {},
                count_from(0, 72));
  const auto source = open({"a.nc"});
  const TimeAxis& times = source->times();
  EXPECT_TRUE(times.reforecast());
  EXPECT_EQ(times.runs.size(), 2u);
  EXPECT_EQ(times.leads, (std::vector<Time>{0, 21600, 43200}));
  EXPECT_EQ(times.members, 2);
  EXPECT_EQ(field(*source, {"t", 0, 1, 2, 1})[0], 66);
  EXPECT_EQ(field(*source, {"t", 0, 1, 0, 1})[5], 59);
}

TEST_F(NetcdfSourceTest, TimeBesideLeadIsTheTimeOfTheRun) {
  TestFile(path("a.nc"))
      .grid()
      .time({0, 12})
      .axis("lead_time", {{"units", "h"}}, {1, 2})
      .variable("t", NC_FLOAT, {"time", "lead_time", "latitude", "longitude"}, {},
                count_from(0, 24));
  const auto source = open({"a.nc"});
  EXPECT_EQ(source->times().runs.size(), 2u);
  EXPECT_EQ(source->times().leads, (std::vector<Time>{3600, 7200}));
  EXPECT_EQ(field(*source, {"t", 0, 1, 0, 0})[0], 12);
}

TEST_F(NetcdfSourceTest, OneFilePerRun) {
  for (int run = 0; run < 3; ++run)
    TestFile(path("run_" + std::to_string(run) + ".nc"))
        .grid()
        .time({12.0 * run, 12.0 * run + 1, 12.0 * run + 2})
        .variable(
            "forecast_reference_time", NC_DOUBLE, {},
            {{"standard_name", "forecast_reference_time"}, {"units", "hours since 2000-01-01"}},
            {12.0 * run})
        .variable("orography", NC_FLOAT, {"latitude", "longitude"}, {}, count_from(0, 6))
        .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(100 * run, 18));
  const auto source = open({"run_*.nc"});
  EXPECT_EQ(source->times().runs.size(), 3u);
  EXPECT_EQ(source->times().leads, (std::vector<Time>{0, 3600, 7200}));
  EXPECT_EQ(field(*source, {"t", 0, 2, 1, 0})[0], 206);
  EXPECT_FALSE(source->variable("orography").has_time);
  EXPECT_EQ(field(*source, {"orography", 0, 2, 1, 0})[3], 3);
}

TEST_F(NetcdfSourceTest, ADimensionOfOneRunBesideTimesOfValidity) {
  for (size_t runs : {1, 2})
    TestFile(path(std::to_string(runs)))
        .grid()
        .axis("run", {{"units", "hours since 2000-01-01"}}, count_from(6, runs))
        .time({7, 9})
        .variable("t", NC_FLOAT, {"run", "time", "latitude", "longitude"}, {},
                  count_from(0, 12 * runs));
  const auto source = open({"1"});
  EXPECT_EQ(source->times().leads, (std::vector<Time>{3600, 3 * 3600}));
  EXPECT_EQ(field(*source, {"t", 0, 0, 1, 0})[0], 6);
  expect_contains(refusal({"2"}), {"'t' has dimensions of run and of time", "lead times"});
}

TEST_F(NetcdfSourceTest, RunsWithAScalarRunAndAStepAxis) {
  for (int run = 0; run < 2; ++run)
    TestFile(path("run_" + std::to_string(run) + ".nc"))
        .grid()
        .variable(
            "time", NC_DOUBLE, {},
            {{"standard_name", "forecast_reference_time"}, {"units", "hours since 2000-01-01"}},
            {24.0 * run})
        .axis("step", {{"units", "minutes"}}, {0, 15})
        .variable("t", NC_FLOAT, {"step", "latitude", "longitude"}, {{"coordinates", "time"}},
                  count_from(100 * run, 12));
  const auto source = open({"run_*.nc"});
  EXPECT_EQ(source->times().leads, (std::vector<Time>{0, 900}));
  EXPECT_EQ(field(*source, {"t", 0, 1, 1, 0})[0], 106);
}

TEST_F(NetcdfSourceTest, OneLeadTimeIsAnObservation) {
  TestFile(path("a.nc"))
      .grid()
      .axis("time",
            {{"standard_name", "forecast_reference_time"}, {"units", "hours since 2000-01-01"}},
            {0, 12})
      .variable("step", NC_DOUBLE, {}, {{"standard_name", "forecast_period"}, {"units", "hours"}},
                {6})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {{"coordinates", "step"}},
                count_from(0, 12));
  const auto source = open({"a.nc"});
  EXPECT_FALSE(source->times().reforecast());
  EXPECT_EQ(format_time(Calendar::standard, source->times().runs.at(1)), "2000-01-01T18:00:00");
  EXPECT_EQ(field(*source, {"t", 0, 1, 0, 0})[0], 6);
}

TEST_F(NetcdfSourceTest, ScalarCoordinatesOfTimeLevelAndMember) {
  for (int k = 0; k < 8; ++k)
    TestFile(path(std::to_string(k).append(".part")))
        .grid()
        .variable("time", NC_INT, {}, {{"units", "hours since 2000-01-01"}}, {1.0 * (k & 1)})
        .variable("plev", NC_FLOAT, {}, {{"units", "Pa"}, {"positive", "down"}},
                  {k & 2 ? 85000.0 : 50000.0})
        .variable("realization", NC_INT, {}, {{"standard_name", "realization"}},
                  {k & 4 ? 5.0 : 2.0})
        .variable("t", NC_FLOAT, {"latitude", "longitude"},
                  {{"coordinates", "time plev realization"}}, count_from(10 * k, 6));
  const auto source = open({"?.part"});
  EXPECT_EQ(source->times().runs.size(), 2u);
  EXPECT_EQ(source->times().members, 2);
  EXPECT_EQ(source->variable("t").levels, (std::vector<double>{50000, 85000}));
  for (int k = 0; k < 8; ++k)
    EXPECT_EQ(field(*source, {"t", (k & 2) / 2, k & 1, 0, (k & 4) / 4})[0], 10 * k);
  TestFile(path("t2m.nc"))
      .grid()
      .time({0})
      .variable("height", NC_DOUBLE, {}, {{"units", "m"}, {"axis", "Z"}}, {2})
      .variable("t2m", NC_FLOAT, {"time", "latitude", "longitude"}, {{"coordinates", "height"}},
                count_from(0, 6));
  EXPECT_TRUE(open({"t2m.nc"})->variable("t2m").levels.empty());
}

TEST_F(NetcdfSourceTest, PackedAndMissingValuesInNetcdf3) {
  TestFile(path("a.nc"), 0)
      .grid()
      .time({0, 1})
      .variable("t", NC_SHORT, {"time", "latitude", "longitude"}, {},
                {0, 1, 2, 3, 4, -1, 5, 6, 7, 8, 9, 10})
      .number("scale_factor", NC_DOUBLE, {0.25})
      .number("add_offset", NC_DOUBLE, {10})
      .number("_FillValue", NC_SHORT, {-1});
  const auto source = open({"a.nc"});
  const std::vector<float> values = field(*source, {"t"});
  EXPECT_EQ(values[4], 11);
  EXPECT_TRUE(std::isnan(values[5]));
  EXPECT_EQ(field(*source, {"t", 0, 1, 0, 0})[5], 12.5f);
}

TEST_F(NetcdfSourceTest, MissingVariablesNameTheNearest) {
  hourly("a.nc", {0});
  hourly("b.nc", {0}, "u10");
  const auto source = open({"a.nc", "b.nc"});
  expect_contains(error_of([&] { source->variable("t2n"); }),
                  {"a.nc and 1 more", "'t2n'", "'t2m'"});
  expect_contains(error_of([&] { field(*source, {"v10"}); }), {"'v10'", "'u10'"});
}

TEST_F(NetcdfSourceTest, VariablesThatAreNoFieldsSayWhy) {
  TestFile(path("a.nc"))
      .grid()
      .time({0})
      .axis("lat_u", {{"units", "degrees_north"}, {"axis", "Y"}}, {50.5, 49.5})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6))
      .variable("u", NC_FLOAT, {"time", "lat_u", "longitude"}, {}, count_from(0, 6))
      .variable("profile", NC_FLOAT, {"time", "latitude"}, {}, {1, 2});
  const auto source = open({"a.nc"});
  EXPECT_EQ(source->variables().size(), 1u);
  expect_contains(error_of([&] { source->variable("u"); }), {"'u' cannot be used", "lat_u"});
  expect_contains(error_of([&] { source->variable("profile"); }), {"not a field on the grid"});
}

TEST_F(NetcdfSourceTest, RefusesDifferentGrids) {
  hourly("a.nc", {0});
  hourly("b.nc", {1}, "t2m", 60);
  TestFile(path("c.nc"))
      .axis("lat", {{"units", "degrees_north"}}, {50, 49, 48})
      .axis("lon", {{"units", "degrees_east"}}, {1, 2, 3})
      .time({2})
      .variable("t2m", NC_FLOAT, {"time", "lat", "lon"}, {}, count_from(0, 9));
  expect_contains(refusal({"a.nc", "b.nc"}),
                  {"a.nc", "b.nc", "different grids", "latitude", "50", "60"});
  expect_contains(refusal({"a.nc", "c.nc"}), {"a.nc", "c.nc", "2 x 3", "3 x 3"});
}

TEST_F(NetcdfSourceTest, RefusesBadTimes) {
  hourly("twice.nc", {0, 1, 1});
  expect_contains(refusal({"twice.nc"}), {"twice.nc", "2000-01-01T01:00:00 twice", "1 and 2"});
  hourly("unsorted.nc", {0, 2, 1});
  expect_contains(refusal({"unsorted.nc"}), {"not sorted", "2000-01-01T01:00:00 at 2"});
  hourly("a.nc", {0, 1});
  hourly("b.nc", {1, 2});
  expect_contains(refusal({"a.nc", "b.nc"}),
                  {"a.nc", "b.nc", "both hold variable 't2m' of 2000-01-01T01"});
  for (const std::string units : {"", "hours", "K"}) {
    TestFile(path("units.nc"))
        .grid()
        .time({0}, units)
        .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
    expect_contains(refusal({"units.nc"}), {"units.nc", "variable 'time' has", "hours since"});
  }
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

TEST_F(NetcdfSourceTest, RefusesFilesWithoutAGrid) {
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

TEST_F(NetcdfSourceTest, RefusesMissingAndTruncatedFiles) {
  expect_contains(refusal({"a.nc"}), {"a.nc", "no such file"});
  expect_contains(refusal({"a*.nc"}), {"a*.nc", "no file matches"});
  EXPECT_NE(error_of([] { open_netcdf({}); }), "");
  hourly("a.nc", {0, 1});
  std::filesystem::resize_file(path("a.nc"), std::filesystem::file_size(path("a.nc")) / 2);
  expect_contains(refusal({"a.nc"}), {"a.nc", "truncated"});
}

TEST_F(NetcdfSourceTest, DamageIsReportedWithVariableAndTime) {
  hourly("a.nc", {0, 1});
  const auto source = std::make_unique<NetcdfSource>(std::vector<std::string>{path("a.nc")});
  std::filesystem::remove(path("a.nc"));
  EXPECT_EQ(field(*source, {"t2m", 0, 1, 0, 0})[0], 100);  // still open
  hourly("b.nc", {0, 1});
  hourly("c.nc", {2, 3});
  NetcdfSource small({path("b.nc"), path("c.nc")}, 1);
  std::ofstream(path("b.nc")) << "overwritten";
  expect_contains(error_of([&] {
                    field(small, {"t2m", 0, 1, 0, 0});
                  }),
                  {"b.nc", "not a netCDF file", "'t2m' of 2000-01-01T01:00:00"});
}

TEST_F(NetcdfSourceTest, RegionsOffTheGridAreRefused) {
  hourly("a.nc", {0});
  const auto source = open({"a.nc"});
  std::vector<float> out(100);
  for (const Region& region : {Region{0, 3, 0, 3}, Region{0, 2, -1, 3}, Region{0, 2, 0, 4}})
    EXPECT_NE(error_of([&] { source->read({"t2m"}, region, out.data()); }, ErrorKind::shape), "");
}

TEST_F(NetcdfSourceTest, ReadingDoesNotReopenFiles) {
  hourly("a.nc", {0, 1});
  hourly("b.nc", {2, 3});
  NetcdfSource source({path("a.nc"), path("b.nc")});
  for (int i = 0; i < 50; ++i) field(source, {"t2m", 0, i % 4, 0, 0});
  EXPECT_EQ(source.pool().opens(), 2u);
}

TEST_F(NetcdfSourceTest, TheFingerprintFollowsTheBytes) {
  hourly("a.nc", {0, 1});
  const std::string before = open({"a.nc"})->fingerprint();
  EXPECT_EQ(open({"a.nc"})->fingerprint(), before);
  expect_contains(before, {"a.nc"});
  std::filesystem::last_write_time(
      path("a.nc"), std::filesystem::last_write_time(path("a.nc")) + std::chrono::seconds(1));
  EXPECT_NE(open({"a.nc"})->fingerprint(), before);
}

}  // namespace
}  // namespace py4cast
