// Grids, and the order of the numbers. Coordinates are compared with those of ecCodes' own iterators,
// which know nothing of rows and columns.
#include "data/grib/grib_grid.h"

#include <algorithm>
#include <cmath>

#include "data/grib/grib_handle.h"
#include "tests/data/grib/grib_test_files.h"

namespace py4cast {
namespace {

using GribGridTest = GribFolder;

GribGrid grid_of(const std::string& message) {
  return read_grib_grid(GribHandle(message));
}

std::string why_refused(const std::string& message) {
  return sentence_of([&] { grid_of(message); });
}

void expect_coordinates_of_eccodes(const std::string& message, double tolerance = 1e-6) {
  const GribGrid read = grid_of(message);
  const Grid& grid = read.grid;
  const GribHandle handle(message);
  const std::vector<double> latitude = handle.numbers("latitudes"),
                            longitude = handle.numbers("longitudes");
  ASSERT_EQ(latitude.size(), static_cast<size_t>(grid.rows * grid.columns));
  for (int64_t row = 0; row < grid.rows; ++row)
    for (int64_t column = 0; column < grid.columns; ++column) {
      const auto here = static_cast<size_t>(row * grid.columns + column),
                 there = static_cast<size_t>(read.order.place(row, column));
      EXPECT_NEAR(grid.latitude[here], latitude[there], tolerance) << row << ", " << column;
      EXPECT_NEAR(std::remainder(grid.longitude[here] - longitude[there], 360), 0, tolerance)
          << row << ", " << column;
    }
}

GribTestMessage& projected(GribTestMessage& message, int64_t grid_template) {
  message.set("shapeOfTheEarth", 6).set("gridDefinitionTemplateNumber", grid_template);
  return message.set("Nx", 4).set("Ny", 3);
}

std::string lambert(int64_t shape_of_the_earth = 6) {
  GribTestMessage message;
  projected(message, 30).set("shapeOfTheEarth", shape_of_the_earth);
  message.set("latitudeOfFirstGridPointInDegrees", 41.0)
      .set("longitudeOfFirstGridPointInDegrees", 355.0)
      .set("LaDInDegrees", 46.7)
      .set("LoVInDegrees", 2.0)
      .set("Latin1InDegrees", 30.0)
      .set("Latin2InDegrees", 60.0)
      .set("DxInMetres", 300000.0)
      .set("DyInMetres", 200000.0)
      .set("jScansPositively", 1);
  return message.counting(12).bytes();
}

TEST_F(GribGridTest, LatitudesAndLongitudes) {
  const Grid grid = grid_of(GribTestMessage().counting(12).bytes()).grid;
  EXPECT_TRUE(grid.separable);
  EXPECT_EQ(grid.x_name, "longitude");
  EXPECT_EQ(grid.axis_units, "degrees");
  expect_list(grid.latitude, {50, 50, 50, 50, 49, 49, 49, 49, 48, 48, 48, 48});
  expect_list(grid.longitude, {-1, 0, 1, 2, -1, 0, 1, 2, -1, 0, 1, 2});
  for (const char* sample : {"regular_ll_sfc_grib1", "regular_ll_sfc_grib2"}) {
    GribTestMessage message(sample);
    expect_coordinates_of_eccodes(message.counting(12).bytes());
    message.region(3, 8, 10, 170, -10, 205);  // over 180
    expect_coordinates_of_eccodes(message.counting(24).bytes());
    message.region(5, 8, 90, 0, -90, 315);  // around the Earth
    expect_coordinates_of_eccodes(message.counting(40).bytes());
  }
}

// The same field, however it is scanned.
TEST_F(GribGridTest, AllScanningModes) {
  const std::vector<float> expected = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  for (const char* sample : {"regular_ll_sfc_grib1", "regular_ll_sfc_grib2"})
    for (int mode = 0; mode < 16; ++mode) {
      const bool old = std::string(sample).ends_with("1");
      const bool west = mode & 1, north = mode & 2, by_columns = mode & 4, alternating = mode & 8;
      if (old && alternating) continue;  // edition 1 cannot say so
      std::vector<double> values;
      const int lines = by_columns ? 4 : 3, length = by_columns ? 3 : 4;
      for (int line = 0; line < lines; ++line)
        for (int point = 0; point < length; ++point) {
          const int along = alternating && line % 2 ? length - 1 - point : point;
          const int i = by_columns ? line : along, j = by_columns ? along : line;
          values.push_back((north ? 2 - j : j) * 4 + (west ? 3 - i : i));
        }
      GribTestMessage message(sample);
      message.region(3, 4, north ? 48 : 50, west ? 2 : -1, north ? 50 : 48, west ? -1 : 2);
      message.set("iScansNegatively", west).set("jScansPositively", north);
      message.set("jPointsAreConsecutive", by_columns);
      if (!old) message.set("alternativeRowScanning", alternating);
      GribSource source({write("a.grib", message.values(values).bytes())});
      EXPECT_EQ(source.grid().latitude.front(), 50);
      EXPECT_EQ(source.grid().longitude.front(), -1);
      EXPECT_EQ(field(source, {"t2m"}), expected) << sample << " " << mode;
    }
}

// The point (phi, lambda) = (0, 0) of the rotated sphere lies at 90 degrees from its south pole, which is
// at 40 S, 10 E: at 50 N, 10 E.
TEST_F(GribGridTest, RotatedLatitudesAndLongitudes) {
  for (const char* sample : {"rotated_ll_sfc_grib1", "rotated_ll_sfc_grib2"}) {
    GribTestMessage message(sample);
    message.region(3, 4, 2, -2, -2, 1);
    message.set("latitudeOfSouthernPoleInDegrees", -40.0);
    message.set("longitudeOfSouthernPoleInDegrees", 10.0);
    const Grid grid = grid_of(message.counting(12).bytes()).grid;
    EXPECT_NEAR(grid.latitude[6], 50, 1e-9);
    EXPECT_NEAR(grid.longitude[6], 10, 1e-9);
    EXPECT_FALSE(grid.separable);
    EXPECT_EQ(grid.x[4], -2);
    EXPECT_EQ(grid.mapping.texts.at("grid_mapping_name"), "rotated_latitude_longitude");
    EXPECT_EQ(grid.mapping.numbers.at("grid_north_pole_latitude"), std::vector{40.0});
    EXPECT_EQ(grid.mapping.numbers.at("grid_north_pole_longitude"), std::vector{-170.0});
    expect_coordinates_of_eccodes(message.bytes(), 5e-6);
  }
}

TEST_F(GribGridTest, Lambert) {
  for (const int64_t shape_of_the_earth : {0, 2, 5, 6})
    expect_coordinates_of_eccodes(lambert(shape_of_the_earth), 2e-6);
  const Grid grid = grid_of(lambert()).grid;
  EXPECT_EQ(grid.axis_units, "m");
  // PROJ: the south-western corner.
  EXPECT_NEAR(grid.x[8], -568410.2749, 1e-3);
  EXPECT_NEAR(grid.y[8], -587756.0066, 1e-3);
  EXPECT_NEAR(grid.x[9] - grid.x[8], 300000, 1e-6);
  EXPECT_NEAR(grid.y[4] - grid.y[8], 200000, 1e-6);
  EXPECT_NEAR(grid.latitude[8], 41, 1e-9);
  EXPECT_NEAR(grid.longitude[8], -5, 1e-9);
  EXPECT_EQ(grid.mapping.texts.at("grid_mapping_name"), "lambert_conformal_conic");
  expect_list(grid.mapping.numbers.at("standard_parallel"), {30, 60});
  expect_list(grid.mapping.numbers.at("latitude_of_projection_origin"), {46.7});
  expect_list(grid.mapping.numbers.at("longitude_of_central_meridian"), {2});
  expect_list(grid.mapping.numbers.at("earth_radius"), {6371229});
  EXPECT_EQ(grid_of(lambert(5)).grid.mapping.numbers.at("semi_major_axis"), std::vector{6378137.0});
}

TEST_F(GribGridTest, PolarStereographicAndMercator) {
  GribTestMessage polar;
  projected(polar, 20)
      .set("latitudeOfFirstGridPointInDegrees", 50.0)
      .set("longitudeOfFirstGridPointInDegrees", 260.0)
      .set("LaDInDegrees", 60.0)
      .set("orientationOfTheGridInDegrees", 315.0)
      .set("DxInMetres", 500000.0)
      .set("DyInMetres", 400000.0)
      .set("jScansPositively", 1);
  expect_coordinates_of_eccodes(polar.counting(12).bytes(), 2e-6);
  const Grid grid = grid_of(polar.bytes()).grid;
  EXPECT_NEAR(grid.x[8], -3544632.0063, 1e-3);  // PROJ
  EXPECT_NEAR(grid.y[8], -2481978.0510, 1e-3);
  EXPECT_EQ(grid.mapping.numbers.at("straight_vertical_longitude_from_pole"), std::vector{-45.0});
  GribTestMessage mercator;
  projected(mercator, 10)
      .set("latitudeOfFirstGridPointInDegrees", -10.0)
      .set("longitudeOfFirstGridPointInDegrees", 310.0)
      .set("LaDInDegrees", 20.0)
      .set("DiInMetres", 300000.0)
      .set("DjInMetres", 300000.0)
      .set("jScansPositively", 1);
  // ecCodes wants the last point, too: 300 km twice northwards, three times eastwards.
  mercator.set("latitudeOfLastGridPointInDegrees", -4.3)
      .set("longitudeOfLastGridPointInDegrees", 318.6);
  expect_coordinates_of_eccodes(mercator.counting(12).bytes(), 2e-6);
}

// The latitudes of the Gaussian grid N = 2 are those of the roots of the Legendre polynomial of degree 4:
// sin = 0.861136, 0.339981.
TEST_F(GribGridTest, Gaussian) {
  GribTestMessage message("regular_gg_sfc_grib2");
  message.set("N", 2).set("Ni", 8).set("Nj", 4);
  message.set("latitudeOfFirstGridPointInDegrees", 59.444)
      .set("latitudeOfLastGridPointInDegrees", -59.444)
      .set("longitudeOfFirstGridPointInDegrees", 0.0)
      .set("longitudeOfLastGridPointInDegrees", 315.0);
  const Grid grid = grid_of(message.counting(32).bytes()).grid;
  const double expected[] = {59.444, 19.876, -19.876, -59.444};
  for (size_t row = 0; row < 4; ++row) EXPECT_NEAR(grid.latitude[8 * row], expected[row], 1e-3);
  EXPECT_EQ(grid.longitude[7], 315);
}

TEST_F(GribGridTest, WhatIsNotReadIsRefusedWithAdvice) {
  expect_says(why_refused(GribTestMessage("reduced_gg_sfc_grib2").bytes()),
              "'reduced_gg', which is not read: `cdo setgridtype,regular");
  expect_says(why_refused(GribTestMessage("sh_sfc_grib1").bytes()), "`cdo sp2gpl IN OUT`");
  expect_says(why_refused(GribTestMessage("reduced_ll_sfc_grib1").bytes()),
              "`cdo remapbil,GRID IN OUT`");
  GribTestMessage equal_area;  // has rows and columns
  projected(equal_area, 140);
  expect_says(why_refused(equal_area.counting(12).bytes()),
              "the grid is of type 'lambert_azimuthal_equal_area', which is not read: `cdo ");
  GribTestMessage message;
  message.counting(12).set("Ni", 1'000'000).set("Nj", 1'000'000);
  expect_says(why_refused(message.bytes()), "a grid of 1000000 x 1000000 points cannot be read");
  message.set("Ni", 4).set("Nj", 3).set("jScansPositively", 1);
  expect_says(why_refused(message.bytes()), "contradict the scanning mode");
  expect_says(refusal(GribTestMessage("reduced_gg_sfc_grib2").bytes()),
              "refused.grib: the message at byte 0: the grid is of type 'reduced_gg'");
}

void turn_over(std::vector<double>& rows, int64_t columns) {
  std::ranges::reverse(rows);
  for (auto row = rows.begin(); row != rows.end(); row += columns) std::reverse(row, row + columns);
}

// What is written is the grid that was read: as it is, turned over, and a part of it.
TEST_F(GribGridTest, AreWrittenAsTheyAreRead) {
  GribTestMessage rotated("rotated_ll_sfc_grib2"), polar;
  rotated.region(3, 4, 2, -2, -2, 1);
  rotated.set("latitudeOfSouthernPoleInDegrees", -40.0)
      .set("longitudeOfSouthernPoleInDegrees", 10.0);
  projected(polar, 20)
      .set("latitudeOfFirstGridPointInDegrees", 60.0)
      .set("longitudeOfFirstGridPointInDegrees", 10.0)
      .set("LaDInDegrees", 60.0)
      .set("orientationOfTheGridInDegrees", 20.0)
      .set("DxInMetres", 250000.0)
      .set("DyInMetres", 200000.0);
  const std::string messages[] = {GribTestMessage().counting(12).bytes(),
                                  rotated.counting(12).bytes(), lambert(6), lambert(5),
                                  polar.counting(12).bytes()};
  for (const std::string& message : messages) {
    const Grid whole = grid_of(message).grid;
    for (const Region& region : {Region{0, 3, 0, 4}, Region{1, 3, 1, 4}})
      for (const bool keep : {true, false}) {
        Grid grid = grid_part(whole, region);
        if (grid.axis_units ==
            "m")  // ecCodes' iterator of polar stereographic grids knows no others
          for (auto* values : {&grid.latitude, &grid.longitude, &grid.x, &grid.y})
            turn_over(*values, grid.columns);
        const std::string model = keep ? message : GribTestMessage().bytes();
        GribHandle handle(model);
        set_grib_grid(handle, grid, keep);
        handle.set_numbers("values", std::vector<double>(grid.latitude.size(), 1));
        const std::string written = handle.message();
        const Grid again = grid_of(written).grid;
        const Grid part = grid_part(whole, region);
        ASSERT_EQ(again.rows, part.rows);
        EXPECT_EQ(again.mapping.texts, part.mapping.texts);
        for (size_t i = 0; i < part.latitude.size(); ++i) {
          EXPECT_NEAR(again.latitude[i], part.latitude[i], 1e-5) << keep;
          EXPECT_NEAR(std::remainder(again.longitude[i] - part.longitude[i], 360), 0, 1e-5) << keep;
        }
        expect_coordinates_of_eccodes(written, 1e-5);
      }
  }
  // Where the northern pole has another rotated longitude than 0, all have.
  Grid shifted = grid_of(messages[1]).grid;
  shifted.mapping.numbers["north_pole_grid_longitude"] = {180};
  for (double& x : shifted.x) x += 180;
  const std::string model = GribTestMessage().bytes();
  GribHandle rotated_handle(model);
  set_grib_grid(rotated_handle, shifted);
  EXPECT_EQ(std::remainder(rotated_handle.number("longitudeOfFirstGridPointInDegrees"), 360), -2);
  EXPECT_EQ(rotated_handle.number("longitudeOfLastGridPointInDegrees"), 1);
  // Rows from the south, as netCDF files have them.
  Grid turned = grid_of(messages[0]).grid;
  std::ranges::reverse(turned.latitude);
  GribHandle handle(messages[0]);
  set_grib_grid(handle, turned);
  EXPECT_EQ(handle.number("latitudeOfFirstGridPointInDegrees"), 48);
  EXPECT_EQ(handle.integer("jScansPositively"), 1);
  turned.latitude[4] = turned.latitude[5] = turned.latitude[6] = turned.latitude[7] = 49.3;
  EXPECT_NE(sentence_of([&] { set_grib_grid(handle, turned); }).find("are not even"),
            std::string::npos);
  turned.separable = false;
  EXPECT_NE(sentence_of([&] { set_grib_grid(handle, turned); }).find("neither one of latitudes"),
            std::string::npos);
}

}  // namespace
}  // namespace py4cast
