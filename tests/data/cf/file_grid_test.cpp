#include "data/cf/file_grid.h"

#include "tests/data/cf/cf_source_fixture.h"

namespace py4cast {
namespace {

class FileGridTest : public CfSourceTest {};

TEST_F(FileGridTest, TheCoordinatesOnWhichMostFieldsLieAreTheGrid) {
  const auto on_the_grid = [&](TestFile&& file) {
    file.variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
  };
  // Edges that no attribute names; stations; a pair without fields.
  on_the_grid(std::move(TestFile(path("edges.nc"))
                            .grid()
                            .time({0})
                            .dimension("nv", 2)
                            .variable("lat_edges", NC_DOUBLE, {"latitude", "nv"},
                                      {{"units", "degrees_north"}}, count_from(49, 4))
                            .variable("lon_edges", NC_DOUBLE, {"longitude", "nv"},
                                      {{"units", "degrees_east"}}, count_from(1, 6))));
  on_the_grid(std::move(
      TestFile(path("stations.nc"))
          .dimension("station", 4)
          .variable("slat", NC_DOUBLE, {"station"}, {{"units", "degrees_north"}}, count_from(1, 4))
          .variable("slon", NC_DOUBLE, {"station"}, {{"units", "degrees_east"}}, count_from(1, 4))
          .grid()
          .time({0})));
  on_the_grid(std::move(TestFile(path("first.nc"))
                            .axis("slat", {{"units", "degrees_north"}}, count_from(1, 4))
                            .axis("slon", {{"units", "degrees_east"}}, count_from(1, 4))
                            .grid()
                            .time({0})));
  for (const char* name : {"edges.nc", "stations.nc", "first.nc"}) {
    const auto source = open({name});
    EXPECT_EQ(source->grid().latitude, (std::vector<double>{50, 50, 50, 49, 49, 49})) << name;
    EXPECT_EQ(source->variables().size(), 1u) << name;
  }
  // Two grids with a field each: the one with more points.
  TestFile(path("two.nc"))
      .grid()
      .time({0})
      .dimension("yu", 2)
      .dimension("xu", 2)
      .variable("lat_u", NC_DOUBLE, {"yu", "xu"}, {{"units", "degrees_north"}}, count_from(1, 4))
      .variable("lon_u", NC_DOUBLE, {"yu", "xu"}, {{"units", "degrees_east"}}, count_from(1, 4))
      .variable("u", NC_FLOAT, {"time", "yu", "xu"}, {}, count_from(0, 4))
      .variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
  const auto source = open({"two.nc"});
  EXPECT_EQ(field(*source, {"t"})[5], 5);
  expect_contains(source->left_out().at("u"),
                  {"not a field on the grid (latitude, longitude), but time 1 x yu 2 x xu 2"});
}

// To look at all variables for each pair of them would take an hour.
TEST_F(FileGridTest, ThousandsOfCoordinates) {
  const std::vector<std::string> plane = {"latitude", "longitude"};
  for (const bool on_axes : {false, true}) {
    {
      TestFile file(path("a.nc"), 0);
      file.grid().time({0});
      for (const char* towards : {"degrees_north", "degrees_east"})
        for (int i = 0; i < 2000; ++i) {
          const std::string name = towards + std::to_string(i);
          if (on_axes) file.dimension(name, 1);
          file.variable(name, NC_BYTE, on_axes ? std::vector{name} : plane, {{"units", towards}},
                        count_from(0, on_axes ? 1 : 6));
        }
      file.variable("t", NC_FLOAT, {"time", "latitude", "longitude"}, {}, count_from(0, 6));
    }
    EXPECT_EQ(field(*open({"a.nc"}), {"t"})[5], 5);
  }
}

TEST_F(FileGridTest, LongitudesAreContinuous) {
  const auto longitudes = [&](const std::vector<double>& values) {
    TestFile(path("a.nc"))
        .axis("lat", {{"units", "degrees_north"}}, {50})
        .axis("lon", {{"units", "degrees_east"}}, values)
        .time({0})
        .variable("t", NC_FLOAT, {"time", "lat", "lon"}, {}, count_from(0, values.size()));
    const Grid grid = open({"a.nc"})->grid();
    EXPECT_EQ(grid.x, grid.longitude);
    return grid.longitude;
  };
  EXPECT_EQ(longitudes({358, 359, 0, 1}), (std::vector<double>{-2, -1, 0, 1}));
  EXPECT_EQ(longitudes({178, 179, -180, -179}), (std::vector<double>{178, 179, 180, 181}));
  EXPECT_EQ(longitudes({0, 90, 180, 270}), (std::vector<double>{0, 90, 180, 270}));
  EXPECT_EQ(longitudes({180, 270, 0, 90}), (std::vector<double>{-180, -90, 0, 90}));
}

TEST_F(FileGridTest, TheTrueReasonForNoCoordinates) {
  TestFile(path("projection.nc"))
      .axis("y", {{"standard_name", "projection_y_coordinate"}, {"units", "m"}}, {0, 1})
      .axis("x", {{"standard_name", "projection_x_coordinate"}, {"units", "m"}}, {0, 1})
      .variable("t", NC_FLOAT, {"y", "x"}, {}, count_from(0, 4));
  expect_contains(refusal({"projection.nc"}),
                  {"no coordinates of latitude", "'y'", "a projection"});
  {
    TestFile file(path("groups.nc"));
    int group = 0;
    ASSERT_EQ(nc_def_grp(file.id(), "surface", &group), NC_NOERR);
  }
  expect_contains(refusal({"groups.nc"}), {"no coordinates", "the groups 'surface' are not read"});
  {
    TestFile file(path("below.nc"));
    int group = 0;
    file.grid().time({0});
    ASSERT_EQ(nc_def_grp(file.id(), "fields", &group), NC_NOERR);
  }
  expect_contains(refusal({"below.nc"}),
                  {"no variable on a grid", "in the root group; the groups 'fields' are not read"});
}

void write_axes(const std::string& path, const std::vector<double>& latitudes,
                const std::vector<double>& longitudes) {
  TestFile(path)
      .axis("lat", {{"units", "degrees_north"}}, latitudes)
      .axis("lon", {{"units", "degrees_east"}}, longitudes)
      .time({0})
      .variable("t", NC_FLOAT, {"time", "lat", "lon"}, {},
                count_from(0, latitudes.size() * longitudes.size()));
}

TEST_F(FileGridTest, RowsAndColumnsDiffer) {
  for (const auto& [latitudes, longitudes, words] :
       {std::tuple(std::vector<double>{50, 49, 50}, std::vector<double>{1, 2},
                   "'lat' has the value 50 twice, at 0 and 2"),
        std::tuple(std::vector<double>{50, 49}, std::vector<double>{1, 2, 2.5, 2},
                   "'lon' has the value 2 twice, at 1 and 3")}) {
    write_axes(path("a.nc"), latitudes, longitudes);
    expect_contains(refusal({"a.nc"}), {"a.nc: ", words});
  }
}

// Else neighbours in the file would be taken for neighbours on the Earth.
TEST_F(FileGridTest, RowsAndColumnsAreInOrder) {
  const auto refused = [&](const std::vector<double>& latitudes,
                           const std::vector<double>& longitudes) {
    write_axes(path("a.nc"), latitudes, longitudes);
    return refusal({"a.nc"});
  };
  EXPECT_EQ(refused({50, 49, 48}, {358, 359, 0, 1}), "");
  EXPECT_EQ(refused({48, 49, 50}, {-10, -20, -30}), "");
  expect_contains(
      refused({50, 48, 49, 47}, {1, 2}),
      {"a.nc: the values of 'lat' neither rise nor fall all along: 50, 48, 49 at 0 to 2"});
  expect_contains(refused({50, 49}, {1, 2, 4, 3}),
                  {"the values of 'lon' neither rise nor fall all along: 2, 4, 3 at 1 to 3"});
}

// NEMO without the processors that have land alone.
TEST_F(FileGridTest, PointsWithoutCoordinatesAreRefused) {
  for (const bool land : {false, true}) {
    std::vector<double> latitude(12), longitude(12);
    for (size_t i = land ? 5 : 0; i < 12; ++i) {
      const size_t row = i / 4, column = i % 4;
      latitude[i] = 50 + static_cast<double>(row);
      longitude[i] = static_cast<double>(column);
    }
    TestFile(path("a.nc"))
        .dimension("y", 3)
        .dimension("x", 4)
        .time({0})
        .variable("nav_lat", NC_FLOAT, {"y", "x"}, {{"units", "degrees_north"}}, latitude)
        .variable("nav_lon", NC_FLOAT, {"y", "x"}, {{"units", "degrees_east"}}, longitude)
        .variable("sst", NC_FLOAT, {"time", "y", "x"}, {}, count_from(0, 12));
    if (land)
      expect_contains(refusal({"a.nc"}), {"a.nc: 'nav_lat' and 'nav_lon' are both 0 at 5 points"});
    else
      EXPECT_EQ(refusal({"a.nc"}), "");
  }
}

}  // namespace
}  // namespace py4cast
