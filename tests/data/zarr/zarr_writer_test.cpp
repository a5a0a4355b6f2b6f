#include "data/zarr/zarr_writer.h"

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "data/netcdf/forecast_file.h"
#include "data/netcdf/netcdf_dataset.h"
#include "data/weather/calendar.h"
#include "data/zarr/zarr_dataset.h"
#include "engine/error.h"
#include "tests/data/zarr/zarr_folder.h"

namespace py4cast {
namespace {

using ZarrForecast = ZarrFolder;

// Two times of a temperature on two levels and of a pressure, of two members; one value is missing.
ForecastFile two_times() {
  ForecastFile forecast;
  forecast.grid.rows = 3;
  forecast.grid.columns = 2;
  for (int i = 0; i < 6; ++i) {
    forecast.grid.latitude.push_back(50 - i / 2);
    forecast.grid.longitude.push_back(5 + 0.5 * (i % 2));
  }
  forecast.reference_time = parse_time(Calendar::standard, "2019-03-27T06").time;
  forecast.times = {*forecast.reference_time + 3600, *forecast.reference_time + 7200};
  forecast.members = {0, 4};
  forecast.attributes = {{"title", "A forecast"}};
  VariableInfo t{
      .name = "t", .units = "K", .level_name = "level", .levels = {500, 850}, .level_units = "hPa"};
  t.standard_name = "air_temperature";
  forecast.fields.push_back({.info = t, .data = {}});
  for (int i = 0; i < 48; ++i) forecast.fields[0].data.push_back(static_cast<float>(250 + i));
  VariableInfo p{.name = "p", .units = "Pa"};
  forecast.fields.push_back({.info = p, .data = {}});
  for (int i = 0; i < 24; ++i) forecast.fields[1].data.push_back(static_cast<float>(1e5 + i));
  forecast.fields[1].data[7] = std::numeric_limits<float>::quiet_NaN();
  return forecast;
}

TEST_F(ZarrForecast, HasTheMetadataOfXarray) {
  write_zarr_forecast(path("f.zarr"), two_times());
  EXPECT_EQ(text_of(path("f.zarr/.zgroup")), "{\n    \"zarr_format\": 2\n}");
  EXPECT_EQ(text_of(path("f.zarr/.zattrs")),
            "{\n    \"Conventions\": \"CF-1.8\",\n    \"title\": \"A forecast\"\n}");
  EXPECT_EQ(text_of(path("f.zarr/t/.zattrs")), R"({
    "_ARRAY_DIMENSIONS": [
        "time",
        "realization",
        "level",
        "latitude",
        "longitude"
    ],
    "units": "K",
    "standard_name": "air_temperature",
    "coordinates": "forecast_reference_time forecast_period"
})");
  // One chunk is one field; 9.969209968386869e+36 is netCDF's fill value of f32.
  EXPECT_EQ(text_of(path("f.zarr/t/.zarray")), R"({
    "chunks": [
        1,
        1,
        1,
        3,
        2
    ],
    "compressor": {
        "blocksize": 0,
        "clevel": 5,
        "cname": "lz4",
        "id": "blosc",
        "shuffle": 1
    },
    "dtype": "<f4",
    "fill_value": 9.969209968386869e+36,
    "filters": null,
    "order": "C",
    "shape": [
        2,
        2,
        2,
        3,
        2
    ],
    "zarr_format": 2
})");
  const auto all = nlohmann::ordered_json::parse(text_of(path("f.zarr/.zmetadata")));
  EXPECT_EQ(all["zarr_consolidated_format"], 1);
  EXPECT_EQ(all["metadata"]["t/.zarray"],
            nlohmann::ordered_json::parse(text_of(path("f.zarr/t/.zarray"))));
  EXPECT_EQ(all["metadata"]["forecast_reference_time/.zarray"]["shape"],
            nlohmann::ordered_json::array());
  EXPECT_TRUE(all["metadata"]["latitude/.zarray"]["fill_value"].is_null());
  EXPECT_TRUE(std::filesystem::exists(path("f.zarr/t/1.0.1.0.0")));
  EXPECT_FALSE(std::filesystem::exists(path("f.zarr.partial")));
}

TEST_F(ZarrForecast, GivesBackWhatNetcdfDoes) {
  const ForecastFile forecast = two_times();
  write_zarr_forecast(path("f.zarr"), forecast);
  write_forecast(path("f.nc"), forecast);
  const auto zarr = open_zarr({path("f.zarr")}), netcdf = open_netcdf({path("f.nc")});
  EXPECT_EQ(zarr->grid().latitude, netcdf->grid().latitude);
  EXPECT_EQ(zarr->grid().longitude, forecast.grid.longitude);
  EXPECT_EQ(zarr->times().runs, netcdf->times().runs);
  EXPECT_EQ(zarr->times().leads, netcdf->times().leads);
  EXPECT_EQ(zarr->times().member_numbers, forecast.members);
  const VariableInfo& t = zarr->variable("t");
  EXPECT_EQ(t.units, "K");
  EXPECT_EQ(t.standard_name, "air_temperature");
  EXPECT_EQ(t.levels, (std::vector<double>{500, 850}));
  const bool along_leads = zarr->times().reforecast();
  for (int64_t time = 0; time < 2; ++time)
    for (int64_t member = 0; member < 2; ++member) {
      FieldRequest request{.variable = "p", .member = member};
      (along_leads ? request.lead : request.run) = time;
      std::vector<float> found(6);
      zarr->read(request, {0, 3, 0, 2}, found.data());
      for (size_t i = 0; i < 6; ++i) {
        const float expected =
            forecast.fields[1].data[static_cast<size_t>(time * 2 + member) * 6 + i];
        EXPECT_TRUE(std::isnan(expected) ? std::isnan(found[i]) : found[i] == expected);
      }
    }
}

TEST_F(ZarrForecast, ReplacesAStoreAndNothingElse) {
  write_zarr_forecast(path("f.zarr"), two_times());
  ForecastFile other = two_times();
  other.fields.pop_back();
  write_zarr_forecast(path("f.zarr/"), other);
  EXPECT_FALSE(std::filesystem::exists(path("f.zarr/p")));
  std::filesystem::create_directories(path("mine.zarr/letters"));
  EXPECT_THROW(write_zarr_forecast(path("mine.zarr"), other), Error);
  EXPECT_TRUE(std::filesystem::exists(path("mine.zarr/letters")));
  EXPECT_THROW(write_zarr_forecast(path("nowhere/f.zarr"), other), Error);
  other.fields[0].data.pop_back();
  EXPECT_THROW(write_zarr_forecast(path("g.zarr"), other), Error);
  EXPECT_FALSE(std::filesystem::exists(path("g.zarr.partial")));
}

}  // namespace
}  // namespace py4cast
