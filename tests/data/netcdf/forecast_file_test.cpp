#include "data/netcdf/forecast_file.h"

#include <netcdf.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <limits>
#include <thread>

#include "data/netcdf/netcdf_dataset.h"
#include "data/netcdf/netcdf_file.h"
#include "data/netcdf/netcdf_writer.h"
#include "data/weather/calendar.h"
#include "engine/files.h"
#include "tests/data/netcdf/test_files.h"

namespace py4cast {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

Grid separable_grid() {
  Grid grid;
  grid.rows = 3;
  grid.columns = 4;
  for (int row = 0; row < 3; ++row)
    for (int column = 0; column < 4; ++column) {
      grid.latitude.push_back(50 - row);
      grid.longitude.push_back(5 + 0.5 * column);
    }
  grid.x = grid.longitude;
  grid.y = grid.latitude;
  grid.x_name = "longitude";
  grid.y_name = "latitude";
  grid.axis_units = std::string("degrees");
  return grid;
}

Grid projected_grid() {
  Grid grid = separable_grid();
  grid.separable = false;
  for (size_t i = 0; i < 12; ++i) {
    const size_t row = i / 4, column = i % 4;
    grid.latitude[i] += 0.01 * static_cast<double>(column);
    grid.x[i] = 2500.0 * static_cast<double>(column);
    grid.y[i] = 2500.0 * static_cast<double>(row);
  }
  grid.x_name = "x";
  grid.y_name = "y";
  grid.axis_units = std::string("m");
  return grid;
}

std::vector<float> ramp(size_t n, float first) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = first + static_cast<float>(i);
  return values;
}

VariableInfo info_of(const std::string& name, const std::string& units) {
  VariableInfo info;
  info.name = name;
  info.units = units;
  return info;
}

ForecastFile forecast_of(const Grid& grid) {
  ForecastFile forecast;
  forecast.grid = grid;
  forecast.reference_time = to_time(Calendar::standard, {2019, 3, 27, 6, 0, 0});
  for (int hour = 1; hour <= 2; ++hour)
    forecast.times.push_back(*forecast.reference_time + 3600 * hour);
  VariableInfo t2m = info_of("t2m", "K");
  t2m.standard_name = "air_temperature";
  t2m.long_name = "2 metre temperature";
  forecast.fields.push_back({t2m, ramp(24, 280)});
  forecast.attributes["title"] = "a test";
  return forecast;
}

std::vector<float> read_all(FieldSource& source, const FieldRequest& request) {
  const Region region = {0, source.grid().rows, 0, source.grid().columns};
  std::vector<float> values(static_cast<size_t>(region.rows() * region.columns()));
  source.read(request, region, values.data());
  return values;
}

class ForecastFileTest : public NetcdfFolder {};

TEST_F(ForecastFileTest, IsReadBackWithTimesUnitsAndCoordinates) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.fields[0].data[13] = nan;
  write_forecast(path("f.nc"), forecast);
  const auto source = open_netcdf({path("f.nc")});
  EXPECT_EQ(source->times().runs, forecast.times);  // one forecast is a series
  EXPECT_EQ(source->grid().latitude, forecast.grid.latitude);
  EXPECT_EQ(source->grid().longitude, forecast.grid.longitude);
  EXPECT_TRUE(source->grid().separable);
  ASSERT_EQ(source->variables().size(), 1u);
  const VariableInfo& t2m = source->variable("t2m");
  EXPECT_EQ(t2m.units, "K");
  EXPECT_EQ(t2m.standard_name, "air_temperature");
  EXPECT_EQ(t2m.long_name, "2 metre temperature");
  EXPECT_EQ(read_all(*source, {"t2m", 0, 0, 0, 0}), ramp(12, 280));
  const std::vector<float> second = read_all(*source, {"t2m", 0, 1, 0, 0});
  EXPECT_EQ(second[0], 292);
  EXPECT_TRUE(std::isnan(second[1]));
  EXPECT_EQ(files_in_folder(), 1u);
}

// Through the library alone, since our own reader would take a NaN for missing as well.
TEST_F(ForecastFileTest, HasTheNumbersThatOthersRead) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.fields[0].data[13] = nan;
  write_forecast(path("f.nc"), forecast);
  int file = 0;
  ASSERT_EQ(nc_open(path("f.nc").c_str(), NC_NOWRITE, &file), NC_NOERR);
  const auto numbers = [&](const char* name, size_t count) {
    int variable = 0;
    std::vector<double> values(count);
    EXPECT_EQ(nc_inq_varid(file, name, &variable), NC_NOERR) << name;
    EXPECT_EQ(nc_get_var_double(file, variable, values.data()), NC_NOERR) << name;
    return values;
  };
  const std::vector<double> t2m = numbers("t2m", 24);
  EXPECT_EQ(t2m[12], 292);
  EXPECT_EQ(t2m[13], static_cast<double>(NC_FILL_FLOAT));
  int variable = 0;
  float told = 0;
  nc_inq_varid(file, "t2m", &variable);
  EXPECT_EQ(nc_get_att_float(file, variable, "_FillValue", &told), NC_NOERR);
  EXPECT_EQ(told, NC_FILL_FLOAT);
  EXPECT_EQ(numbers("latitude", 3), (std::vector<double>{50, 49, 48}));
  EXPECT_EQ(numbers("longitude", 4), (std::vector<double>{5, 5.5, 6, 6.5}));
  EXPECT_EQ(numbers("time", 2), (std::vector<double>{1, 2}));
  EXPECT_EQ(numbers("forecast_reference_time", 1), (std::vector<double>{0}));
  char units[64] = {};
  nc_inq_varid(file, "time", &variable);
  EXPECT_EQ(nc_get_att_text(file, variable, "units", units), NC_NOERR);
  EXPECT_STREQ(units, "hours since 2019-03-27 06:00:00");
  nc_type type = NC_NAT;
  for (const char* name : {"time", "forecast_reference_time", "forecast_period"}) {
    nc_inq_varid(file, name, &variable);
    nc_inq_vartype(file, variable, &type);
    EXPECT_EQ(type, NC_INT) << name << ": CF-1.8 knows no int64";
  }
  nc_close(file);
}

TEST_F(ForecastFileTest, FollowsTheConventions) {
  ForecastFile forecast = forecast_of(projected_grid());
  forecast.fields[0].info.cell_methods = "time: mean";
  write_forecast(path("f.nc"), forecast);
  NetcdfPool pool;
  const CfMetadata file = pool.describe(path("f.nc"));
  EXPECT_EQ(file.find("t2m")->text("cell_methods"), "time: mean");
  EXPECT_EQ(open_netcdf({path("f.nc")})->variable("t2m").cell_methods, "time: mean");
  EXPECT_EQ(file.attributes.at("Conventions").text, "CF-1.8");
  EXPECT_EQ(file.attributes.at("title").text, "a test");
  EXPECT_EQ(file.find("time")->text("units"), "hours since 2019-03-27 06:00:00");
  EXPECT_EQ(file.find("time")->text("calendar"), "standard");
  EXPECT_EQ(pool.read(path("f.nc"), *file.find("time")), (std::vector<double>{1, 2}));
  EXPECT_TRUE(file.find("forecast_reference_time")->dimensions.empty());
  EXPECT_EQ(file.find("forecast_period")->text("units"), "hours");
  const CfVariable& t2m = *file.find("t2m");
  EXPECT_EQ(t2m.dimensions, (std::vector<std::string>{"time", "y", "x"}));
  EXPECT_EQ(t2m.text("coordinates"), "forecast_reference_time forecast_period latitude longitude");
  EXPECT_EQ(t2m.attributes.at("_FillValue").numbers[0], static_cast<double>(NC_FILL_FLOAT));
  EXPECT_EQ(file.find("latitude")->dimensions, (std::vector<std::string>{"y", "x"}));
  EXPECT_EQ(file.find("x")->text("standard_name"), "projection_x_coordinate");
  const auto source = open_netcdf({path("f.nc")});
  EXPECT_FALSE(source->grid().separable);
  EXPECT_EQ(source->grid().latitude, projected_grid().latitude);
  EXPECT_EQ(source->grid().x, projected_grid().x);
}

TEST_F(ForecastFileTest, KeepsTheGridMapping) {
  TestFile(path("in.nc"))
      .axis("y", {{"standard_name", "projection_y_coordinate"}, {"units", "km"}}, {0, 2.5})
      .axis("x", {{"standard_name", "projection_x_coordinate"}, {"units", "km"}}, {10, 12.5, 15})
      .variable("lat", NC_DOUBLE, {"y", "x"}, {{"units", "degrees_north"}}, count_from(50, 6))
      .variable("lon", NC_DOUBLE, {"y", "x"}, {{"units", "degrees_east"}}, count_from(1, 6))
      .variable("crs", NC_INT, {}, {{"grid_mapping_name", "lambert_conformal_conic"}}, {0})
      .number("standard_parallel", NC_DOUBLE, {45.5, 47.5})
      .number("false_easting", NC_DOUBLE, {600})
      .time({0})
      .variable("t2m", NC_FLOAT, {"time", "y", "x"},
                {{"coordinates", "lat lon"}, {"grid_mapping", "crs: x y"}}, count_from(0, 6));
  ForecastFile forecast = forecast_of(open_netcdf({path("in.nc")})->grid());
  forecast.fields[0].data = ramp(12, 0);
  write_forecast(path("out.nc"), forecast);
  const CfMetadata file = NetcdfPool().describe(path("out.nc"));
  EXPECT_EQ(file.find("t2m")->text("grid_mapping"), "crs");
  const CfVariable& crs = *file.find("crs");
  EXPECT_EQ(crs.text("grid_mapping_name"), "lambert_conformal_conic");
  EXPECT_EQ(crs.attributes.at("standard_parallel").numbers, (std::vector<double>{45.5, 47.5}));
  EXPECT_EQ(crs.attributes.at("false_easting").numbers, std::vector<double>{600000});  // as x, in m
  EXPECT_EQ(file.find("x")->text("units"), "m");
}

TEST_F(ForecastFileTest, MembersLevelsAndConstants) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.members = {5, 7, 9};
  forecast.fields.clear();
  VariableInfo t = info_of("t", "K");
  t.level_name = "pressure";
  t.level_units = "m";
  t.level_standard_name = "depth";
  t.level_positive = "down";
  t.levels = {500, 850};
  forecast.fields.push_back({t, ramp(2 * 3 * 2 * 12, 0)});
  VariableInfo q = t;
  q.name = "q";
  q.levels = {850};
  forecast.fields.push_back({q, ramp(2 * 3 * 12, 0)});
  VariableInfo z = t;
  z.name = "z";
  forecast.fields.push_back({z, ramp(2 * 3 * 2 * 12, 5)});
  VariableInfo relief = info_of("orography", "m");
  relief.has_time = false;
  forecast.fields.push_back({relief, ramp(12, 7)});
  write_forecast(path("f.nc"), forecast);
  const auto source = open_netcdf({path("f.nc")});
  EXPECT_EQ(source->times().members, 3);
  EXPECT_EQ(source->times().member_numbers, forecast.members);
  EXPECT_EQ(source->variable("t").levels, t.levels);
  EXPECT_EQ(source->variable("t").level_units, "m");
  EXPECT_EQ(source->variable("t").level_standard_name, "depth");
  EXPECT_EQ(source->variable("t").level_positive, "down");
  EXPECT_EQ(source->variable("z").level_name, "pressure");
  EXPECT_EQ(source->variable("q").levels, q.levels);
  EXPECT_FALSE(source->variable("orography").has_time);
  EXPECT_EQ(read_all(*source, {"orography"}), ramp(12, 7));
  // [time 1][member 2][level 1]
  EXPECT_EQ(read_all(*source, {"t", 1, 1, 0, 2}), ramp(12, ((1 * 3 + 2) * 2 + 1) * 12));
  EXPECT_EQ(read_all(*source, {"q", 0, 1, 0, 2}), ramp(12, (1 * 3 + 2) * 12));
}

TEST_F(ForecastFileTest, AnOnlyLevelIsAScalarCoordinate) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.fields.clear();
  for (const auto& [name, height] :
       {std::pair("t2m", 2), std::pair("u10", 10), std::pair("q2m", 2)}) {
    VariableInfo info = info_of(name, "1");
    info.level_name = "height";
    info.level_units = "m";
    info.level_positive = "up";
    info.only_level = height;
    forecast.fields.push_back({info, ramp(24, 0)});
  }
  write_forecast(path("f.nc"), forecast);
  NetcdfPool pool;
  const CfMetadata file = pool.describe(path("f.nc"));
  const std::string times = "forecast_reference_time forecast_period ";
  EXPECT_EQ(file.find("t2m")->text("coordinates"), times + "height");
  EXPECT_EQ(file.find("u10")->text("coordinates"), times + "height_2");
  EXPECT_EQ(file.find("q2m")->text("coordinates"), times + "height");
  EXPECT_TRUE(file.find("height")->dimensions.empty());
  EXPECT_EQ(file.find("height_2")->text("positive"), "up");
  EXPECT_EQ(open_netcdf({path("f.nc")})->variable("u10").only_level, 10);
}

TEST_F(ForecastFileTest, OneMemberKeepsItsNumber) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.members = {7};
  write_forecast(path("f.nc"), forecast);
  NetcdfPool pool;
  const CfMetadata file = pool.describe(path("f.nc"));
  EXPECT_TRUE(file.find("realization")->dimensions.empty());
  EXPECT_EQ(file.find("t2m")->text("coordinates"),
            "forecast_reference_time forecast_period realization");
  EXPECT_EQ(open_netcdf({path("f.nc")})->times().member_numbers, std::vector<int64_t>{7});
}

TEST_F(ForecastFileTest, RegionsCalendarsAndSeconds) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.region = {1, 3, 1, 4};
  forecast.calendar = Calendar::day_360;
  forecast.reference_time = to_time(Calendar::day_360, {2000, 2, 30, 0, 0, 0});
  forecast.times = {*forecast.reference_time + 900, *forecast.reference_time + 1800};
  forecast.fields[0].data = ramp(12, 0);
  write_forecast(path("f.nc"), forecast);
  const auto source = open_netcdf({path("f.nc")});
  EXPECT_EQ(source->times().calendar, Calendar::day_360);
  EXPECT_EQ(source->times().runs, forecast.times);
  EXPECT_EQ(source->grid().latitude, (std::vector<double>{49, 49, 49, 48, 48, 48}));
  EXPECT_EQ(source->grid().longitude[0], 5.5);
  EXPECT_EQ(read_all(*source, {"t2m", 0, 1, 0, 0}), ramp(6, 6));
}

TEST_F(ForecastFileTest, WithoutAReferenceItIsASeries) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.reference_time.reset();
  write_forecast(path("f.nc"), forecast);
  const auto source = open_netcdf({path("f.nc")});
  EXPECT_FALSE(source->times().reforecast());
  EXPECT_EQ(source->times().runs, forecast.times);
}

TEST_F(ForecastFileTest, RefusesDataThatDoNotFit) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.fields[0].data.pop_back();
  expect_contains(error_of([&] { write_forecast(path("f.nc"), forecast); }, ErrorKind::shape),
                  {"f.nc", "'t2m' has 23 values", "2 times", "3 x 4", "24"});
  EXPECT_EQ(files_in_folder(), 0u);
}

TEST_F(ForecastFileTest, RefusesFoldersThatCannotBeWritten) {
  const ForecastFile forecast = forecast_of(separable_grid());
  const auto refusal = [&](const std::string& name) {
    return error_of([&] { write_forecast(name, forecast); }, ErrorKind::input_output);
  };
  expect_contains(refusal(path("none/f.nc")), {"f.nc", "there is no folder"});
  expect_contains(refusal(folder_.string()), {"is a folder"});
  expect_contains(refusal("/proc/f.nc"), {"/proc/f.nc", "cannot be written"});
  std::filesystem::create_directory(path("locked"));
  std::filesystem::permissions(
      path("locked"), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  if (geteuid() != 0)  // root may write everywhere
    expect_contains(refusal(path("locked/f.nc")), {"cannot be written", "Permission denied"});
  EXPECT_EQ(files_in_folder(), 1u);
}

// A limit on the size of files stands for a full disk.
TEST_F(ForecastFileTest, AFullDiskIsAnErrorAndLeavesNothing) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.fields[0].data.assign(24, 0);
  write_forecast(path("f.nc"), forecast);
  const auto before = std::filesystem::last_write_time(path("f.nc"));
  forecast.grid.rows = 300;
  forecast.grid.columns = 400;
  for (auto* values :
       {&forecast.grid.latitude, &forecast.grid.longitude, &forecast.grid.x, &forecast.grid.y})
    values->resize(120000);
  for (int i = 0; i < 120000; ++i) {
    const int row = i / 400;
    forecast.grid.latitude[static_cast<size_t>(i)] = 50 - 0.125 * row;
    forecast.grid.longitude[static_cast<size_t>(i)] = 0.125 * (i % 400);
  }
  forecast.fields[0].data.resize(240000);
  uint32_t state = 1;  // noise does not compress
  for (float& value : forecast.fields[0].data)
    value = static_cast<float>(state = state * 1664525u + 1013904223u);
  rlimit old, limit;
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (rlim_t bytes : {1000, 20000, 100000, 400000}) {
    limit = {bytes, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::string message =
        error_of([&] { write_forecast(path("f.nc"), forecast); }, ErrorKind::input_output);
    setrlimit(RLIMIT_FSIZE, &old);
    expect_contains(message, {"f.nc", "cannot be written", "File too large"});
    EXPECT_EQ(files_in_folder(), 1u);
  }
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(std::filesystem::last_write_time(path("f.nc")), before);  // the old one is whole
  write_forecast(path("f.nc"), forecast);
  EXPECT_EQ(open_netcdf({path("f.nc")})->grid().columns, 400);
}

// Writes 100 records of 1000 packed values each as they come.
void stream(const std::string& path) {
  using Type = NetcdfWriter::Type;
  NetcdfWriter writer(path, NetcdfWriter::Kind::streamed);
  const int time = writer.dimension("time", 0), x = writer.dimension("x", 1000);
  const int id = writer.variable("t", Type::int16, {time, x});
  writer.attribute(id, "scale_factor", 0.5, Type::float64);
  for (size_t record = 0; record < 100; ++record) {
    const std::vector<int16_t> values(1000, static_cast<int16_t>(record));
    writer.write(id, {record, 0}, {1, 1000}, values.data());
  }
  writer.finish();
}

TEST_F(ForecastFileTest, StreamedRecords) {
  stream(path("s.nc"));
  NetcdfPool pool;
  const CfVariable t = *pool.describe(path("s.nc")).find("t");
  EXPECT_EQ(t.shape, (std::vector<size_t>{100, 1000}));
  EXPECT_EQ(pool.read(path("s.nc"), t)[99999], 49.5);
  EXPECT_EQ(files_in_folder(), 1u);
  std::filesystem::remove(path("s.nc"));
  rlimit old, limit;
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (rlim_t bytes : {0, 100, 50000, 199000}) {
    limit = {bytes, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::string message = error_of([&] { stream(path("s.nc")); }, ErrorKind::input_output);
    setrlimit(RLIMIT_FSIZE, &old);
    expect_contains(message, {"s.nc", "cannot be written", "File too large"});
    EXPECT_EQ(files_in_folder(), 0u);
  }
  std::signal(SIGXFSZ, handler);
}

// By netCDF itself, as other programs do.
TEST_F(ForecastFileTest, OthersMayAddToAFile) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.fields[0].data.assign(24, 0);
  write_forecast(path("f.nc"), forecast);
  int file = 0, id = 0;
  ASSERT_EQ(nc_open(path("f.nc").c_str(), NC_WRITE, &file), NC_NOERR);
  EXPECT_EQ(nc_def_var(file, "added", NC_INT, 0, nullptr, &id), NC_NOERR);
  EXPECT_EQ(nc_close(file), NC_NOERR);
  EXPECT_TRUE(NetcdfPool().describe(path("f.nc")).find("added"));
}

// Also in another second.
TEST_F(ForecastFileTest, EqualContentsAreEqualFiles) {
  ForecastFile forecast = forecast_of(separable_grid());
  forecast.fields[0].data.assign(24, 0);
  write_forecast(path("f.nc"), forecast);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  write_forecast(path("g.nc"), forecast);
  EXPECT_TRUE(read_file(path("f.nc")) == read_file(path("g.nc")));
}

TEST_F(ForecastFileTest, APipeStaysOne) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  for (const auto kind : {NetcdfWriter::Kind::whole, NetcdfWriter::Kind::streamed})
    EXPECT_EQ(error_of([&] { NetcdfWriter(path("pipe"), kind); }, ErrorKind::input_output),
              path("pipe") + ": is not a plain file");
  EXPECT_EQ(files_in_folder(), 1u);
}

TEST_F(ForecastFileTest, AWriterThatIsNotFinishedLeavesNothing) {
  {
    NetcdfWriter writer(path("f.nc"));
    writer.dimension("x", 3);
    EXPECT_EQ(files_in_folder(), 1u);
  }
  EXPECT_EQ(files_in_folder(), 0u);
}

}  // namespace
}  // namespace py4cast
