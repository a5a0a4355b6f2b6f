#include "data/weather/bilinear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "data/weather/conformal.h"
#include "engine/error.h"

namespace py4cast {
namespace {

Grid degrees(const std::vector<double>& latitudes, const std::vector<double>& longitudes) {
  Grid grid;
  grid.rows = std::ssize(latitudes);
  grid.columns = std::ssize(longitudes);
  for (const double latitude : latitudes)
    for (const double longitude : longitudes) {
      grid.latitude.push_back(latitude);
      grid.longitude.push_back(longitude);
    }
  return grid;
}

// Of a field on the whole of `from`.
std::vector<float> at_points(const Grid& from, const Grid& to, const std::vector<float>& field,
                             const std::vector<bool>& wanted = {}) {
  const Bilinear bilinear(from, to, wanted, "boundary.nc");
  const Region& region = bilinear.region();
  std::vector<float> part, out(static_cast<size_t>(to.rows * to.columns));
  for (int64_t row = region.row_begin; row < region.row_end; ++row)
    for (int64_t column = region.column_begin; column < region.column_end; ++column)
      part.push_back(field[static_cast<size_t>(row * from.columns + column)]);
  bilinear(part.data(), out.data(), std::numeric_limits<float>::quiet_NaN());
  return out;
}

// 0.75 * 0.5 * 1 + 0.75 * 0.5 * 2 + 0.25 * 0.5 * 3 + 0.25 * 0.5 * 5
TEST(Bilinear, IsTheFormulaByHand) {
  EXPECT_EQ(at_points(degrees({50, 48}, {1, 2}), degrees({49.5}, {1.5}), {1, 2, 3, 5}),
            std::vector<float>{2.125f});
  EXPECT_EQ(at_points(degrees({48, 50}, {1, 2}), degrees({48.5}, {1.5}), {1, 2, 3, 5}),
            std::vector<float>{2.125f});
}

TEST(Bilinear, KeepsAFieldThatIsLinear) {
  const Grid from = degrees({52, 51, 50, 49}, {-3, -1, 1, 3, 5}),
             to = degrees({51.3, 50, 49}, {-3, 0.25, 4.875});
  std::vector<float> field;
  for (size_t i = 0; i < from.latitude.size(); ++i)
    field.push_back(static_cast<float>(2 * from.latitude[i] - 3 * from.longitude[i]));
  const std::vector<float> found = at_points(from, to, field);
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], 2 * to.latitude[i] - 3 * to.longitude[i], 1e-4) << i;
}

TEST(Bilinear, GoesRoundTheGlobe) {
  const Grid from = degrees({10, -10}, {0, 90, 180, 270});
  const std::vector<float> field = {0, 1, 2, 3, 0, 1, 2, 3};
  EXPECT_EQ(at_points(from, degrees({0}, {-45, 0, 45, 359, 405}), field),
            (std::vector<float>{1.5f, 0, 0.5f, 3.f / 90, 0.5f}));
}

TEST(Bilinear, LeavesOutNeighboursWithoutAShare) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Grid from = degrees({50, 49}, {1, 2});
  const std::vector<float> found =
      at_points(from, degrees({50, 49.5}, {1, 1.5}), {1, 2, nan, 4}, {true, true, true, false});
  EXPECT_EQ(found[0], 1);
  EXPECT_EQ(found[1], 1.5f);
  EXPECT_TRUE(std::isnan(found[2]));
  EXPECT_TRUE(std::isnan(found[3]));
}

TEST(Bilinear, FindsPlacesOnAProjectedGrid) {
  const ConformalMap map = ConformalMap::lambert({}, 46.5, 46.5, 46.5, 2);
  Grid from;
  from.rows = 40;
  from.columns = 50;
  from.separable = false;
  std::vector<float> field;
  for (int64_t row = 0; row < from.rows; ++row)
    for (int64_t column = 0; column < from.columns; ++column) {
      const EarthPoint point = map.earth(
          {-250e3 + 10e3 * static_cast<double>(column), 200e3 - 10e3 * static_cast<double>(row)});
      from.latitude.push_back(point.latitude);
      from.longitude.push_back(point.longitude);
      field.push_back(static_cast<float>(100 * row + column));
    }
  Grid to;
  to.rows = 1;
  std::vector<float> expected;
  for (const auto& [row, column] :
       {std::pair(0.0, 0.0), {39.0, 49.0}, {12.25, 3.5}, {38.75, 0.125}, {1.5, 48.75}}) {
    const EarthPoint point = map.earth({-250e3 + 10e3 * column, 200e3 - 10e3 * row});
    to.latitude.push_back(point.latitude);
    to.longitude.push_back(point.longitude);
    expected.push_back(static_cast<float>(100 * row + column));
    ++to.columns;
  }
  const std::vector<float> found = at_points(from, to, field);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 0.01) << i;
  to.latitude[3] += 0.2;
  to.longitude[3] -= 1;
  EXPECT_THROW(at_points(from, to, field), Error);
}

TEST(Bilinear, RefusesPointsOutside) {
  const Grid from = degrees({50, 48}, {1, 2}), to = degrees({49, 48}, {1.5, 2.25});
  try {
    at_points(from, to, {1, 2, 3, 4});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "boundary.nc: the point at latitude 49, longitude 2.25 of the data set (latitudes "
                 "48 to 49, longitudes 1.5 to 2.25) lies outside of their grid (latitudes 48 to "
                 "50, longitudes 1 to 2)");
  }
  EXPECT_EQ(at_points(from, to, {1, 2, 3, 4}, {true, false, true, false})[0], 2.5f);
}

}  // namespace
}  // namespace py4cast
