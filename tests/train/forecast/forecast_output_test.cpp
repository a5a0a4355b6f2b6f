#include "train/forecast/forecast_output.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/error.h"
#include "tests/train/forecast/fake_source.h"

namespace py4cast {
namespace {

// Two rows, three columns, half a degree apart: 50.5 and 50 N, 1 W to 0 E.
ForecastFile small_forecast() {
  ForecastFile file;
  file.grid.rows = 2;
  file.grid.columns = 3;
  for (const double latitude : {50.5, 50.0})
    for (const double longitude : {-1.0, -0.5, 0.0}) {
      file.grid.latitude.push_back(latitude);
      file.grid.longitude.push_back(longitude);
    }
  file.times = {0, 3600};
  file.members = {0, 7};
  ForecastField field;
  field.info = {.name = "t", .units = "K", .levels = {500, 850}};
  for (int i = 0; i < 2 * 2 * 2 * 6; ++i) field.data.push_back(static_cast<float>(i));
  file.fields.push_back(field);
  return file;
}

std::shared_ptr<FieldStore> store_of_three_features(bool standardize) {
  auto source = std::make_unique<FakeSource>(2, 3, 6, every(3600, 48));
  VariableInfo& t = source->add("t");
  t.units = "K";
  t.levels = {500, 850};
  t.level_name = "level";
  t.level_units = "hPa";
  t.level_positive = "down";
  source->add("sst").units = "degC";
  DatasetSettings settings;
  settings.standardize = standardize;
  settings.variables = {{.name = "t", .levels = {500, 850}}, {.name = "sst", .levels = {}}};
  settings.periods.train = {.start = "2019-03-01", .end = "2019-03-01"};
  return std::make_shared<FieldStore>(
      settings, std::move(source), nullptr,
      Statistics{{.name = "t_500", .mean = 250, .std = 8, .maximum = 300},
                 {.name = "t_850", .mean = 280, .std = 4, .maximum = 300},
                 {.name = "sst", .mean = 10, .std = 0.5, .maximum = 300, .never = {5, 1}}});
}

// Standardised values back in units, by time, member, level and point; nothing where the sea has no value.
TEST(ForecastOutput, FieldsAreInUnits) {
  constexpr size_t members = 2, times = 3, points = 6;
  const auto value = [](size_t member, size_t time, size_t point, size_t feature) {
    return 1.0 * member - 0.5 * time + 0.25 * point + 0.125 * feature;
  };
  std::vector<std::vector<Tensor>> predictions(members);
  for (size_t m = 0; m < members; ++m)
    for (size_t time = 0; time < times; ++time) {
      predictions[m].push_back(host_tensor({1, 2, 3, 3}, DataType::f32));
      for (size_t i = 0; i < points * 3; ++i)
        predictions[m][time].data<float>()[i] = static_cast<float>(value(m, time, i / 3, i % 3));
    }
  for (const bool standardize : {true, false}) {
    const auto store = store_of_three_features(standardize);
    const std::vector<ForecastField> fields = physical_fields(*store, predictions);
    ASSERT_EQ(fields.size(), 2u);
    EXPECT_EQ(fields[0].info.name, "t");
    EXPECT_EQ(fields[0].info.units, "K");
    EXPECT_EQ(fields[0].info.levels, (std::vector<double>{500, 850}));
    EXPECT_EQ(fields[0].info.level_units, "hPa");
    EXPECT_EQ(fields[0].info.level_positive, "down");
    EXPECT_EQ(fields[1].info.name, "sst");
    EXPECT_EQ(fields[1].info.units, "degC");
    EXPECT_TRUE(fields[1].info.levels.empty());
    ASSERT_EQ(fields[0].data.size(), times * members * 2 * points);
    ASSERT_EQ(fields[1].data.size(), times * members * points);
    constexpr double mean[] = {250, 280, 10}, deviation[] = {8, 4, 0.5};
    for (size_t time = 0; time < times; ++time)
      for (size_t m = 0; m < members; ++m)
        for (size_t f = 0; f < 3; ++f)
          for (size_t p = 0; p < points; ++p) {
            const size_t place = time * members + m;
            const float found = f < 2 ? fields[0].data[(place * 2 + f) * points + p]
                                      : fields[1].data[place * points + p];
            const double own = value(m, time, p, f),
                         expected = standardize ? own * deviation[f] + mean[f] : own;
            if (f == 2 && p == 5)
              EXPECT_TRUE(std::isnan(found));
            else
              EXPECT_EQ(found, static_cast<float>(expected)) << time << m << f << p;
          }
  }
}

TEST(ForecastOutput, PlacesAreReadFromText) {
  const std::vector<Place> places = parse_places("48.1,-1.7;52,0");
  ASSERT_EQ(places.size(), 2u);
  EXPECT_EQ(places[0].latitude, 48.1);
  EXPECT_EQ(places[0].longitude, -1.7);
  EXPECT_EQ(places[1].latitude, 52);
  for (const char* wrong : {"", "48", "48,x", "91,0", "48,0 1", "48;0"})
    EXPECT_THROW(parse_places(wrong), Error) << wrong;
}

TEST(ForecastOutput, NearestPointIsThatOfTheSphere) {
  const Grid grid = small_forecast().grid;
  EXPECT_EQ(nearest_point(grid, {50.4, -0.6}), 1);
  EXPECT_EQ(nearest_point(grid, {50.1, 359.4}), 4);  // 0.6 W
  EXPECT_EQ(nearest_point(grid, {49.6, 0.2}), 5);    // beyond the corner, nearer than a neighbour
  EXPECT_THROW(nearest_point(grid, {48, 0}), Error);
}

TEST(ForecastOutput, TableHasAColumnForEachLevelAndMember) {
  // Number of a value: ((time * 2 + member) * 2 + level) * 6 + point.
  EXPECT_EQ(point_table(small_forecast(), {50, -0.5}),
            "50.000 N, 0.500 W: the nearest point is 50.000 N, 0.500 W (row 1, column 1)\n"
            "time                 t_500 #0 [K]  t_850 #0 [K]  t_500 #7 [K]  t_850 #7 [K]\n"
            "1970-01-01T00:00:00             4            10            16            22\n"
            "1970-01-01T01:00:00            28            34            40            46\n");
  ForecastFile broken = small_forecast();
  broken.fields[0].data[4] = -std::numeric_limits<float>::quiet_NaN();
  broken.fields[0].data[10] = std::numeric_limits<float>::infinity();
  EXPECT_NE(
      point_table(broken, {50, -0.5})
          .find("1970-01-01T00:00:00           nan           inf            16            22\n"),
      std::string::npos);
}

}  // namespace
}  // namespace py4cast
