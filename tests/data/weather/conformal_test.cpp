// Values of PROJ 9 (pyproj): +proj=lcc +lat_1 +lat_2 +lat_0 +lon_0, +proj=stere +lat_0=90 +lat_ts,
// +proj=merc +lat_ts, with +R or +a +b.
#include "data/weather/conformal.h"

#include <gtest/gtest.h>

#include <vector>

namespace py4cast {
namespace {

constexpr Ellipsoid sphere = {6371229, 6371229}, wgs84 = {6378137, 6356752.314};

struct KnownPoint {
  double longitude, latitude, x, y;
};

void expect_points(const ConformalMap& map, const std::vector<KnownPoint>& points) {
  for (const KnownPoint& known : points) {
    const MapPoint mapped = map.map({known.latitude, known.longitude});
    EXPECT_NEAR(mapped.x, known.x, 1e-3);
    EXPECT_NEAR(mapped.y, known.y, 1e-3);
    const EarthPoint back = map.earth(mapped);
    EXPECT_NEAR(back.latitude, known.latitude, 1e-9);
    EXPECT_NEAR(back.longitude, known.longitude, 1e-9);
  }
}

TEST(ConformalMap, LambertOnOneParallel) {
  expect_points(ConformalMap::lambert(sphere, 38.5, 38.5, 38.5, -97.5),
                {{-122.719528, 21.138123, -2697520.1425, -1587306.1526},
                 {-60.5, 47.25, 2751671.2829, 1537581.1028}});
}

TEST(ConformalMap, LambertOnTwoParallels) {
  expect_points(ConformalMap::lambert(sphere, 30, 60, 46.7, 2),
                {{-5, 41, -568410.2749, -587756.0066}, {9.5, 51.25, 505811.3550, 513239.5261}});
  expect_points(ConformalMap::lambert(wgs84, 44, 49, 46.5, 3),
                {{-5, 41, -674309.8851, -577246.5594}, {9.5, 51.25, 454477.7595, 547059.6872}});
  expect_points(
      ConformalMap::lambert(sphere, -25, -40, -30, 134),
      {{115, -33, -1747462.8259, -487381.6944}, {150, -12.5, 1819300.4610, 1836575.2225}});
}

TEST(ConformalMap, PolarStereographic) {
  expect_points(ConformalMap::polar_stereographic(sphere, false, 60, -45),
                {{-100, 50, -3544632.0063, -2481978.0510}, {30, 70, 2024898.7680, -542569.9896}});
  expect_points(ConformalMap::polar_stereographic(wgs84, true, -71, 0),
                {{-100, -50, -4455799.8123, -785677.7275}, {30, -70, 1097247.1238, 1900487.7670}});
}

TEST(ConformalMap, Mercator) {
  const Ellipsoid other = {6371200, 6371200};
  expect_points(ConformalMap::mercator(other, 20, -60),
                {{-50, -10, 1044923.3218, -1050269.1137}, {-30, 33.5, 3134769.9655, 3718881.6707}});
  expect_points(ConformalMap::mercator(wgs84, 20, -60),
                {{-50, -10, 1046470.8631, -1044854.1417}, {-30, 33.5, 3139412.5893, 3702220.4196}});
}

}  // namespace
}  // namespace py4cast
