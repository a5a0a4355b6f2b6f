// Stores of other projects' layouts, seen as variables on a grid.
#include <cmath>

#include "data/weather/calendar.h"
#include "data/zarr/zarr_dataset.h"
#include "tests/data/zarr/zarr_folder.h"

namespace py4cast {
namespace {

class ZarrLayouts : public ZarrFolder {
 protected:
  static std::vector<float> field(FieldSource& source, const FieldRequest& request) {
    std::vector<float> values(static_cast<size_t>(source.grid().rows * source.grid().columns));
    source.read(request, {0, source.grid().rows, 0, source.grid().columns}, values.data());
    return values;
  }
  // first + 10 * row + column on 3 x 5 points.
  static std::vector<float> of_mllam(float first, float factor = 1) {
    std::vector<float> values;
    for (int row = 0; row < 3; ++row)
      for (int column = 0; column < 5; ++column)
        values.push_back(factor * (first + static_cast<float>(10 * row + column)));
    return values;
  }
};

TEST_F(ZarrLayouts, FeaturesOfMllamDataPrepAreVariablesOnARectangle) {
  const auto source = open_zarr({stored("mllam_3.zarr")});
  const Grid& grid = source->grid();
  ASSERT_EQ(std::pair(grid.rows, grid.columns), std::pair(int64_t{3}, int64_t{5}));
  EXPECT_EQ(grid.y[5], 2500);
  EXPECT_EQ(grid.x[6], 2500);
  EXPECT_EQ(grid.axis_units, "m");
  EXPECT_NEAR(grid.latitude[14], 52.4, 1e-12);
  EXPECT_NEAR(grid.longitude[5], 1.1, 1e-12);
  std::vector<std::string> names;
  for (const VariableInfo& info : source->variables()) names.push_back(info.name);
  EXPECT_EQ(names, (std::vector<std::string>{"swavr0m", "t50m", "t100m", "lsm"}));
  EXPECT_EQ(source->times().runs.size(), 40u);
  for (int64_t time = 0; time < 40; ++time) {
    const auto first = static_cast<float>(100 * (7 * time % 40));
    EXPECT_EQ(field(*source, {"t50m", 0, time}), of_mllam(first));
    EXPECT_EQ(field(*source, {"t100m", 0, time}), of_mllam(first + 5000));
    EXPECT_EQ(field(*source, {"swavr0m", 0, time}), of_mllam(first, -1));
  }
  std::vector<float> part(2);
  source->read({"t100m", 0, 3}, {1, 3, 4, 5}, part.data());
  EXPECT_EQ(part, (std::vector<float>{7114, 7124}));
  EXPECT_FALSE(source->variable("lsm").has_time);
  EXPECT_EQ(field(*source, {"lsm"})[14], 2);
  EXPECT_EQ(source->variable("swavr0m").units, "W m**-2");
  EXPECT_EQ(source->variable("t50m").long_name, "temperature");
  EXPECT_EQ(source->variable("t50m").role, "state");
  EXPECT_EQ(source->variable("swavr0m").role, "forcing");
}

TEST_F(ZarrLayouts, EveryFeatureOfMllamDataPrepHasItsUnit) {
  const std::string store = copy_of("mllam_3.zarr"), chunk = store + "/state_feature_units/c/0";
  std::string units = text_of(chunk);  // "K", "K" in UTF-32, not compressed
  units.at(units.size() - 4) = 'C';
  write(chunk, units);
  const auto source = open_zarr({store});
  EXPECT_EQ(source->variable("t50m").units, "K");
  EXPECT_EQ(source->variable("t100m").units, "C");
}

TEST_F(ZarrLayouts, PointsThatFormNoRectangleAreRefused) {
  const std::string store = copy_of("mllam_3.zarr");
  std::filesystem::remove(store + "/x/c/0");
  expect_contains(error_of([&] { open_zarr({store}); }),
                  {"mllam_3.zarr", "'grid_index' form no rectangle", "'y' and 'x'"});
  const std::string reduced = copy_of("anemoi_3.zarr");
  std::string json = text_of(reduced + "/zarr.json");
  const size_t at = json.find("\"field_shape\"");
  ASSERT_NE(at, std::string::npos);
  json.replace(json.find('[', at), json.find(']', at) + 1 - json.find('[', at), "[12]");
  write(reduced + "/zarr.json", json);
  expect_contains(error_of([&] { open_zarr({reduced}); }),
                  {"the 12 cells form no rectangle (field_shape is [12])"});
}

TEST_F(ZarrLayouts, VariablesOfAnemoiDatasetsWithGapsAndConstants) {
  for (const char* name : {"anemoi_2.zarr", "anemoi_3.zarr"}) {
    const auto source = open_zarr({stored(name)});
    const bool lambert = std::string(name) == "anemoi_3.zarr";
    const Grid& grid = source->grid();
    ASSERT_EQ(std::pair(grid.rows, grid.columns), std::pair(int64_t{3}, int64_t{4})) << name;
    EXPECT_EQ(grid.separable, !lambert);
    EXPECT_NEAR(grid.latitude[7], lambert ? 49.3 : 49, 1e-12);
    EXPECT_NEAR(grid.longitude[7], lambert ? 4.1 : 4, 1e-12);
    const TimeAxis& times = source->times();
    ASSERT_EQ(times.runs.size(), 3u);  // the second of four is missing
    EXPECT_EQ(format_time(times.calendar, times.runs[1]), "2000-01-01T12:00:00");
    for (const auto& [run, date] : {std::pair(0, 0), std::pair(1, 2), std::pair(2, 3)})
      for (const auto& [variable, number] : {std::pair("2t", 0), std::pair("tp", 1)})
        for (int cell = 0; cell < 12; ++cell)
          EXPECT_EQ(field(*source, {variable, 0, run})[static_cast<size_t>(cell)],
                    1000 * number + 100 * date + cell)
              << name;
    EXPECT_FALSE(source->variable("lsm").has_time);
    EXPECT_EQ(field(*source, {"lsm"})[0], 0);  // not missing, though the fill value is 0
    EXPECT_EQ(field(*source, {"lsm"})[11], 11);
    EXPECT_EQ(source->variable("2t").units, "K");
  }
}

}  // namespace
}  // namespace py4cast
