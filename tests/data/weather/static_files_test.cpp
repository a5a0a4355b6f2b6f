// Constant fields from other files than the data.
#include <gtest/gtest.h>

#include <algorithm>

#include "data/weather/field_store.h"
#include "engine/error.h"
#include "tests/data/weather/fake_source.h"

namespace py4cast {
namespace {

// On 4 x 4 points, 52 to 46 N and 9 to 15 E: relief = 100 latitude, land = (longitude - 9) / 6, soil = 7 - row.
std::unique_ptr<FakeSource> invariant_fields() {
  auto source = std::make_unique<FakeSource>(4, 4, 1);
  for (size_t i = 0; i < 16; ++i) {
    const size_t row = i / 4, column = i % 4;
    source->grid_.latitude[i] = 52 - 2 * static_cast<double>(row);
    source->grid_.longitude[i] = 9 + 2 * static_cast<double>(column);
  }
  source->add("orog");
  source->add("lsm", {}, false);
  source->add("soil", {}, false);
  source->value_ = [](const FieldRequest& request, int64_t row, int64_t column) {
    if (request.variable == "orog") return static_cast<float>(5200 - 200 * row);
    if (request.variable == "lsm") return static_cast<float>(column) / 3;
    return static_cast<float>(7 - row);
  };
  return source;
}

TEST(StaticFields, LandMayBeZerosWhereTheDataHaveNone) {
  DatasetSettings settings = fake_settings();
  settings.land_sea_mask_of_zeros = true;
  const FieldStore store(settings, three_days());
  EXPECT_EQ(store.statics().feature_range("land_sea_mask"), (std::pair{0.0, 0.0}));
  auto with_land = three_days();
  with_land->add("lsm", {}, false);
  const FieldStore other(settings, std::move(with_land));
  EXPECT_GT(other.statics().feature_range("land_sea_mask").second, 0);
}

TEST(StaticFields, ThatChangeAreThoseOfTheFirstTimeAndSaid) {
  const auto notes_of = [](bool ice_changes) {
    auto source = three_days();
    source->add("ice");
    source->gaps_ = {{0, 0, 0}};
    source->value_ = [ice_changes, other = source->value_](const FieldRequest& request, int64_t row,
                                                           int64_t column) {
      if (request.variable != "ice") return other(request, row, column);
      return static_cast<float>(row + (ice_changes && request.run == 71 && column == 0 ? 1 : 0));
    };
    DatasetSettings settings = fake_settings();
    settings.variables.push_back({.name = "ice", .role = Role::constant, .levels = {}});
    const FieldStore store(settings, std::move(source));
    std::string text;
    for (const std::string& note : store.notes()) text += note;
    return text;
  };
  EXPECT_NE(notes_of(true).find("the constant field is not constant in time; the network is given "
                                "variable 'ice' of 2020-02-28T01:00:00"),
            std::string::npos)
      << notes_of(true);
  EXPECT_EQ(notes_of(false).find("not constant in time"), std::string::npos);
}

TEST(StaticFields, LevelsAreThoseOfTheFileUpToRounding) {
  const auto names_with = [](std::vector<double> levels) {
    auto source = three_days();
    source->add("soil", {double{0.07F}, double{0.28F}}, false);
    DatasetSettings settings = fake_settings();
    settings.statics = {};
    settings.variables.push_back(
        {.name = "soil", .role = Role::constant, .levels = std::move(levels)});
    return FieldStore(settings, std::move(source)).statics().feature_names();
  };
  EXPECT_EQ(names_with({0.28}), Texts{"soil_0.28"});
  EXPECT_EQ(names_with({}), (Texts{"soil_0.07", "soil_0.28"}));
  EXPECT_THROW(names_with({0.3}), Error);
}

// "z" may be many things.
TEST(StaticFields, StandardNamesTellTheReliefBetterThanNames) {
  auto source = three_days();
  source->add("z", {}, false);
  source->add("ground", {}, false);
  source->variables_.back().standard_name = "surface_altitude";
  DatasetSettings settings = fake_settings();
  settings.variables.push_back({.name = "z", .role = Role::constant, .levels = {}});
  EXPECT_EQ(FieldStore(settings, std::move(source)).statics().feature_names(),
            (Texts{"x", "y", "geopotential", "border_mask", "z"}));
}

// The data: 5 x 7 points, 50 to 48 N and 10 to 11.5 E.
TEST(StaticFiles, GiveWhatTheDataLack) {
  DatasetSettings settings = fake_settings();
  settings.static_files = {"invariant.nc"};
  settings.variables.push_back({.name = "soil", .role = Role::constant, .levels = {}});
  settings.open_files = [](const Texts& files, const Texts&) {
    EXPECT_EQ(files, Texts{"invariant.nc"});
    return invariant_fields();
  };
  const FieldStore store(settings, three_days());
  const NamedTensor& statics = store.statics();
  EXPECT_EQ(
      statics.feature_names(),
      (std::vector<std::string>{"x", "y", "geopotential", "border_mask", "land_sea_mask", "soil"}));
  const auto values = statics.tensor().span<float>();
  for (int64_t row = 0; row < 5; ++row)
    for (int64_t column = 0; column < 7; ++column) {
      const float* at = values.data() + 6 * (row * 7 + column);
      const auto north = static_cast<float>(1 - 0.25 * static_cast<double>(row));
      EXPECT_NEAR(at[2], north, 1e-5);  // rescaled to [0, 1]
      EXPECT_NEAR(at[4], (1 + 0.25 * static_cast<double>(column)) / 6, 1e-6);
      EXPECT_NEAR(at[5], north, 1e-5);
    }
  // Each file has a grid of its own, and the first that has a field gives it.
  DatasetSettings both = settings;
  both.static_files = {"relief.nc", "invariant.nc"};
  both.open_files = [](const Texts& files, const Texts&) {
    auto source = invariant_fields();
    if (files == Texts{"invariant.nc"}) return source;
    source->variables_.pop_back();
    source->grid_.latitude[0] += 1;
    source->value_ = [](const FieldRequest&, int64_t, int64_t column) {
      return static_cast<float>(column);
    };
    return source;
  };
  const FieldStore other(both, three_days());
  EXPECT_EQ(other.statics().feature_names(), statics.feature_names());
  const auto of_both = other.statics().tensor().span<float>();
  EXPECT_NEAR(of_both[6 * 6 + 2], 1, 1e-5) << "relief rises to the east";
  EXPECT_NEAR(of_both[6 * 28 + 5], 0, 1e-5) << "soil falls to the south";
  // The content is a part of what a run must be resumed with.
  DatasetSettings without = settings;
  without.static_files = {};
  without.variables.pop_back();
  EXPECT_NE(store.content(), FieldStore(without, three_days()).content());
}

TEST(StaticFields, ThatHaveATimeAreNamed) {
  auto source = three_days();
  source->add("LANDMASK");
  source->add("HGT");
  source->variables_.back().long_name = "Terrain Height";
  const auto value = [](const FieldRequest& request, int64_t row, int64_t column) {
    return static_cast<float>(row + column) +
           (request.variable == "t" ? static_cast<float>(request.run * request.run) : 0);
  };
  source->value_ = value;
  auto again = std::make_unique<FakeSource>(*source);
  DatasetSettings settings = fake_settings();
  const FieldStore store(settings, std::move(source));
  EXPECT_EQ(
      store.notes(),
      (Texts{"the network gets no geopotential among its constant fields: 'HGT' has a time; "
             "dataset.variables.HGT.role static would give its first field",
             "the network gets no land_sea_mask among its constant fields: 'LANDMASK' has a time; "
             "dataset.variables.LANDMASK.role static would give its first field"}));
  for (const char* name : {"HGT", "LANDMASK"})
    settings.variables.push_back({.name = name, .role = Role::constant, .levels = {}});
  EXPECT_EQ(FieldStore(settings, std::move(again)).statics().feature_names(),
            (Texts{"x", "y", "geopotential", "border_mask", "land_sea_mask"}));
}

TEST(StaticFields, MissingValuesNameTheFile) {
  auto source = three_days();
  source->add("lsm", {}, false);
  source->value_ = [other = source->value_](const FieldRequest& request, int64_t row,
                                            int64_t column) {
    return request.variable == "lsm" && row == 0 ? NAN : other(request, row, column);
  };
  try {
    const FieldStore store(fake_settings(), std::move(source));
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "fake.nc: the constant field 'lsm' has 7 missing values of 35 "
                 "(dataset.missing = \"mask\" would set them to 0)");
  }
}

TEST(StaticFiles, MustCoverTheGrid) {
  DatasetSettings settings = fake_settings();
  settings.static_files = {"invariant.nc"};
  settings.open_files = [](const Texts&, const Texts&) {
    auto source = invariant_fields();
    for (double& latitude : source->grid_.latitude) latitude -= 3;
    return source;
  };
  try {
    const FieldStore store(settings, three_days());
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "fake.nc: the constant fields: the point at latitude 50, longitude 10 of the data "
                 "set (latitudes 48 to 50, longitudes 10 to 11.5) lies outside of their grid "
                 "(latitudes 43 to 49, longitudes 9 to 15)");
  }
}

}  // namespace
}  // namespace py4cast
