#include <gtest/gtest.h>

#include <fstream>

#include "data/smeagol/smeagol_dataset.h"
#include "data/weather/calendar.h"
#include "data/weather/dataset.h"
#include "engine/error.h"
#include "tests/data/smeagol/smeagol_tree_fixture.h"

namespace py4cast {
namespace {

class SmeagolTest : public SmeagolFiles {
 protected:
  std::shared_ptr<FieldStore> open(const DatasetSettings& settings) const {
    return smeagol_dataset().open(settings, nullptr, {});
  }
};

TEST_F(SmeagolTest, IsRunsTimesLeadsTimesMembersOnALambertGrid) {
  SmeagolSource source(own(), {});
  EXPECT_EQ(source.times().runs, (std::vector<Time>{to_time(Calendar::standard, {2022, 8, 6}),
                                                    to_time(Calendar::standard, {2022, 8, 6, 3})}));
  EXPECT_EQ(source.times().leads, (std::vector<Time>{3600, 5400, 7200, 9000}));
  EXPECT_EQ(source.times().members, 2);
  const Grid& grid = source.grid();
  EXPECT_EQ(grid.rows, rows);
  EXPECT_EQ(grid.columns, columns);
  EXPECT_EQ(grid.x[1], 1.1e5);
  EXPECT_EQ(grid.y[columns], -1.9e5);
  EXPECT_LT(grid.longitude[0], 2);
  EXPECT_FALSE(grid.separable);
  // The axes count from a point 300 km west and 100 km south of the origin of the projection.
  EXPECT_EQ(grid.mapping.texts.at("grid_mapping_name"), "lambert_conformal_conic");
  EXPECT_NEAR(grid.mapping.numbers.at("false_easting")[0], 3e5, 1e-3);
  EXPECT_NEAR(grid.mapping.numbers.at("false_northing")[0], 1e5, 1e-3);
  EXPECT_EQ(source.variable("T").levels, levels);
  EXPECT_EQ(source.variable("T").units, "K");
  EXPECT_EQ(source.variable("PS").levels, std::vector<double>{0});
  EXPECT_FALSE(source.variable("LandSeaMask").has_time);
}

TEST_F(SmeagolTest, EveryFieldStandsWhereItBelongs) {
  SmeagolSource source(own(), {});
  for (int run = 0; run < 2; ++run)
    for (int member = 0; member < 2; ++member)
      for (int lead = 0; lead < 4; ++lead)
        for (int level = 0; level < 3; ++level) {
          const auto t = field(source, {"T", level, run, lead, member});
          const auto sun = field(source, {"SUN", 0, run, lead, member});
          for (int point = 0; point < rows * columns; ++point) {
            EXPECT_FLOAT_EQ(t[static_cast<size_t>(point)],
                            static_cast<float>(value(1, run, member, lead, level, point)));
            EXPECT_FLOAT_EQ(sun[static_cast<size_t>(point)],
                            static_cast<float>(value(3, run, member, lead, 0, point)));
          }
        }
  std::vector<float> part(2);
  source.read({"T", 1, 1, 2, 1}, {3, 4, 1, 3}, part.data());
  EXPECT_FLOAT_EQ(part[1], static_cast<float>(value(1, 1, 1, 2, 1, 3 * columns + 2)));
}

TEST_F(SmeagolTest, FeaturesWeightsStaticsAndWindowsAreTheOriginals) {
  DatasetSettings given = settings();
  given.subgrid = {1, 5, 0, 3};
  given.border = 1;
  given.time_forcings_first = true;  // a default of the data set
  const auto store = open(given);
  const DatasetInfo& info = store->info();
  EXPECT_EQ(info.state_names(), (std::vector<std::string>{"t_1", "t_90", "ps_0"}));
  EXPECT_EQ(info.weights(), (std::vector<double>{1 + 1 / 90.0, 2, 2}));
  EXPECT_EQ(info.forcing_names,
            (std::vector<std::string>{"sin_hour", "cos_hour", "sin_year", "cos_year", "sun_0"}));
  EXPECT_EQ(info.static_names,
            (std::vector<std::string>{"x", "y", "geopotential", "border_mask", "land_sea_mask"}));
  EXPECT_EQ(info.step_seconds, 1800);
  EXPECT_EQ(info.rows, 4);
  // x, y and relief from 0 to 1, land as it is.
  const auto statics = store->statics().tensor().span<float>();
  const std::vector<float> first(statics.begin(), statics.begin() + 5),
      last(statics.end() - 5, statics.end());
  EXPECT_EQ(first, (std::vector<float>{0, 0, 0, 1, 0}));
  EXPECT_EQ(last, (std::vector<float>{1, 1, 1, 1, 1}));
  // Four terms hold one window of three, or two of two: times two runs and two members.
  EXPECT_EQ(Dataset(store, Split::train, 2, 1).size(), 4);
  const Dataset pairs(store, Split::train, 1, 1);
  EXPECT_EQ(pairs.size(), 8);
  EXPECT_EQ(pairs.describe(0), "2022-08-06T01:00:00");
  EXPECT_EQ(pairs.describe(2), "2022-08-06T02:00:00");
  given.windows = Windows::overlapping;
  EXPECT_EQ(Dataset(open(given), Split::train, 1, 1).size(), 12);
  given.periods.train.run_step = 6;
  EXPECT_EQ(Dataset(open(given), Split::train, 1, 1).size(), 6);
}

// The original looked at the first variable only.
TEST_F(SmeagolTest, AMissingFileOfAnyVariableIsAGapAndNamed) {
  std::filesystem::remove(file(1, 0, "surface"));
  DatasetSettings given = settings();
  given.periods.train.run_step = 3;
  given.members = {0, 1, 2};  // the tree lacks the last one
  const auto store = open(given);
  EXPECT_EQ(Dataset(store, Split::train, 2, 1).size(), 3);
  std::string notes;
  for (const std::string& note : store->notes()) notes += note + "\n";
  expect_contains(notes, {file(1, 0, "surface"), "mb_002_T.nc", "lack 6 of 8 runs",
                          "the first is 2022-08-06T06:00:00"});
  given.gaps = Gaps::error;
  expect_contains(error_of([&] { open(given); }), {"lack 6 of 8 runs", "dataset.gaps"});
}

TEST_F(SmeagolTest, FilesOfAVariableMayBePackedInDifferentWays) {
  DatasetSettings given = settings();
  given.standardize = false;
  const auto states = [&] {
    const auto store = open(given);
    std::vector<float> all;
    for (int64_t run = 0; run < 2; ++run)
      for (int64_t lead = 0; lead < 4; ++lead) {
        std::vector<float> out(rows * columns * 3);
        store->decode(store->state({run, lead, 1}), out.data());
        all.insert(all.end(), out.begin(), out.end());
      }
    return all;
  };
  const std::vector<float> expected = states();
  level_file(0, 0, rows, 4,
             NC_SHORT);  // the first file of all, in whole numbers; not one that is read here
  EXPECT_EQ(states(), expected);
}

TEST_F(SmeagolTest, AMissingTermIsAGap) {
  level_file(0, 1, rows, 2);
  const auto store = open(settings());
  EXPECT_EQ(Dataset(store, Split::train, 1, 1).size(), 7);
  expect_contains(store->notes().back(), {file(0, 1, "T"), "+ 2 h, member 1"});
}

TEST_F(SmeagolTest, BadFilesAreRefusedWithTheirNames) {
  // On another grid.
  level_file(0, 1, rows + 1);
  expect_contains(error_of([&] { open(settings()); }),
                  {file(0, 1, "T"), "variable 'T' has 6 x 4 points", "has 5 x 4"});
  // Cut short.
  level_file(0, 1, rows);
  std::filesystem::resize_file(file(0, 1, "T"), std::filesystem::file_size(file(0, 1, "T")) / 2);
  expect_contains(error_of([&] { open(settings()); }), {file(0, 1, "T"), "truncated"});
  level_file(0, 1, rows);
  // Without the terms.
  TestFile(file(1, 1, "T"))
      .dimension("step", 4)
      .dimension("Y", rows)
      .dimension("X", columns)
      .variable("T", NC_FLOAT, {"step", "Y", "X"}, {}, {});
  expect_contains(error_of([&] { open(settings()); }), {file(1, 1, "T"), "'step'"});
  level_file(1, 1, rows);
  DatasetSettings given = settings();
  given.variables[1].name = "PSS";
  expect_contains(error_of([&] { open(given); }),
                  {"variable 'PSS' is missing; the nearest is 'PS'"});
  given = settings();
  given.variables[0].levels = {2};
  expect_contains(error_of([&] { open(given); }, ErrorKind::configuration), {"90, 45, 1"});
  std::filesystem::remove(tree("constant/Mesh_and_SurfGeo.nc"));
  expect_contains(error_of([&] { open(settings()); }), {"constant/Mesh_and_SurfGeo.nc"});
}

TEST_F(SmeagolTest, TheTreeIsNamedWhereItIsNotFound) {
  const auto refusal = [&](const auto& change) {
    SmeagolSettings changed = own();
    change(changed);
    return error_of([&] { SmeagolSource(changed, {}); });
  };
  expect_contains(refusal([](auto& s) { s.root += "/none"; }), {"/none", "PY4CAST_SMEAGOL_PATH"});
  expect_contains(refusal([](auto& s) { s.domain = "don"; }), {"nearest is 'dom'"});
  expect_contains(refusal([](auto& s) { s.geometry = "gio"; }), {"nearest is 'mod_geo'"});
  SmeagolSettings none = own();
  none.root = "";
  setenv("PY4CAST_SMEAGOL_PATH", own().root.c_str(), 1);
  EXPECT_EQ(SmeagolSource(none, {}).grid().rows, rows);
  unsetenv("PY4CAST_SMEAGOL_PATH");
  expect_contains(error_of([&] { SmeagolSource(none, {}); }, ErrorKind::configuration),
                  {"dataset.settings.root", "PY4CAST_SMEAGOL_PATH"});
  none = own();
  none.term.timestep = 0;
  expect_contains(error_of([&] { SmeagolSource(none, {}); }, ErrorKind::configuration),
                  {"dataset.settings.term"});
}

// Where latitudes and longitudes are those of another projection, nothing is said of one.
TEST_F(SmeagolTest, AForeignProjectionIsNotClaimed) {
  SmeagolSettings other = own();
  other.central_longitude = 5;
  EXPECT_EQ(SmeagolSource(other, {}).grid().mapping.name, "");
}

TEST_F(SmeagolTest, ContentIsThatOfTheFilesWhereverTheyLie) {
  const std::string content = SmeagolSource(own(), {}).content();
  SmeagolSettings moved = own();
  moved.root += "/copy";
  std::filesystem::create_directories(moved.root);
  std::filesystem::copy(path("nc"), moved.root + "/nc", std::filesystem::copy_options::recursive);
  EXPECT_EQ(SmeagolSource(moved, {}).content(), content);
  EXPECT_NE(SmeagolSource(moved, {}).fingerprint(), SmeagolSource(own(), {}).fingerprint());
  std::filesystem::remove(moved.root + "/nc/dom/mod_geo/20220806H00/mb_000_T.nc");
  EXPECT_NE(SmeagolSource(moved, {}).content(), content);
}

const char* original = R"({
  "periods": {"train": {"start": 2021010100, "end": 2021060100, "step": 6},
              "valid": {"start": 2021060200, "end": 2021060300, "step": 6},
              "test": {"start": 2021060200, "end": 2021060300, "step": 6}},
  "grid": {"geometry": "geo1", "border_size": 8, "domain": "dom", "model": "mod", "subgrid": [0,256,0,256]},
  "dataset": {"src": {"grid": {"domain": "dom", "model": "mod", "geometry": "geo1"}, "members": [0,1],
     "term": {"start": 0, "end": 12, "timestep": 1},
     "var": {"T": {"shortname": "t", "level": [50,90]}, "PSURF": {"shortname": "ps"},
             "SOLAR": {"shortname": "rad", "kind": "input"}}}}})";

TEST(OriginalLayout, IsTranslated) {
  const auto ours = translate_smeagol(Json::parse(original), "file.json");
  ASSERT_TRUE(ours);
  EXPECT_EQ(*ours, Json::parse(R"({
    "name": "smeagol",
    "settings": {"original_file": "file.json", "domain": "dom", "model": "mod", "geometry": "geo1",
                 "term": {"start": 0, "end": 12, "timestep": 1}},
    "variables": {"T": {"role": "state", "levels": [50, 90], "short_name": "t"},
                  "PSURF": {"role": "state", "levels": [0], "short_name": "ps"},
                  "SOLAR": {"role": "forcing", "levels": [0], "short_name": "rad"}},
    "windows": "disjoint", "border": 8, "subgrid": [0, 256, 0, 256],
    "periods": {"train": {"start": "2021010100", "end": "2021060100", "run_step": 6},
                "valid": {"start": "2021060200", "end": "2021060300", "run_step": 6},
                "test": {"start": "2021060200", "end": "2021060300", "run_step": 6}},
    "overlap": "allow", "members": [0, 1]})"));
  EXPECT_FALSE(translate_smeagol(Json::parse(R"({"name": "smeagol", "border": 3})"), "file.json"));
  EXPECT_FALSE(translate_smeagol(Json::parse(R"([1])"), "file.json"));
}

TEST(OriginalLayout, SlipsAreRefused) {
  const auto refusal = [](const std::string& place, const char* value) {
    Json changed = Json::parse(original);
    place_of(changed, place) = Json::parse(value);
    return error_of([&] { translate_smeagol(changed, "file.json"); }, ErrorKind::configuration);
  };
  expect_contains(refusal("grid.border_siz", "3"),
                  {"file.json", "'grid.border_siz'", "'grid.border_size'"});
  expect_contains(refusal("dataset.src.var.T.kind", R"("outputs")"),
                  {"dataset.src.var.T.kind", "or 'output' (a diagnostic), not 'outputs'"});
  expect_contains(refusal("dataset.src.grid.geometry", R"("geo2")"),
                  {"dataset.src.geometry", "geo2", "geo1"});
  expect_contains(refusal("dataset.src.var.PSURF", "{}"), {"dataset.src.var.PSURF.shortname"});
  expect_contains(refusal("periods.test", "3"), {"'periods.test' must be an object"});
  expect_contains(refusal("dataset.src.var.T.kind", "3"), {"file.json"});
}

}  // namespace
}  // namespace py4cast
