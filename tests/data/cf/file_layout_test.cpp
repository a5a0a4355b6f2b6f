#include "data/cf/file_layout.h"

#include <cmath>

#include "data/weather/calendar.h"
#include "tests/data/cf/cf_source_fixture.h"

namespace py4cast {
namespace {

class FileLayoutTest : public CfSourceTest {};

TEST_F(FileLayoutTest, DimensionsInAnyOrder) {
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
  EXPECT_EQ(source->times().member_numbers, (std::vector<int64_t>{3, 7}));
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

TEST_F(FileLayoutTest, TwoDimensionalCoordinates) {
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

TEST_F(FileLayoutTest, RotatedPoleAndIndexAxes) {
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

TEST_F(FileLayoutTest, EveryCalendar) {
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
  TestFile(path("mars.nc"))
      .grid()
      .axis("time", {{"units", "days since 2000-01-01"}, {"calendar", "martian"}}, {0})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
  expect_contains(
      refusal({"mars.nc"}),
      {"mars.nc: variable 't' cannot be used: variable 'time': unknown calendar 'martian'"});
}

// 60000.25 days of 365 from 1850 are 164 years and 140.25 days.
TEST_F(FileLayoutTest, EachTimeHasItsOwnCalendar) {
  TestFile(path("a.nc"))
      .grid()
      .variable("creation", NC_DOUBLE, {}, {{"units", "seconds since 1970-01-01"}}, {1.5e9})
      .axis("time", {{"units", "days since 1850-01-01"}, {"calendar", "noleap"}},
            {60000.25, 60001, 60002})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 18))
      .axis("later", {{"units", "days since 2014-01-01"}}, {0, 1})
      .variable("u", NC_FLOAT, {"later", "latitude", "longitude"}, {}, count_from(0, 12));
  const auto source = open({"a.nc"});
  EXPECT_EQ(source->times().calendar, Calendar::noleap);
  EXPECT_EQ(format_time(Calendar::noleap, source->times().runs.at(0)), "2014-05-21T06:00:00");
  expect_contains(source->left_out().at("u"), {"the calendar standard", "in noleap"});
}

TEST_F(FileLayoutTest, GregorianCalendarsOfOneFileMixInModernTimes) {
  for (const double hour : {6.0, -4e6}) {
    const std::map<std::string, std::string> proleptic = {{"units", "hours since 2000-01-01"},
                                                          {"calendar", "proleptic_gregorian"}};
    TestFile(path("a.nc"))
        .grid()
        .variable("forecast_reference_time", NC_DOUBLE, {}, {{"units", "hours since 2000-01-01"}},
                  {0})
        .axis("time", proleptic, {hour, hour + 6})
        .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 12));
    TestFile(path("b.nc"))
        .grid()
        .time({6, 12, 18})
        .axis("later", proleptic, {hour, hour + 6, 18})
        .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 18))
        .variable("u", NC_FLOAT, {"later", "latitude", "longitude"}, {}, count_from(0, 18));
    if (hour > 0) {
      EXPECT_EQ(format_time(Calendar::standard, open({"a.nc"})->times().runs.at(1)),
                "2000-01-01T12:00:00");
      EXPECT_EQ(open({"b.nc"})->times().runs.size(), 3u);
      EXPECT_EQ(open({"b.nc"})->variables().size(), 2u);
    } else {
      expect_contains(refusal({"a.nc"}), {"'time' counts in the calendar proleptic_gregorian"});
      expect_contains(open({"b.nc"})->left_out().at("u"), {"proleptic_gregorian", "in standard"});
    }
  }
}

TEST_F(FileLayoutTest, ReforecastWithAxesOfRunAndLead) {
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

TEST_F(FileLayoutTest, TimeBesideLeadIsTheTimeOfTheRun) {
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

TEST_F(FileLayoutTest, ADimensionOfOneRunBesideTimesOfValidity) {
  for (size_t runs : {1, 2})
    TestFile(path(std::to_string(runs)))
        .grid()
        .axis("run", {{"units", "hours since 2000-01-01"}}, count_from(6, runs))
        .time({7, 9})
        .variable("t", NC_FLOAT, {"run", "time", "latitude", "longitude"}, {},
                  count_from(0, 12 * runs));
  const auto source = open({"1"});
  EXPECT_EQ(field(*source, {"t", 0, 1, 0, 0})[0], 6);  // one run is a series
  expect_contains(refusal({"2"}), {"'t' has dimensions of run and of time", "lead times"});
}

TEST_F(FileLayoutTest, RunsWithAScalarRunAndAStepAxis) {
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

TEST_F(FileLayoutTest, OneLeadTimeIsAnObservation) {
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

TEST_F(FileLayoutTest, ScalarCoordinatesOfTimeLevelAndMember) {
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
}

TEST_F(FileLayoutTest, VariablesThatAreNoFieldsSayWhy) {
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

// A variable of the name of a dimension may lie along another one.
TEST_F(FileLayoutTest, CoordinatesLieAlongTheirOwnDimension) {
  TestFile(path("a.nc"))
      .grid()
      .time({0})
      .dimension("level", 2)
      .dimension("other", 1)
      .variable("level", NC_DOUBLE, {"other"}, {{"units", "hPa"}}, {500})
      .variable("t", NC_FLOAT, {"time", "level", "latitude", "longitude"}, {}, count_from(0, 12));
  EXPECT_EQ(open({"a.nc"})->variable("t").levels, (std::vector<double>{0, 1}));
  for (const auto& [rows, columns] : {std::pair<size_t, size_t>{3, 2}, {2, 2}}) {
    TestFile(path("b.nc"))
        .dimension("y", 2)
        .dimension("x", 3)
        .dimension("a", rows)
        .dimension("b", columns)
        .time({0})
        .variable("XLAT", NC_DOUBLE, {"y", "x"}, {{"standard_name", "latitude"}}, count_from(1, 6))
        .variable("XLONG", NC_DOUBLE, {"a", "b"}, {{"standard_name", "longitude"}},
                  count_from(1, rows * columns))
        .variable("t", NC_FLOAT, {"time", "y", "x"}, {}, count_from(0, 6));
    expect_contains(refusal({"b.nc"}), {"'XLAT' lies on (y, x)", "'XLONG' on (a, b)"});
  }
}

// netCDF-C 4.9.0 lost the dimension when it was told how to keep chunks of such a variable.
TEST_F(FileLayoutTest, AVariableOfManyDimensionsNamedAsOne) {
  TestFile(path("a.nc"))
      .dimension("time", NC_UNLIMITED)
      .grid()
      .dimension("z", 2)
      .variable("z", NC_FLOAT, {"time", "z", "latitude", "longitude"}, {}, {})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, {})
      .variable("time", NC_DOUBLE, {"time"}, {{"units", "hours since 2000-01-01"}}, {});
  int file = 0, id = 0;
  const size_t start[] = {0, 0, 0}, count[] = {2, 2, 3};
  const std::vector<double> values = count_from(0, 12);
  ASSERT_EQ(nc_open(path("a.nc").c_str(), NC_WRITE, &file), NC_NOERR);
  for (const auto& [name, from] : {std::pair("time", 6), std::pair("t", 0)}) {
    ASSERT_EQ(nc_inq_varid(file, name, &id), NC_NOERR);
    ASSERT_EQ(nc_put_vara_double(file, id, start, count, values.data() + from), NC_NOERR);
  }
  ASSERT_EQ(nc_close(file), NC_NOERR);
  const auto source = open({"a.nc"});
  EXPECT_EQ(field(*source, {"t", 0, 1})[5], 11);
  EXPECT_EQ(source->times().runs.size(), 2u);
  expect_contains(source->left_out().at("z"), {"a.nc", "the name of a dimension"});
}

TEST_F(FileLayoutTest, BoundsAndOtherHelpersAreNeitherFieldsNorCoordinates) {
  TestFile(path("a.nc"))
      .axis("latitude", {{"units", "degrees_north"}, {"bounds", "lat_edges"}}, {50, 49})
      .axis("longitude", {{"units", "degrees_east"}, {"bounds", "lon_edges"}}, {1, 2, 3})
      .time({0})
      .dimension("bnds", 2)
      .variable("lat_edges", NC_DOUBLE, {"latitude", "bnds"}, {{"units", "degrees_north"}},
                count_from(49, 4))
      .variable("lon_edges", NC_DOUBLE, {"longitude", "bnds"}, {{"units", "degrees_east"}},
                count_from(1, 6))
      .variable("area", NC_DOUBLE, {"latitude", "longitude"}, {{"units", "m2"}}, count_from(1, 6))
      .variable("error", NC_DOUBLE, {"latitude", "longitude"}, {{"units", "K"}}, count_from(1, 6))
      .variable("t_bnds", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6))
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"},
                {{"cell_measures", "area: area"}, {"ancillary_variables", "error"}},
                count_from(0, 6));
  const auto source = open({"a.nc"});
  ASSERT_EQ(source->variables().size(), 1u);
  EXPECT_EQ(source->variables()[0].name, "t");
  EXPECT_TRUE(source->grid().separable);
}

TEST_F(FileLayoutTest, AxesAreFoundByTheirAttributesWhateverTheirDimensionIsCalled) {
  for (const char* name : {"ntime", "nt", "record", "day", "frame", "phony_dim_0", "step"}) {
    TestFile(path("a.nc"))
        .grid()
        .dimension(name, 2)
        .dimension("nens", 2)
        .dimension("nlev", 2)
        .variable("pressure", NC_DOUBLE, {"nlev"}, {{"units", "hPa"}}, {850, 500})
        .variable("which", NC_INT, {"nens"}, {{"standard_name", "realization"}}, {3, 4})
        .variable("quality", NC_INT, {name}, {{"units", "1"}}, {7, 8})
        .variable("time", NC_DOUBLE, {name}, {{"units", "hours since 2000-01-01"}}, {3, 4})
        .variable("t", NC_FLOAT, {name, "nens", "nlev", "latitude", "longitude"}, {},
                  count_from(0, 48));
    const auto source = open({"a.nc"});
    ASSERT_EQ(source->times().runs.size(), 2u) << name;
    EXPECT_FALSE(source->left_out().contains("time"));
    EXPECT_TRUE(source->left_out().contains("quality"));
    EXPECT_EQ(format_time(Calendar::standard, source->times().runs[1]), "2000-01-01T04:00:00");
    EXPECT_EQ(source->times().member_numbers, (std::vector<int64_t>{3, 4}));
    EXPECT_EQ(source->variable("t").levels, (std::vector<double>{850, 500}));
    EXPECT_EQ(field(*source, {"t", 1, 1, 0, 1})[5], 47);
  }
}

TEST_F(FileLayoutTest, TimesAreTextsOfEitherKind) {
  {
    TestFile file(path("a.nc"));
    file.grid().dimension("time", 2);
    int id = 0, dimension = 0;
    ASSERT_EQ(nc_inq_dimid(file.id(), "time", &dimension), NC_NOERR);
    ASSERT_EQ(nc_def_var(file.id(), "time", NC_STRING, 1, &dimension, &id), NC_NOERR);
    file.variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 12));
    const char* texts[] = {"2000-01-01T06:00:00", "2000-01-01 07:00"};
    ASSERT_EQ(nc_enddef(file.id()), NC_NOERR);
    ASSERT_EQ(nc_put_var_string(file.id(), id, texts), NC_NOERR);
  }
  EXPECT_EQ(format_time(Calendar::standard, open({"a.nc"})->times().runs.at(1)),
            "2000-01-01T07:00:00");
}

TEST_F(FileLayoutTest, CoordinatesThatAreRepeatedAtEachTime) {
  const auto write = [&](double moved, bool numbers) {
    std::vector<double> latitude;
    for (int time = 0; time < 3; ++time)
      for (int i = 0; i < 6; ++i) latitude.push_back(50 + i + (time == 2 ? moved : 0));
    std::vector<double> longitude(18, 5);
    TestFile file(path("wrf.nc"));
    file.dimension("Time", 3)
        .dimension("south_north", 2)
        .dimension("west_east", 3)
        .dimension("DateStrLen", 19)
        .variable("Times", NC_CHAR, {"Time", "DateStrLen"}, {}, {})
        .variable("XLAT", NC_FLOAT, {"Time", "south_north", "west_east"},
                  {{"units", "degree_north"}}, latitude)
        .variable("XLONG", NC_FLOAT, {"Time", "south_north", "west_east"},
                  {{"units", "degree_east"}}, longitude)
        .variable("T2", NC_FLOAT, {"Time", "south_north", "west_east"}, {}, count_from(0, 18));
    if (numbers)
      file.variable("XTIME", NC_DOUBLE, {"Time"}, {{"units", "minutes since 2000-01-01 00:00:00"}},
                    {90, 120, 150});
    nc_enddef(file.id());
    const std::string times = "2000-01-01_06:00:002000-01-01_07:00:002000-01-01_08:00:00";
    ASSERT_EQ(nc_put_var_text(file.id(), 0, times.data()), NC_NOERR);
  };
  write(0, true);
  const auto times = [&] {
    const auto source = open({"wrf.nc"});
    EXPECT_EQ(source->grid().latitude, count_from(50, 6));
    return format_time(Calendar::standard, source->times().runs.at(2));
  };
  EXPECT_EQ(times(), "2000-01-01T02:30:00");
  write(0, false);
  EXPECT_EQ(times(), "2000-01-01T08:00:00");
  write(0.5, true);
  expect_contains(refusal({"wrf.nc"}), {"the grid moves: 'XLAT' at index 2 of 'Time'"});
}

// xarray masks nothing by them; we mask fields.
TEST_F(FileLayoutTest, CoordinatesAreNotMaskedByTheirLimits) {
  TestFile(path("a.nc"))
      .axis("latitude", {{"units", "degrees_north"}}, {50, 49})
      .number("valid_range", NC_DOUBLE, {0, 49.5})
      .axis("longitude", {{"units", "degrees_east"}}, {1, 2, 3})
      .number("valid_min", NC_DOUBLE, {2})
      .time({0, 6})
      .number("valid_max", NC_DOUBLE, {3})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 12))
      .number("valid_max", NC_FLOAT, {10});
  const auto source = open({"a.nc"});
  EXPECT_EQ(source->times().runs.size(), 2u);
  EXPECT_TRUE(std::isnan(field(*source, {"t", 0, 1})[5]));
  EXPECT_EQ(source->variable("t").limits, "valid_max = 10");
}

TEST_F(FileLayoutTest, TextsWhereNumbersAreNeeded) {
  TestFile(path("a.nc"))
      .grid()
      .time({0})
      .variable("packed", NC_SHORT, {"time", "latitude", "longitude"}, {{"scale_factor", "0.01"}},
                count_from(0, 6))
      .variable("twice", NC_SHORT, {"time", "latitude", "longitude"}, {}, count_from(0, 6))
      .number("scale_factor", NC_DOUBLE, {0.01, 0.02})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
  const auto source = open({"a.nc"});
  ASSERT_EQ(source->variables().size(), 1u);
  expect_contains(error_of([&] { source->variable("twice"); }),
                  {"'scale_factor' has 2 numbers, where one is needed"});
  expect_contains(error_of([&] { source->variable("packed"); }),
                  {"'packed' cannot be used", "'scale_factor' is the text '0.01'"});
  expect_contains(source->left_out().at("packed"), {"a.nc", "scale_factor"});
}

// Latin-1, which neither JSON nor terminals take.
TEST_F(FileLayoutTest, TextsBecomeUtf8) {
  TestFile(path("a.nc"))
      .grid()
      .time({0})
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"},
                {{"units",
                  "\xb0"
                  "C"}},
                count_from(0, 6));
  EXPECT_EQ(open({"a.nc"})->variable("t").units, "\u00b0C");
}

}  // namespace
}  // namespace py4cast
