#include "data/cf/cf_source.h"

#include <cmath>
#include <fstream>

#include "data/netcdf/netcdf_file.h"
#include "data/weather/calendar.h"
#include "tests/data/cf/cf_source_fixture.h"

namespace py4cast {
namespace {

TEST_F(CfSourceTest, ReadsTheGridTheTimesAndTheFields) {
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

TEST_F(CfSourceTest, KeepsEitherDirectionOfLatitude) {
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

TEST_F(CfSourceTest, GregorianCalendarsMixInModernTimes) {
  hourly("a.nc", {0});
  for (double hour : {6.0, -4e6}) {
    TestFile(path("b.nc"))
        .grid()
        .axis("time", {{"units", "hours since 2000-01-01"}, {"calendar", "proleptic_gregorian"}},
              {hour})
        .variable("t2m", NC_FLOAT, {"time", "latitude", "longitude"}, {{"units", "K"}},
                  count_from(0, 6));
    if (hour > 0)
      EXPECT_EQ(open({"a.nc", "b.nc"})->times().runs.size(), 2u);
    else
      expect_contains(refusal({"a.nc", "b.nc"}), {"calendars", "proleptic_gregorian"});
  }
}

TEST_F(CfSourceTest, StaticsWithoutTimeAndWithOneTime) {
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

TEST_F(CfSourceTest, FilesSplitInTimeByPattern) {
  hourly("part_2.nc", {3, 4});
  hourly("part_1.nc", {0, 1});
  const auto source = open({"part_*.nc", "part_1.nc"});
  ASSERT_EQ(source->times().runs.size(), 4u);
  EXPECT_EQ(source->times().runs[2] - source->times().runs[1], 2 * 3600);
  EXPECT_EQ(field(*source, {"t2m", 0, 0, 0, 0})[1], 1);
  EXPECT_EQ(field(*source, {"t2m", 0, 2, 0, 0})[1], 301);
  EXPECT_FALSE(source->exists({"t2m", 0, 4, 0, 0}));
}

TEST_F(CfSourceTest, FilesSplitByVariableMayHaveGaps) {
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

TEST_F(CfSourceTest, OneFilePerRun) {
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

TEST_F(CfSourceTest, PackedAndMissingValuesInNetcdf3) {
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

TEST_F(CfSourceTest, FieldsOfAVariableMayBePackedInDifferentWays) {
  const auto file = [&](const char* name, double hour, int type, double scale) {
    TestFile(path(name))
        .grid()
        .time({hour})
        .variable("t", type, {"time", "longitude", "latitude"}, {}, {0, 10, 20, 30, 40, 50})
        .number("scale_factor", NC_DOUBLE, {scale})
        .number("add_offset", NC_DOUBLE, {1});
  };
  file("a.nc", 0, NC_BYTE, 0.5);
  file("b.nc", 1, NC_SHORT, 0.25);
  EXPECT_EQ(open({"a.nc"})->variable("t").stored_bytes, 1);
  const auto two = open({"a.nc", "b.nc"});
  EXPECT_EQ(two->variable("t").stored_bytes, 2);
  file("c.nc", 2, NC_DOUBLE, 2);
  const auto source = open({"a.nc", "b.nc", "c.nc"});
  EXPECT_EQ(source->variable("t").stored_bytes, 4);
  // The files have columns before rows.
  EXPECT_EQ(field(*source, {"t", 0, 0}), (std::vector<float>{1, 11, 21, 6, 16, 26}));
  EXPECT_EQ(field(*source, {"t", 0, 1}), (std::vector<float>{1, 6, 11, 3.5, 8.5, 13.5}));
  EXPECT_EQ(field(*source, {"t", 0, 2}), (std::vector<float>{1, 41, 81, 21, 61, 101}));
  std::vector<int16_t> stored(6);
  const Packing packing = source->read_stored({"t", 0, 1}, {0, 2, 0, 3}, stored.data());
  EXPECT_EQ(packing.type, NumberType::i16);
  EXPECT_EQ(packing.scale, 0.25);
  EXPECT_EQ(stored, (std::vector<int16_t>{0, 20, 40, 10, 30, 50}));
}

TEST_F(CfSourceTest, MissingVariablesNameTheNearest) {
  hourly("a.nc", {0});
  hourly("b.nc", {0}, "u10");
  const auto source = open({"a.nc", "b.nc"});
  expect_contains(error_of([&] { source->variable("t2n"); }),
                  {"a.nc and 1 more", "'t2n'", "'t2m'"});
  expect_contains(error_of([&] { field(*source, {"v10"}); }), {"'v10'", "'u10'"});
}

// An analysis beside hourly forcings: constant only where nobody wants it over time.
TEST_F(CfSourceTest, WantedVariablesKeepTheirOneTime) {
  hourly("one.nc", {3});
  hourly("sun.nc", {0, 1, 2, 3, 4}, "sun");
  EXPECT_FALSE(open({"one.nc", "sun.nc"})->variable("t2m").has_time);
  const auto source = open_netcdf({path("one.nc"), path("sun.nc")}, {"t2m", "sun"});
  EXPECT_TRUE(source->variable("t2m").has_time);
  EXPECT_FALSE(source->exists({.variable = "t2m", .run = 2}));
  EXPECT_TRUE(source->exists({.variable = "t2m", .run = 3}));
}

TEST_F(CfSourceTest, GridsAreComparedByTheirSpacing) {
  const auto write = [&](const char* name, double hour, double north, double west) {
    TestFile(path(name))
        .axis("lat", {{"units", "degrees_north"}}, {north, north - 4e-4})
        .axis("lon", {{"units", "degrees_east"}}, {west, west + 4e-4})
        .time({hour})
        .variable("t2m", NC_FLOAT, {"time", "lat", "lon"}, {}, count_from(hour, 4));
  };
  write("a.nc", 0, 50, -90);
  write("b.nc", 1, 50, 270);  // the same points
  write("c.nc", 1, 50 - 4e-4, -90);
  EXPECT_EQ(field(*open({"a.nc", "b.nc"}), {"t2m", 0, 1}), (std::vector<float>{1, 2, 3, 4}));
  expect_contains(refusal({"a.nc", "c.nc"}), {"a.nc", "c.nc", "different grids", "latitude"});
}

TEST_F(CfSourceTest, RefusesDifferentGrids) {
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

TEST_F(CfSourceTest, RefusesMissingAndTruncatedFiles) {
  std::filesystem::create_symlink("loop.nc", path("loop.nc"));
  expect_contains(refusal({"loop.nc"}), {"loop.nc: Too many levels of symbolic links"});
  expect_contains(refusal({"a.nc"}), {"a.nc", "no such file"});
  expect_contains(refusal({"a*.nc"}), {"a*.nc", "no file matches"});
  EXPECT_NE(error_of([] { open_netcdf({}); }), "");
  hourly("a.nc", {0, 1});
  std::filesystem::resize_file(path("a.nc"), std::filesystem::file_size(path("a.nc")) / 2);
  expect_contains(refusal({"a.nc"}), {"a.nc", "truncated"});
}

TEST_F(CfSourceTest, AFileWhoseNameIsAPatternStandsForItself) {
  hourly("a[0].nc", {0, 1});
  hourly("a0.nc", {5});
  EXPECT_EQ(open({"a[0].nc"})->times().runs.size(), 2u);
  EXPECT_EQ(open({"a[0-9].nc"})->times().runs.size(), 1u);
}

TEST_F(CfSourceTest, DamageIsReportedWithVariableAndTime) {
  hourly("a.nc", {0, 1});
  const auto source = open({"a.nc"});
  std::filesystem::remove(path("a.nc"));
  EXPECT_EQ(field(*source, {"t2m", 0, 1, 0, 0})[0], 100);  // still open
  hourly("b.nc", {0, 1});
  hourly("c.nc", {2, 3});
  CfSource small(std::make_shared<NetcdfPool>(1), {path("b.nc"), path("c.nc")});
  std::ofstream(path("b.nc")) << "overwritten";
  expect_contains(error_of([&] {
                    field(small, {"t2m", 0, 1, 0, 0});
                  }),
                  {"b.nc", "not a netCDF file", "'t2m' of 2000-01-01T01:00:00"});
}

TEST_F(CfSourceTest, RegionsOffTheGridAreRefused) {
  hourly("a.nc", {0});
  const auto source = open({"a.nc"});
  std::vector<float> out(100);
  for (const Region& region : {Region{0, 3, 0, 3}, Region{0, 2, -1, 3}, Region{0, 2, 0, 4}})
    EXPECT_NE(error_of([&] { source->read({"t2m"}, region, out.data()); }, ErrorKind::shape), "");
}

TEST_F(CfSourceTest, ReadingDoesNotReopenFiles) {
  hourly("a.nc", {0, 1});
  hourly("b.nc", {2, 3});
  const auto pool = std::make_shared<NetcdfPool>();
  CfSource source(pool, {path("a.nc"), path("b.nc")});
  for (int i = 0; i < 50; ++i) field(source, {"t2m", 0, i % 4, 0, 0});
  EXPECT_EQ(pool->opens(), 2u);
}

TEST_F(CfSourceTest, TheFingerprintFollowsTheBytes) {
  hourly("a.nc", {0, 1});
  const std::string before = open({"a.nc"})->fingerprint();
  EXPECT_EQ(open({"a.nc"})->fingerprint(), before);
  expect_contains(before, {"a.nc"});
  std::filesystem::last_write_time(
      path("a.nc"), std::filesystem::last_write_time(path("a.nc")) + std::chrono::seconds(1));
  EXPECT_NE(open({"a.nc"})->fingerprint(), before);
}

// As touch -r leaves it: another content of the same size and time.
TEST_F(CfSourceTest, TheFingerprintFollowsTheContentToo) {
  hourly("a.nc", {0, 1});
  const std::string before = open({"a.nc"})->fingerprint();
  const auto time = std::filesystem::last_write_time(path("a.nc"));
  const auto size = std::filesystem::file_size(path("a.nc"));
  hourly("a.nc", {0, 1.5});
  ASSERT_EQ(std::filesystem::file_size(path("a.nc")), size);
  std::filesystem::last_write_time(path("a.nc"), time);
  EXPECT_NE(open({"a.nc"})->fingerprint(), before);
}

TEST_F(CfSourceTest, OneVariableHasOneUnit) {
  const auto file = [&](const char* name, double hour, const char* units, const char* level_units) {
    TestFile(path(name))
        .grid()
        .time({hour})
        .axis("level", {{"units", level_units}, {"positive", "down"}}, {500 + hour})
        .variable("t", NC_FLOAT, {"time", "level", "latitude", "longitude"}, {{"units", units}},
                  count_from(0, 6));
  };
  file("a.nc", 0, "m s**-1", "hPa");
  file("b.nc", 1, "m s-1", "mbar");
  EXPECT_EQ(open({"a.nc", "b.nc"})->times().runs.size(), 2u);
  file("c.nc", 2, "degC", "hPa");
  expect_contains(refusal({"a.nc", "c.nc"}),
                  {"variable 't'", "a.nc", "c.nc", "'m s**-1' and 'degC'"});
  file("d.nc", 3, "m s-1", "Pa");
  expect_contains(refusal({"a.nc", "d.nc"}), {"the levels of variable 't'", "'hPa' and 'Pa'"});
}

// Means between the hours beside values at the hours, and a file in which the two meet.
TEST_F(CfSourceTest, TheTimesOfTheVariablesThatAreWantedCount) {
  const auto file = [&](const char* name, double first, double shift) {
    TestFile(path(name))
        .grid()
        .time({first, first + 1, first + 2})
        .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 18))
        .variable("u", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 18))
        .axis("middle", {{"units", "hours since 2000-01-01"}},
              {first + shift, first + shift + 1, first + shift + 2})
        .variable("rain", NC_FLOAT, {"middle", "latitude", "longitude"}, {}, count_from(first, 18));
  };
  file("a.nc", 0, 0.5);
  file("b.nc", 3, 0.5);
  expect_contains(error_of([&] { open({"a.nc"})->variable("rain"); }), {"no time that the others"});
  const auto wanted = [&](const std::vector<std::string>& variables) {
    return netcdf_dataset().open_source({path("?.nc")}, variables, nullptr);
  };
  const auto rain = wanted({"rain"});
  ASSERT_EQ(rain->times().runs.size(), 6u);
  EXPECT_EQ(format_time(Calendar::standard, rain->times().runs[0]), "2000-01-01T00:30:00");
  EXPECT_EQ(field(*rain, {"rain", 0, 3})[0], 3);
  EXPECT_EQ(wanted({"u"})->times().runs.size(), 6u);
  EXPECT_EQ(wanted({"rain", "u"})->times().runs.size(), 12u);
  file("c.nc", 6, 0);
  EXPECT_EQ(wanted({"rain"})->times().runs.size(), 9u);
}

// As of observations: no field lies along it.
TEST_F(CfSourceTest, AListOfTimesBesideTheGridIsNoAxis) {
  for (int day = 0; day < 2; ++day)
    for (const char* name : {"nobs", "obs_time"})
      TestFile(path(std::to_string(day).append(name)))
          .grid()
          .variable("time", NC_DOUBLE, {}, {{"units", "days since 2000-01-01"}}, {1.0 * day})
          .dimension(name, 4)
          .variable("obs_time", NC_DOUBLE, {name}, {{"units", "seconds since 1970-01-01"}},
                    {3, 1, 1, 2})
          .variable("t2m", NC_FLOAT, {"latitude", "longitude"}, {}, count_from(10 * day, 6));
  for (const char* name : {"?nobs", "?obs_time"}) {
    const auto source = open({name});
    ASSERT_EQ(source->times().runs.size(), 2u) << name;
    EXPECT_EQ(format_time(Calendar::standard, source->times().runs[1]), "2000-01-02T00:00:00");
    EXPECT_TRUE(source->variable("t2m").has_time);
    EXPECT_EQ(field(*source, {"t2m", 0, 1})[5], 15);
  }
}

// One run of a climate model is a series in time.
TEST_F(CfSourceTest, OneRunIsASeries) {
  TestFile(path("a.nc"))
      .grid()
      .time({6, 12, 18})
      .variable("forecast_reference_time", NC_DOUBLE, {},
                {{"standard_name", "forecast_reference_time"}, {"units", "hours since 2000-01-01"}},
                {0})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 18));
  const auto source = open({"a.nc"});
  EXPECT_FALSE(source->times().reforecast());
  ASSERT_EQ(source->times().runs.size(), 3u);
  EXPECT_EQ(format_time(Calendar::standard, source->times().runs[1]), "2000-01-01T12:00:00");
  EXPECT_EQ(field(*source, {"t", 0, 2, 0, 0})[0], 12);
  EXPECT_FALSE(source->exists({"t", 0, 3, 0, 0}));
}

// ERA5 and ERA5T in one file of the Climate Data Store: each value is in one of the two.
TEST_F(CfSourceTest, VersionsOfTheSameFieldsAreMerged) {
  const double none = -32767;
  for (const bool rows_first : {true, false}) {
    const std::string y = rows_first ? "latitude" : "longitude",
                      x = rows_first ? "longitude" : "latitude";
    TestFile(path("a.nc"))
        .grid()
        .time({0, 1})
        .axis("expver", {}, {1, 5})
        .variable("t2m", NC_SHORT, {"time", "expver", y, x}, {},
                  {0,  1,    2,    3,    4,    5,    none, none, none, none, none, none,
                   20, none, none, none, none, none, 99,   21,   22,   23,   24,   none})
        .number("scale_factor", NC_DOUBLE, {0.5})
        .number("add_offset", NC_DOUBLE, {10})
        .number("_FillValue", NC_SHORT, {none});
    const auto source = open({"a.nc"});
    const VariableInfo& info = source->variable("t2m");
    EXPECT_TRUE(info.levels.empty());
    EXPECT_EQ(info.stored_bytes, 4);
    EXPECT_EQ(source->times().members, 1);
    EXPECT_EQ(field(*source, {"t2m", 0, 0}),
              rows_first ? (std::vector<float>{10, 10.5f, 11, 11.5f, 12, 12.5f})
                         : (std::vector<float>{10, 11, 12, 10.5f, 11.5f, 12.5f}));
    const std::vector<float> later = field(*source, {"t2m", 0, 1});
    EXPECT_EQ(later[0], 20);  // the first of both
    EXPECT_EQ(later[4], rows_first ? 22 : 21.5f);
    EXPECT_TRUE(std::isnan(later[5]));
  }
}

// As Pangeo's stores of CMIP6 and LENS have them.
TEST_F(CfSourceTest, MembersMayBeCalledByTexts) {
  {
    TestFile file(path("a.nc"));
    file.grid().time({0}).dimension("member_id", 2);
    int id = 0, dimension = 0;
    ASSERT_EQ(nc_inq_dimid(file.id(), "member_id", &dimension), NC_NOERR);
    ASSERT_EQ(nc_def_var(file.id(), "member_id", NC_STRING, 1, &dimension, &id), NC_NOERR);
    file.variable("tas", NC_FLOAT, {"member_id", "time", "latitude", "longitude"}, {},
                  count_from(0, 12));
    const char* texts[] = {"r1i1p1f1", "r2i1p1f1"};
    ASSERT_EQ(nc_enddef(file.id()), NC_NOERR);
    ASSERT_EQ(nc_put_var_string(file.id(), id, texts), NC_NOERR);
  }
  const auto source = open({"a.nc"});
  EXPECT_EQ(source->times().members, 2);
  EXPECT_TRUE(source->variable("tas").levels.empty());
  EXPECT_EQ(field(*source, {"tas", 0, 0, 0, 1})[0], 6);
}

// Files that have some of the members each.
TEST_F(CfSourceTest, MembersThatAreTextsAreTheSameInAllFiles) {
  const auto write = [&](const std::string& name, const std::vector<const char*>& members,
                         double time, double first) {
    TestFile file(path(name));
    file.grid().time({time}).dimension("member_id", members.size());
    int id = 0, dimension = 0;
    ASSERT_EQ(nc_inq_dimid(file.id(), "member_id", &dimension), NC_NOERR);
    ASSERT_EQ(nc_def_var(file.id(), "member_id", NC_STRING, 1, &dimension, &id), NC_NOERR);
    file.variable("tas", NC_FLOAT, {"member_id", "time", "latitude", "longitude"}, {},
                  count_from(first, 6 * members.size()));
    ASSERT_EQ(nc_enddef(file.id()), NC_NOERR);
    auto texts = members;
    ASSERT_EQ(nc_put_var_string(file.id(), id, texts.data()), NC_NOERR);
  };
  write("a.nc", {"r1", "r2", "r3"}, 0, 0);
  write("b.nc", {"r1", "r3"}, 6, 100);
  write("c.nc", {"r2"}, 6, 200);
  const auto source = open({"?.nc"});
  EXPECT_EQ(source->times().members, 3);
  ASSERT_EQ(source->times().runs.size(), 2u);
  EXPECT_EQ(field(*source, {"tas", 0, 0, 0, 2})[0], 12);
  EXPECT_EQ(field(*source, {"tas", 0, 1, 0, 0})[0], 100);
  EXPECT_EQ(field(*source, {"tas", 0, 1, 0, 2})[0], 106);
  EXPECT_EQ(field(*source, {"tas", 0, 1, 0, 1})[0], 200);
}

// WRF has no long_name.
TEST_F(CfSourceTest, ADescriptionIsALongName) {
  TestFile(path("a.nc"))
      .grid()
      .time({0})
      .variable("RAINNC", NC_FLOAT, {"time", "latitude", "longitude"},
                {{"description", "ACCUMULATED TOTAL GRID SCALE PRECIPITATION"}}, count_from(0, 6));
  EXPECT_EQ(open({"a.nc"})->variable("RAINNC").long_name,
            "ACCUMULATED TOTAL GRID SCALE PRECIPITATION");
}

TEST_F(CfSourceTest, HeightsOfSingleVariablesAreTheirOwn) {
  {
    TestFile file(path("heights.nc"));
    file.grid().time({0});
    for (const auto& [name, height] : {std::pair("height", 1.5), std::pair("height_2", 10.0)})
      file.variable(name, NC_DOUBLE, {}, {{"units", "m"}, {"axis", "Z"}}, {height});
    for (const auto& [name, coordinates] :
         {std::pair("u10", "height_2"), std::pair("t2m", "height"), std::pair("msl", "")})
      file.variable(name, NC_FLOAT, {"time", "latitude", "longitude"},
                    {{"coordinates", coordinates}}, count_from(0, 6));
  }
  const auto source = open({"heights.nc"});
  for (const auto& [name, height] :
       {std::pair("u10", std::optional(10.0)), std::pair("t2m", std::optional(1.5)),
        std::pair("msl", std::optional<double>())}) {
    const VariableInfo& info = source->variable(name);
    EXPECT_TRUE(info.levels.empty());
    EXPECT_EQ(info.only_level, height) << name;
    EXPECT_EQ(info.level_units, height ? "m" : "");
  }
}

}  // namespace
}  // namespace py4cast
