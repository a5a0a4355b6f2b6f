// Messages are looked at through ecCodes' keys; the numbers are a plain count.
#include "data/grib/grib_forecast.h"

#include <cmath>
#include <limits>

#include "data/grib/grib_handle.h"
#include "data/weather/conformal.h"
#include "tests/data/grib/grib_test_files.h"

namespace py4cast {
namespace {

class GribForecastTest : public GribFolder {
 protected:
  static constexpr Time start = 1551420000;  // date -u -d '2019-03-01 06:00' +%s

  // 3 x 4 points, two hours. Numbers count on from `first`.
  static ForecastFile hours() {
    ForecastFile forecast;
    forecast.grid = {.rows = 3, .columns = 4, .x_name = "longitude", .y_name = "latitude"};
    for (int i = 0; i < 12; ++i) {
      const int row = i / 4;
      forecast.grid.latitude.push_back(50 - row);
      forecast.grid.longitude.push_back(-1 + i % 4);
    }
    forecast.reference_time = start;
    forecast.times = {start + 3600, start + 7200};
    return forecast;
  }
  static ForecastField field_of(const std::string& name, const std::string& units, size_t count,
                                std::vector<double> levels = {}) {
    ForecastField field;
    field.info = {.name = name, .units = units};
    field.info.levels = std::move(levels);
    field.info.level_units = "hPa";
    for (size_t i = 0; i < count; ++i) field.data.push_back(static_cast<float>(i));
    return field;
  }
  std::vector<std::string> written(const ForecastFile& forecast) const {
    write_grib_forecast(path("out.grib2"), forecast);
    const GribFile file(path("out.grib2"));
    std::vector<std::string> messages;
    scan_grib(file, [&](const GribField& field, const GribHeader&) {
      messages.push_back(read_grib_message(file, field));
    });
    return messages;
  }
  static std::string keys(const std::string& message, const std::vector<const char*>& names) {
    const GribHandle handle(message);
    std::string text;
    for (const char* name : names) text += (text.empty() ? "" : " ") + handle.text(name);
    return text;
  }
  std::string why(const ForecastFile& forecast) const {
    return sentence_of([&] { write_grib_forecast(path("refused.grib"), forecast); });
  }
};

TEST_F(GribForecastTest, MadeFromTheGridAndTheNames) {
  ForecastFile forecast = hours();
  forecast.fields = {field_of("t2m", "K", 24), field_of("t", "K", 48, {850, 500}),
                     field_of("tp", "kg m**-2", 24)};
  forecast.fields[1].info.name = "temperature";
  forecast.fields[1].info.standard_name = "air_temperature";
  forecast.fields[0].data[13] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::string> messages = written(forecast);
  ASSERT_EQ(messages.size(), 8u);
  EXPECT_EQ(assumed_sums(forecast), std::vector<std::string>{"tp"});
  const std::vector<const char*> names = {"edition",   "shortName", "typeOfLevel", "level",
                                          "stepRange", "dataDate",  "dataTime"};
  const char* expected[] = {
      "2 2t heightAboveGround 2 1 20190301 0600", "2 t isobaricInhPa 850 1 20190301 0600",
      "2 t isobaricInhPa 500 1 20190301 0600",    "2 tp surface 0 0-1 20190301 0600",
      "2 2t heightAboveGround 2 2 20190301 0600", "2 t isobaricInhPa 850 2 20190301 0600",
      "2 t isobaricInhPa 500 2 20190301 0600",    "2 tp surface 0 1-2 20190301 0600"};
  for (size_t i = 0; i < messages.size(); ++i) EXPECT_EQ(keys(messages[i], names), expected[i]);
  EXPECT_EQ(keys(messages[3], {"stepType", "gridType", "dataType", "typeOfGeneratingProcess"}),
            "accum regular_ll fc 2");
  // [time][level][row][column]: the second time's second level begins at 36.
  const GribHandle handle(messages[6]);
  const std::vector<double> values = handle.numbers("values");
  for (size_t i = 0; i < 12; ++i) EXPECT_NEAR(values[i], 36 + static_cast<double>(i), 1e-3);
  GribSource source({path("out.grib2")});
  EXPECT_EQ(source.grid().latitude, forecast.grid.latitude);
  const std::vector<float> second = field(source, {"t2m", 0, 1});
  EXPECT_TRUE(std::isnan(second[1]));
  EXPECT_NEAR(second[0], 12, 1e-3);
}

TEST_F(GribForecastTest, SumsNeedTheMessagesThatOtherFieldsHave) {
  ForecastFile forecast = hours();
  forecast.fields = {field_of("t2m", "K", 24), field_of("tp", "kg m**-2", 24)};
  forecast.fields[0].messages = {
      {.bytes = GribTestMessage().counting(12).bytes(), .validity = start}};
  EXPECT_NE(why(forecast).find(
                "variable 'tp' cannot be written as GRIB: it is a sum, and the data have no "
                "message that says over which time"),
            std::string::npos)
      << why(forecast);
}

TEST_F(GribForecastTest, SumsOfRunsAreRefused) {
  ForecastFile forecast = hours();
  forecast.fields = {field_of("tp", "kg m-2", 24)};
  EXPECT_EQ(why(forecast), "accepted");
  forecast.of_runs = true;
  expect_says(why(forecast), "it is a sum, which in runs with lead times counts from the start");
}

TEST_F(GribForecastTest, TheOnlyLevelOfAVariableIsThatOfItsMessages) {
  ForecastFile forecast = hours();
  forecast.times.resize(1);
  forecast.members = {3};
  forecast.fields = {field_of("t2m", "K", 12), field_of("u10", "m s-1", 12),
                     field_of("temp", "K", 12), field_of("t", "K", 12)};
  forecast.fields[2].info.standard_name = "air_temperature";
  const std::pair<double, const char*> levels[] = {
      {1.5, "m"}, {2, "m"}, {8050, "cm"}, {50000, "Pa"}};
  for (size_t i = 0; i < 4; ++i) {
    forecast.fields[i].info.only_level = levels[i].first;
    forecast.fields[i].info.level_units = levels[i].second;
  }
  const std::vector<std::string> messages = written(forecast);
  const char* expected[] = {"t heightAboveGround 2 150", "10u heightAboveGround 0 10",
                            "t heightAboveGround 2 8050"};
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(keys(messages[i], {"shortName", "typeOfLevel", "scaleFactorOfFirstFixedSurface",
                                 "scaledValueOfFirstFixedSurface"}),
              expected[i]);
  EXPECT_EQ(keys(messages[3], {"typeOfLevel", "level", "perturbationNumber"}),
            "isobaricInhPa 500 3");
}

TEST_F(GribForecastTest, KnowsHeightsInGpm) {
  ForecastFile forecast = hours();
  forecast.fields = {field_of("gh", "gpm", 24, {500})};
  EXPECT_EQ(keys(written(forecast).at(0), {"shortName", "level"}), "gh 500");
}

TEST_F(GribForecastTest, StartsAtAnyMinuteAndKnowsLevelsInPa) {
  ForecastFile forecast = hours();
  forecast.reference_time = start + 1800;
  forecast.times = {start + 5400, start + 9000};
  forecast.fields = {field_of("t", "K", 48, {85000, 50000})};
  forecast.fields[0].info.standard_name = "air_temperature";
  forecast.fields[0].info.level_units = "Pa";
  const std::vector<std::string> messages = written(forecast);
  ASSERT_EQ(messages.size(), 4u);
  const char* expected[] = {"20190301 0630 1 850", "20190301 0630 1 500", "20190301 0630 2 850",
                            "20190301 0630 2 500"};
  for (size_t i = 0; i < messages.size(); ++i)
    EXPECT_EQ(keys(messages[i], {"dataDate", "dataTime", "stepRange", "level"}), expected[i]);
}

TEST_F(GribForecastTest, KnowsNamesAndUnitsOfOthers) {
  struct Case {
    const char *name, *units, *expected;
    double scale, offset = 0;
  };
  // Discipline, category and number of WMO's tables, and what ecCodes calls the level.
  const Case cases[] = {{"msl", "Pa", "msl 0 3 0 meanSea", 1},
                        {"psl", "Pa", "msl 0 3 0 meanSea", 1},
                        {"prmsl", "Pa", "prmsl 0 3 1 meanSea", 1},
                        {"tas", "K", "2t 0 0 0 heightAboveGround", 1},
                        {"air_temperature_2m", "K", "2t 0 0 0 heightAboveGround", 1},
                        {"relative_humidity_2m", "1", "2r 0 1 1 heightAboveGround", 100},
                        {"tp", "m", "tp 0 1 52 surface", 1000},
                        {"tp", "kg m-2", "tp 0 1 52 surface", 1},
                        {"tp", "mm", "tp 0 1 52 surface", 1},
                        {"psl", "millibars", "msl 0 3 0 meanSea", 100},
                        {"tas", "degF", "2t 0 0 0 heightAboveGround", 5.0 / 9, 459.67 * 5 / 9},
                        {"sd", "m of water equivalent", "sd 0 1 60 surface", 1000},
                        {"tcc", "(0 - 1)", "tcc 0 6 1 entireAtmosphere", 100},
                        {"tcc", "%", "tcc 0 6 1 entireAtmosphere", 1}};
  for (const Case& one : cases) {
    ForecastFile forecast = hours();
    forecast.times.resize(1);
    forecast.fields = {field_of(one.name, one.units, 12)};
    forecast.fields[0].info.standard_name = "air_temperature";  // does not count beside a name
    const std::vector<std::string> messages = written(forecast);
    EXPECT_EQ(keys(messages.at(0), {"shortName", "discipline", "parameterCategory",
                                    "parameterNumber", "typeOfLevel"}),
              one.expected);
    EXPECT_NEAR(GribHandle(messages[0]).numbers("values")[7], 7 * one.scale + one.offset, 0.2);
  }
  ForecastFile forecast = hours();
  forecast.fields = {field_of("warmth", "K", 24)};
  forecast.fields[0].info.standard_name = "air_temperature";
  expect_says(why(forecast), "or without pressure levels or one height for air_temperature");
}

TEST_F(GribForecastTest, KnowsTheNamesOfSmeagol) {
  ForecastFile forecast = hours();
  forecast.fields = {
      field_of("WIND.U.PHYS", "m s-1", 48, {90, 60}), field_of("CLSHUMI.RELATIVE", "1", 24, {0}),
      field_of("CLSV.RAF60M.XFU", "m s-1", 24, {0}), field_of("SURFACCPLUIE", "kg m-2", 24, {0})};
  forecast.fields[0].info.level_units = "1";
  const std::vector<std::string> messages = written(forecast);
  const std::vector<const char*> names = {"parameterCategory", "parameterNumber", "typeOfLevel",
                                          "level", "stepRange"};
  const char* expected[] = {"2 2 hybrid 90 1",
                            "2 2 hybrid 60 1",
                            "1 1 heightAboveGround 2 1",
                            "2 24 heightAboveGround 10 1",
                            "1 52 surface 0 0-1",
                            "2 2 hybrid 90 2",
                            "2 2 hybrid 60 2",
                            "1 1 heightAboveGround 2 2",
                            "2 24 heightAboveGround 10 2",
                            "1 52 surface 0 1-2"};
  ASSERT_EQ(messages.size(), std::size(expected));
  for (size_t i = 0; i < messages.size(); ++i) EXPECT_EQ(keys(messages[i], names), expected[i]);
  // A share becomes per cent.
  EXPECT_NEAR(GribHandle(messages[2]).numbers("values")[7], 700, 1e-2);
  forecast.fields[0].info.levels.clear();
  EXPECT_NE(why(forecast).find("it has no model levels"), std::string::npos);
}

// Rain since the start of the run, in the data and so in the forecast; from another start GRIB has no name for it.
TEST_F(GribForecastTest, SumsFromTheStartOfTheRun) {
  std::string run;
  for (const char* range : {"0-1", "0-2", "0-3"}) {
    GribTestMessage rain;
    rain.region(5, 6, 51, -2, 47, 3).set("productDefinitionTemplateNumber", 8);
    rain.set("shortName", "tp").set("dataTime", 600).set("stepRange", range);
    run += rain.counting(30).bytes();
  }
  const GribSource source({write("run.grib", run)});
  const SourceMessage message = source.message({"tp", 0, 0});
  EXPECT_TRUE(message.total);
  ForecastFile forecast = hours();
  forecast.fields = {field_of("tp", "kg m**-2", 24)};
  forecast.fields[0].messages = {message};
  const std::vector<std::string> messages = written(forecast);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(keys(messages[0], {"dataDate", "dataTime", "stepRange"}), "20190301 0600 0-1");
  EXPECT_EQ(keys(messages[1], {"dataDate", "dataTime", "stepRange"}), "20190301 0600 0-2");
  forecast.reference_time = start + 3600;
  EXPECT_EQ(why(forecast),
            "variable 'tp' cannot be written as GRIB: its values count from the start of a run, "
            "2019-03-01T06:00:00 in the data, not from that of the forecast; netCDF and Zarr files "
            "take them");
}

// An ERA5-like analysis of edition 1; of ARPEGE's kind a sum over the hour after its own.
TEST_F(GribForecastTest, AfterTheMessagesOfTheInput) {
  GribTestMessage analysis("regular_ll_sfc_grib1"), sum;
  analysis.region(5, 6, 51, -2, 47, 3).set("shortName", "2t").set("dataTime", 300);
  sum.region(5, 6, 51, -2, 47, 3).set("centre", "lfpw");
  sum.set("productDefinitionTemplateNumber", 8).set("shortName", "tp");
  sum.set("stepRange", "0-1");
  sum.set("dataTime", 300);
  ForecastFile forecast = hours();
  forecast.fields = {field_of("any", "K", 24), field_of("rain", "kg m**-2", 24)};
  constexpr Time of_input = start - 3 * 3600;
  forecast.fields[0].messages = {{analysis.counting(30).bytes(), of_input}};
  // The input's eight bits would not do for what is forecast.
  forecast.fields[1].messages = {{sum.values(std::vector<double>(30, 1.5), 8).bytes(), of_input}};
  std::vector<std::string> messages = written(forecast);
  ASSERT_EQ(messages.size(), 4u);
  const std::vector<const char*> names = {"edition",  "centre",    "shortName", "dataDate",
                                          "dataTime", "stepRange", "Ni",        "Nj"};
  EXPECT_EQ(keys(messages[2], names), "2 ecmf 2t 20190301 0600 2 4 3");
  EXPECT_EQ(keys(messages[1], names), "2 lfpw tp 20190301 0600 1-2 4 3");
  EXPECT_EQ(keys(messages[3], {"stepType", "stepRange"}), "accum 2-3");
  EXPECT_NEAR(GribHandle(messages[3]).numbers("values")[5], 17, 1e-3);
  forecast.fields[1].messages[0].validity += 3600;  // where it counts at the end
  messages = written(forecast);
  EXPECT_EQ(keys(messages[3], {"stepType", "stepRange"}), "accum 1-2");
  EXPECT_NEAR(GribHandle(messages[3]).numbers("values")[11], 23, 1e-3);
}

// 4 x 5 points of 100 km around 46.7 N, 2 E on a cone: y is 0 on the second row from the north.
TEST_F(GribForecastTest, ProjectedGridsBeginInTheSouth) {
  ForecastFile forecast = hours();
  const ConformalMap map = ConformalMap::lambert({}, 46.7, 46.7, 46.7, 2);
  forecast.grid = {.rows = 4,
                   .columns = 5,
                   .axis_units = "m",
                   .separable = false,
                   .mapping = {.name = "cone",
                               .texts = {{"grid_mapping_name", "lambert_conformal_conic"}},
                               .numbers = {{"standard_parallel", {46.7}},
                                           {"latitude_of_projection_origin", {46.7}},
                                           {"longitude_of_central_meridian", {2}},
                                           {"earth_radius", {6371229}}}}};
  for (int i = 0; i < 20; ++i) {
    forecast.grid.x.push_back(1e5 * (i % 5 - 2));
    const int row = i / 5;
    forecast.grid.y.push_back(1e5 * (1 - row));
    const EarthPoint point = map.earth({forecast.grid.x.back(), forecast.grid.y.back()});
    forecast.grid.latitude.push_back(point.latitude);
    forecast.grid.longitude.push_back(point.longitude);
  }
  forecast.fields = {field_of("u10", "m s-1", 40)};
  const std::vector<std::string> messages = written(forecast);
  const GribHandle handle(messages.at(0));
  EXPECT_EQ(handle.text("gridType"), "lambert");
  EXPECT_NEAR(handle.number("DxInMetres"), 1e5, 1e-3);
  // Number 7 of the rows from the north, the map's middle, is 12 of those from the south.
  EXPECT_NEAR(handle.numbers("values")[12], 7, 1e-3);
  EXPECT_NEAR(handle.numbers("latitudes")[12], 46.7, 1e-5);
  EXPECT_NEAR(handle.numbers("longitudes")[12], 2, 1e-5);
  GribSource source({path("out.grib2")});
  EXPECT_NEAR(field(source, {"u10", 0, 1})[19], 39, 1e-3);
  EXPECT_NEAR(source.grid().latitude[19], forecast.grid.latitude[19], 1e-5);
}

// 2 x 3 points from the south, 400 km apart, x = -400, 0, 400 km.
struct MappedCase {
  double south;  // y of the first row [m]
  std::map<std::string, std::string> texts;
  std::map<std::string, std::vector<double>> numbers;
  std::vector<double> latitude, longitude;  // of PROJ 9.5
};
Grid mapped_grid(const MappedCase& given) {
  Grid grid{.rows = 2, .columns = 3, .axis_units = "m", .separable = false};
  grid.mapping = {.name = "crs", .texts = given.texts, .numbers = given.numbers};
  for (int i = 0; i < 6; ++i) {
    grid.x.push_back(4e5 * (i % 3 - 1));
    grid.y.push_back(given.south + (i < 3 ? 0 : 4e5));
  }
  grid.latitude = given.latitude;
  grid.longitude = given.longitude;
  return grid;
}

TEST_F(GribForecastTest, PlacesAreThoseOfTheMapping) {
  const std::map<std::string, std::string> polar = {{"grid_mapping_name", "polar_stereographic"}},
                                           mercator = {{"grid_mapping_name", "mercator"}},
                                           cone = {
                                               {"grid_mapping_name", "lambert_conformal_conic"}};
  const MappedCase cases[] = {
      {-4.6e6,
       polar,
       {{"latitude_of_projection_origin", {90}},
        {"straight_vertical_longitude_from_pole", {10}},
        {"scale_factor_at_projection_origin", {0.93301270189}},
        {"earth_radius", {6370040}}},
       {47.5427917, 47.6882658, 47.5427917, 50.9167686, 51.0795633, 50.9167686},
       {5.0302593, 10, 14.9697407, 4.5596680, 10, 15.4403320}},
      {5.4e6,
       mercator,
       {{"longitude_of_projection_origin", {0}},
        {"scale_factor_at_projection_origin", {0.9}},
        {"earth_radius", {6371229}}},
       {47.3932811, 47.3932811, 47.3932811, 50.0297628, 50.0297628, 50.0297628},
       {-3.9968413, 0, 3.9968413, -3.9968413, 0, 3.9968413}},
      {-4e5,
       cone,
       {{"standard_parallel", {50}},
        {"latitude_of_projection_origin", {50}},
        {"longitude_of_central_meridian", {8}},
        {"semi_major_axis", {6378137}},
        {"inverse_flattening", {298.257223563}}},
       {46.2805052, 46.4050023, 46.2805052, 49.8660597, 50, 49.8660597},
       {2.8164598, 8, 13.1835402, 2.4311822, 8, 13.5688178}},
      {-2.4e6,
       polar,
       {{"latitude_of_projection_origin", {90}},
        {"straight_vertical_longitude_from_pole", {-45}},
        {"standard_parallel", {70}},
        {"semi_major_axis", {6378137}},
        {"inverse_flattening", {298.257223563}}},
       {67.8097101, 68.1045671, 67.8097101, 71.3320478, 71.6886069, 71.3320478},
       {-54.4623222, -45, -35.5376778, -56.3099325, -45, -33.6900675}},
      {2e6,
       polar,
       {{"latitude_of_projection_origin", {-90}},
        {"straight_vertical_longitude_from_pole", {30}},
        {"scale_factor_at_projection_origin", {0.97}},
        {"semi_major_axis", {6378137}},
        {"inverse_flattening", {298.257223563}}},
       {-71.3347308, -71.6912404, -71.3347308, -67.8128768, -68.1076937, -67.8128768},
       {18.6900675, 30, 41.3099325, 20.5376778, 30, 39.4623222}}};
  for (const MappedCase& one : cases) {
    ForecastFile forecast = hours();
    forecast.grid = mapped_grid(one);
    forecast.times.resize(1);
    forecast.fields = {field_of("t2m", "K", 6)};
    ASSERT_EQ(written(forecast).size(), 1u);
    const Grid grid = GribSource({path("out.grib2")}).grid();
    for (size_t i = 0; i < 6; ++i) {  // it is read from the north
      const size_t k = (i + 3) % 6;
      EXPECT_NEAR(grid.latitude[i], one.latitude[k], 2e-5) << one.latitude[0];
      EXPECT_NEAR(grid.longitude[i], one.longitude[k], 2e-5) << one.latitude[0];
    }
    forecast.grid.mapping.numbers["standard_parallel"] = {35};
    expect_says(why(forecast), "by the grid mapping 'crs' its points lie up to ");
  }
}

TEST_F(GribForecastTest, MembersAndMinutes) {
  ForecastFile forecast = hours();
  forecast.members = {5, 9};
  forecast.times = {start + 900, start + 1800};
  forecast.fields = {field_of("u10", "m s-1", 48), field_of("tp", "kg m-2", 48)};
  const std::vector<std::string> messages = written(forecast);
  ASSERT_EQ(messages.size(), 8u);
  const std::vector<const char*> names = {"shortName", "number", "numberOfForecastsInEnsemble",
                                          "stepType", "validityTime"};
  EXPECT_EQ(keys(messages[0], names), "10u 5 2 instant 615");
  EXPECT_EQ(keys(messages[2], names), "10u 9 2 instant 615");
  EXPECT_EQ(keys(messages[7], names), "tp 9 2 accum 630");
  EXPECT_NEAR(GribHandle(messages[2]).numbers("values")[0], 12, 1e-3);
  EXPECT_NEAR(GribHandle(messages[6]).numbers("values")[0], 36, 1e-3);
}

TEST_F(GribForecastTest, MembersGoOnFromTheirOwnMessages) {
  ForecastFile forecast = hours();
  forecast.times.resize(1);
  forecast.fields = {field_of("t2m", "K", 24)};
  forecast.members = {5, 9};
  for (const int64_t number : forecast.members) {
    GribTestMessage message;
    message.set("productDefinitionTemplateNumber", 1).set("numberOfForecastsInEnsemble", 51);
    message.set("perturbationNumber", number).set("typeOfEnsembleForecast", number == 5 ? 2 : 3);
    forecast.fields[0].messages.push_back({message.counting(12).bytes(), start - 6 * 3600});
  }
  const std::vector<const char*> names = {"number", "numberOfForecastsInEnsemble",
                                          "typeOfEnsembleForecast"};
  std::vector<std::string> messages = written(forecast);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(keys(messages[0], names), "5 51 2");
  EXPECT_EQ(keys(messages[1], names), "9 51 3");
  forecast.members = {9};
  forecast.fields[0].messages.erase(forecast.fields[0].messages.begin());
  forecast.fields[0].data.resize(12);
  messages = written(forecast);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(keys(messages[0], names), "9 51 3");
}

TEST_F(GribForecastTest, TheMeanOfAnEnsembleBecomesNoMember) {
  ForecastFile forecast = hours();
  forecast.times.resize(1);
  forecast.fields = {field_of("t2m_mean", "K", 12)};
  GribTestMessage mean;
  mean.set("productDefinitionTemplateNumber", 2).set("derivedForecast", 0);
  forecast.fields[0].messages = {{mean.counting(12).bytes(), start - 6 * 3600}};
  EXPECT_EQ(keys(written(forecast).at(0), {"shortName", "derivedForecast"}), "2t 0");
  forecast.members = {5};
  expect_says(why(forecast),
              "'t2m_mean' cannot be written as GRIB: its values are of the whole ensemble");
}

TEST_F(GribForecastTest, WhatGribLacksIsRefused) {
  const auto refused = [&](const ForecastField& field) {
    ForecastFile forecast = hours();
    forecast.fields = {field};
    return why(forecast);
  };
  expect_says(refused(field_of("WARMTH", "K", 24)),
              "variable 'WARMTH' cannot be written as GRIB: no parameter is known for its name");
  expect_says(refused(field_of("t2m", "g", 24)), "its unit is 'g', but the parameter's is 'K'");
  expect_says(refused(field_of("t", "K", 24)), "it has no pressure levels");
  expect_says(refused(field_of("t2m", "K", 48, {2, 10})), "it has 2 levels, but the parameter one");
  ForecastField mean = field_of("t2m", "K", 24);
  mean.info.cell_methods = "area: mean time: mean (interval: 1 h)";
  expect_says(refused(mean),
              "its values are of intervals (cell_methods 'area: mean time: mean "
              "(interval: 1 h)'), and the data have no message that says of which");
  mean.info.cell_methods = "area: mean time: point";
  EXPECT_EQ(written([&] {
              ForecastFile point = hours();
              point.fields = {mean};
              return point;
            }())
                .size(),
            2U);
  ForecastFile forecast = hours();
  forecast.calendar = Calendar::day_360;
  expect_says(why(forecast), "GRIB has no times of the calendar 360_day");
  forecast = hours();
  forecast.grid.latitude[0] = forecast.grid.latitude[1] = 52;
  forecast.fields = {field_of("t2m", "K", 24)};
  expect_says(why(forecast), "the rows and columns of the grid are not even");
  EXPECT_FALSE(std::filesystem::exists(path("refused.grib")));
}

TEST(GribNames, ByTheirEnding) {
  for (const char* name : {"a.grib", "a.grib2", "b/a.grb", "a_{start}.grb2"})
    EXPECT_TRUE(is_grib_name(name)) << name;
  for (const char* name : {"a.nc", "grib", "a.grib.nc"}) EXPECT_FALSE(is_grib_name(name)) << name;
}

}  // namespace
}  // namespace py4cast
