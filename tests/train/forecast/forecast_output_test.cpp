#include "train/forecast/forecast_output.h"

#include <gtest/gtest.h>

#include "engine/error.h"

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
  file.members = 2;
  ForecastField field;
  field.info = {.name = "t", .units = "K", .levels = {500, 850}};
  for (int i = 0; i < 2 * 2 * 2 * 6; ++i) field.data.push_back(static_cast<float>(i));
  file.fields.push_back(field);
  return file;
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
            "time                 t_500 #0 [K]  t_850 #0 [K]  t_500 #1 [K]  t_850 #1 [K]\n"
            "1970-01-01T00:00:00             4            10            16            22\n"
            "1970-01-01T01:00:00            28            34            40            46\n");
}

}  // namespace
}  // namespace py4cast
