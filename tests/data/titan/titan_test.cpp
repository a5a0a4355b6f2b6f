// A small tree: AROME on 6 x 8 and 4 x 5 points of the same area, ARPEGE on a larger one.
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "data/titan/npy_file.h"
#include "data/titan/titan_dataset.h"
#include "data/titan/titan_parameters.h"
#include "data/titan/titan_source.h"
#include "tests/data/grib/grib_test_files.h"

namespace py4cast {
namespace {

template <typename Action>
std::string configuration_error(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::configuration) << error.what();
    return error.what();
  }
  return "accepted";
}

class TitanTest : public GribFolder {
 protected:
  struct Place {
    const char *file, *name;
    int64_t rows, columns, level;
    bool on_pressure = false;
  };

  // image(i, j) = sin(0.7 i) + 2 cos(0.9 j) + 0.05 i j + add, stored to 1e-5 or better.
  static std::string message(const Place& place, int64_t at, double add) {
    GribTestMessage result(place.on_pressure ? "regular_ll_pl_grib2" : "regular_ll_sfc_grib2");
    result.set("shortName", place.name).set("dataDate", 20230101).set("dataTime", 100 * at);
    if (place.on_pressure) result.set("level", place.level);
    result.region(place.rows, place.columns, 50, 0, 45, 7);
    std::vector<double> values;
    for (int64_t i = 0; i < place.rows; ++i)
      for (int64_t j = 0; j < place.columns; ++j)
        values.push_back(std::sin(0.7 * static_cast<double>(i)) +
                         2 * std::cos(0.9 * static_cast<double>(j)) +
                         0.05 * static_cast<double>(i * j) + add);
    return result.values(values, 24).bytes();
  }
  std::string hour(int64_t at) const {
    const std::string name = "grib/2023-01-01_0" + std::to_string(at) + "h00/";
    std::filesystem::create_directories(folder_ / name);
    return name;
  }
  // Three hours; the last lacks the temperature at 2 m.
  void write_tree() const {
    write("conf_PAAROME_1S100.grib", message({"", "h", 6, 8, 0}, 0, 100));
    for (const int64_t at : {0, 1, 2}) {
      const std::string to = hour(at);
      const auto add = static_cast<double>(10 * at);
      if (at < 2)
        write(to + "PAAROME_1S100_ECH0_2M.grib",
              message({"", "2t", 6, 8, 2}, at, add) + message({"", "2r", 6, 8, 2}, at, add + 1));
      write(to + "PAAROME_1S40_ECH0_ISOBARE.grib", message({"", "t", 4, 5, 850, true}, at, add) +
                                                       message({"", "t", 4, 5, 500, true}, at, 5));
    }
  }
  TitanSettings settings(const std::string& format = "grib") const {
    TitanSettings result;
    result.root = folder_.string();
    result.file_format = format == "npy" ? TitanFormat::npy : TitanFormat::grib;
    return result;
  }
};

TEST_F(TitanTest, HoursParametersAndLevels) {
  write_tree();
  TitanSource source(settings());
  EXPECT_EQ(source.grid().rows, 6);
  EXPECT_EQ(source.grid().latitude.front(), 50);
  EXPECT_EQ(source.times().runs.size(), 3);
  expect_list(names(source), {"h", "aro_t2m", "aro_r2", "aro_t"});
  EXPECT_FALSE(source.variable("h").has_time);
  expect_list(source.variable("aro_t").levels, {500, 850});
  expect_list(source.variable("aro_t2m").levels, {2});
  EXPECT_EQ(source.variable("aro_t2m").units, "K");
  EXPECT_NEAR(field(source, {"aro_t2m", 0, 1})[0], 12, 1e-4);
  EXPECT_NEAR(field(source, {"aro_r2", 0, 1})[0], 13, 1e-4);
  EXPECT_NEAR(field(source, {"h"})[0], 102, 1e-3);
  EXPECT_TRUE(source.exists({"aro_t2m", 0, 1}));
  EXPECT_FALSE(source.exists({"aro_t2m", 0, 2}));
  EXPECT_FALSE(source.exists({"aro_t2m", 0, 3}));
  EXPECT_TRUE(source.exists({"aro_t", 1, 2}));
  const std::string missing = sentence_of([&] { field(source, {"aro_t2m", 0, 2}); });
  expect_says(missing, "/grib: variable 'aro_t2m' of 2023-01-01T02:00:00, level 2 is not there");
}

// scikit-image 0.26: resize(image, (6, 8), anti_aliasing=True) of 4 x 5 points over the same area.
TEST_F(TitanTest, FieldsOfOtherGridsAreResized) {
  write_tree();
  TitanSource source(settings());
  const std::vector<float> values = field(source, {"aro_t", 1, 0});
  const double expected[] = {1.967036,  1.779924,  1.253342,  0.197535,
                             -0.750808, -1.591687, -1.662859, -1.657119};
  for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(values[i], expected[i], 1e-4);
  EXPECT_NEAR(values[47], -0.372573, 1e-4);
  float corner[2];
  source.read({"aro_t", 1, 0}, {5, 6, 6, 8}, corner);
  EXPECT_EQ(corner[1], values[47]);
}

// Only the points inside of the area take part: 1 degree beyond it is cut off.
TEST_F(TitanTest, LargerAreasAreCut) {
  write_tree();
  GribTestMessage larger;
  larger.set("dataDate", 20230101).region(8, 10, 51, -1, 44, 8);
  std::vector<double> values;
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 10; ++j)
      values.push_back(i == 0 || i == 7 || j == 0 || j == 9 ? 1e3 : i + j);
  write(hour(0) + "PA_01D_2M.grib", larger.values(values).bytes());
  TitanSource source(settings());
  const std::vector<float> cut = field(source, {"arp_t2m"});
  EXPECT_NEAR(cut[0], 2, 0.02);
  EXPECT_NEAR(cut[47], 14, 0.02);
}

// As numpy.save writes them.
std::string npy(const std::string& type, const std::string& shape, const std::string& data,
                bool fortran = false) {
  std::string header = "{'descr': '" + type +
                       "', 'fortran_order': " + (fortran ? "True" : "False") +
                       ", 'shape': " + shape + ", }";
  header.resize(118 - 10 - 1 + 10, ' ');
  header += '\n';
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + '\0' + header + data;
}

template <typename T>
std::string bytes_of_numbers(const std::vector<T>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T)};
}

TEST_F(TitanTest, Arrays) {
  write_tree();
  std::filesystem::create_directories(folder_ / "npy/2023-01-01_00h00");
  std::vector<float> values;
  for (int i = 0; i < 48; ++i) values.push_back(static_cast<float>(i));
  const std::string array = npy("<f4", "(6, 8)", bytes_of_numbers(values));
  write("npy/2023-01-01_00h00/aro_t2m.npy", array);
  write("npy/2023-01-01_00h00/aro_t_850hpa.npy", array);
  write("npy/2023-01-01_00h00/aro_r2_2m.npy", npy("<f4", "(4, 12)", bytes_of_numbers(values)));
  TitanSource source(settings("npy"));
  expect_list(names(source), {"h", "aro_t2m", "aro_r2", "aro_t"});
  expect_list(source.variable("aro_t").levels, {850});
  EXPECT_EQ(field(source, {"aro_t"}), values);
  EXPECT_EQ(field(source, {"aro_t2m"})[9], 9);
  expect_says(sentence_of([&] { field(source, {"aro_r2"}); }),
              "aro_r2_2m.npy: the array has 4 x 12 values, the grid 6 x 8");
}

// Rows 1 and 2 from the south, columns 5 to 7 of 6 x 8 points: 46 and 47 degrees north, 5 to 7 east.
TEST_F(TitanTest, ArraysOfLaterVersionsAreAPartOfTheGridFromTheSouth) {
  write_tree();
  const std::string name = "titan_PAAROME_1S100_1-3-5-8",
                    hour = "subdatasets/" + name + "/data/2023-01-01_00h00";
  std::filesystem::create_directories(folder_ / hour);
  write(hour + "/aro_t2m_2m.npy",
        npy("<f4", "(2, 3)", bytes_of_numbers<float>({1, 2, 3, 4, 5, 6})));
  write(hour + "/aro_prmsl_0hpa.npy",
        npy("<f4", "(2, 3)", bytes_of_numbers<float>({1, 2, 3, 4, 5, 6})));
  TitanSettings part = settings("npy");
  part.subdataset = name;
  TitanSource source(part);
  EXPECT_EQ(source.grid().rows, 2);
  expect_list(source.grid().latitude, {47, 47, 47, 46, 46, 46});
  expect_list(source.grid().longitude, {5, 6, 7, 5, 6, 7});
  expect_list(field(source, {"aro_t2m"}), {4, 5, 6, 1, 2, 3});
  expect_list(field(source, {"aro_prmsl"}), {4, 5, 6, 1, 2, 3});
  // image(3, 5) of the altitude: sin(2.1) + 2 cos(4.5) + 0.75 + 100
  EXPECT_NEAR(field(source, {"h"})[0], 101.191617, 1e-3);
  part.subdataset = "titan_PAAROME_1S100_1-3-5-9";
  std::filesystem::create_directories(folder_ / "subdatasets" / part.subdataset);
  std::filesystem::copy(folder_ / "subdatasets" / name, folder_ / "subdatasets" / part.subdataset,
                        std::filesystem::copy_options::recursive);
  EXPECT_NE(configuration_error([&] { TitanSource refused(part); }).find("as _100-612-240-880"),
            std::string::npos);
  expect_says(sentence_of([&] { TitanSource refused(settings("npy")); }),
              "dataset.settings.subdataset names a folder");
}

TEST_F(TitanTest, SubdomainsCountTheirRowsFromTheSouthOrTheNorth) {
  write_tree();
  TitanSource whole(settings());
  TitanSettings part = settings();
  part.subdomain = {1, 3, 5, 8};
  for (const auto& [side, row] :
       {std::pair(TitanSide::south, int64_t{3}), std::pair(TitanSide::north, int64_t{1})}) {
    part.rows_from = side;
    TitanSource source(part);
    EXPECT_EQ(source.grid().rows, 2);
    EXPECT_EQ(source.grid().latitude[0], static_cast<double>(50 - row));
    // Of its own grid, constant, and of another grid, which is cut after it was resized.
    for (const char* name : {"aro_t2m", "h", "aro_t"}) {
      std::vector<float> values(6);
      whole.read({name}, {row, row + 2, 5, 8}, values.data());
      EXPECT_EQ(field(source, {name}), values) << name;
    }
  }
  part.subdomain = {1, 7, 5, 8};
  EXPECT_NE(configuration_error([&] { TitanSource refused(part); })
                .find("dataset.settings.subdomain: must be [first row, end, first column, end] of "
                      "the grid of 6 x 8 points"),
            std::string::npos);
}

// conf.grib is of the first version's only grid.
TEST_F(TitanTest, TheGridOfAnotherIsNotTaken) {
  write_tree();
  write("grib/2023-01-01_01h00/PAAROME_1S40_ECH0_2M.grib", message({"", "2t", 4, 5, 2}, 1, 0));
  std::filesystem::rename(folder_ / "conf_PAAROME_1S100.grib", folder_ / "conf.grib");
  EXPECT_EQ(TitanSource(settings()).grid().rows, 6);
  TitanSettings other = settings();
  other.grid = "PAAROME_1S40";
  EXPECT_EQ(TitanSource(other).grid().rows, 4);
}

TEST_F(TitanTest, NpyTypesAndOrders) {
  const auto read = [&](const std::string& bytes) { return read_npy(write("a.npy", bytes)); };
  EXPECT_EQ(read(npy("<f8", "(2,)", bytes_of_numbers<double>({1.5, -2}))).values,
            (std::vector<float>{1.5, -2}));
  EXPECT_EQ(read(npy("|u1", "(2, 1)", "\x01\xff")).shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(read(npy(">i2", "(2,)", std::string("\0\1\1\0", 4))).values,
            (std::vector<float>{1, 256}));
  // numpy.save(numpy.asfortranarray([[0, 1, 2], [3, 4, 5]]))
  EXPECT_EQ(read(npy("<i4", "(2, 3)", bytes_of_numbers<int32_t>({0, 3, 1, 4, 2, 5}), true)).values,
            (std::vector<float>{0, 1, 2, 3, 4, 5}));
  expect_says(sentence_of([&] { read(npy("<f4", "(3,)", "1234")); }),
              "a.npy: the array needs 12 bytes; 4 are there");
  expect_says(sentence_of([&] { read(npy("<f4", "(999999999999, 999999999999)", "1234")); }),
              "4 are there");
  expect_says(sentence_of([&] { read(npy("|O", "(3,)", "1234")); }), "no array of floats");
  expect_says(sentence_of([&] { read("\x93NUMPY"); }), "the file is cut off");
  expect_says(sentence_of([&] { read("something else"); }), "is no .npy file");
}

TEST_F(TitanTest, TheFolderComesFromTheEnvironmentWhereNoneIsGiven) {
  write_tree();
  setenv("PY4CAST_TITAN_PATH", folder_.c_str(), 1);
  EXPECT_EQ(TitanSource(TitanSettings{}).times().runs.size(), 3);
  setenv("PY4CAST_TITAN_PATH", "/nowhere", 1);
  EXPECT_EQ(TitanSource(settings("grib")).times().runs.size(), 3);
  unsetenv("PY4CAST_TITAN_PATH");
}

TEST(TitanHours, AreFolders) {
  EXPECT_EQ(titan_folder(1672552800), "2023-01-01_06h00");  // date -u -d @1672552800
  EXPECT_EQ(titan_time("2023-01-01_06h00"), 1672552800);
  for (const char* none : {"2023-01-01", "2023-02-30_00h00", "2023-01-01_06h00.tar", "data"})
    EXPECT_FALSE(titan_time(none)) << none;
}

const char* seed_layout = R"({
  "periods": {"train": {"start": 2021010106, "end": 2021013123, "step": 3},
              "valid": {"start": 2021020100, "end": 2021020223, "step": 3},
              "test": {"start": 2021020100, "end": 2021020223, "step": 3}},
  "grid": {"name": "PAAROME_1S100", "border_size": 4, "subgrid": [10, 74, 20, 84]},
  "settings": {"step_duration": 3, "standardize": true, "file_format": "npy"},
  "params": {"aro_u10": {"levels": [10], "kind": "input_output"},
             "arp_t": {"levels": [500, 850], "kind": "input"}}})";

TEST(TitanLayout, IsTranslated) {
  const auto ours = translate_titan(Json::parse(seed_layout), "file.json");
  ASSERT_TRUE(ours);
  EXPECT_EQ(*ours, Json::parse(R"({
    "name": "titan",
    "settings": {"grid": "PAAROME_1S100", "original_file": "file.json", "file_format": "npy"},
    "variables": {"aro_u10": {"role": "state", "levels": [10]},
                  "arp_t": {"role": "forcing", "levels": [500, 850]}},
    "border": 4, "standardize": true,
    "periods": {"train": {"start": "2021010106", "end": "2021013123", "step": 3},
                "valid": {"start": "2021020100", "end": "2021020223", "step": 3},
                "test": {"start": "2021020100", "end": "2021020223", "step": 3}},
    "overlap": "allow", "subgrid": [10, 74, 20, 84], "time_forcings": ["hour", "year"],
    "time_forcings_first": true, "land_sea_mask_of_zeros": true,
    "step_hours": 3})"));
  EXPECT_FALSE(translate_titan(Json::parse(R"({"name": "titan", "border": 3})"), "file.json"));
  EXPECT_FALSE(translate_titan(Json::parse("[1]"), "file.json"));
}

// Dates without hours, seconds for hours, a sub-domain for a sub-grid.
TEST(TitanLayout, OfLaterVersionsIsTranslated) {
  Json later = Json::parse(seed_layout);
  for (const char* name : {"train", "valid", "test"})
    later["periods"][name] = {{"start", 20210101 + (name[0] == 't' ? 0 : 40)},
                              {"end", 20210131 + (name[0] == 't' ? 0 : 40)},
                              {"obs_step", 3600}};
  later["periods"]["test"]["obs_step_btw_t0"] = 10800;
  later["grid"] = {{"name", "PAAROME_1S40"},
                   {"border_size", 0},
                   {"subdomain", {1, 2, 3, 4}},
                   {"proj_name", "PlateCarree"},
                   {"projection_kwargs", Json::object()}};
  later["settings"] = {
      {"standardize", false}, {"file_format", "grib"}, {"add_landsea_mask", false}};
  const auto ours = translate_titan(later, "file.json");
  ASSERT_TRUE(ours);
  EXPECT_EQ((*ours)["step_hours"], 1);
  EXPECT_EQ((*ours)["periods"]["train"]["step"], 1);
  EXPECT_EQ((*ours)["periods"]["test"]["step"], 3);
  EXPECT_EQ((*ours)["periods"]["train"]["start"], "20210101");
  EXPECT_EQ((*ours)["subgrid"], Json::array());
  EXPECT_EQ((*ours)["settings"]["subdomain"], Json::parse("[1, 2, 3, 4]"));
  EXPECT_EQ((*ours)["standardize"], false);
  EXPECT_EQ((*ours)["time_forcings"], Json::parse(R"(["hour", "year", "toa_radiation"])"));
  EXPECT_EQ((*ours)["time_forcings_first"], false);
  EXPECT_EQ((*ours)["land_sea_mask_of_zeros"], false);
  EXPECT_EQ((*ours)["statics"], Json::parse(R"(["x", "y", "geopotential", "border_mask"])"));
  later["settings"]["add_landsea_mask"] = true;
  later["settings"]["file_format"] = "npy";
  later["members"] = nullptr;
  const auto arrays = translate_titan(later, "folder/full.json");
  EXPECT_EQ((*arrays)["land_sea_mask_of_zeros"], true);
  EXPECT_FALSE(arrays->contains("statics"));
  EXPECT_EQ((*arrays)["settings"], Json::parse(R"({
    "grid": "PAAROME_1S40", "original_file": "folder/full.json", "file_format": "npy",
    "subdataset": "full_PAAROME_1S40_1-2-3-4"})"));
  later["grid"]["subdomain"] = {0, 0, 0, 0};
  EXPECT_EQ((*translate_titan(later, "a.json"))["settings"]["subdataset"],
            "a_PAAROME_1S40_0-717-0-1121");
}

// With step_duration, but parameters first, a mask and the sun; sub-domains count from the north.
TEST(TitanLayout, OfVersionsBetweenIsTranslated) {
  Json between = Json::parse(seed_layout);
  between["grid"].erase("subgrid");
  between["grid"]["subdomain"] = {1, 2, 3, 4};
  between["params"]["aro_t"] = {{"levels", {500}}, {"kind", "input_output"}};
  between["settings"]["file_format"] = "grib";
  const auto ours = translate_titan(between, "file.json");
  EXPECT_EQ((*ours)["subgrid"], Json::parse("[1, 2, 3, 4]"));
  EXPECT_EQ((*ours)["time_forcings"].size(), 3u);
  EXPECT_EQ((*ours)["time_forcings_first"], false);
  EXPECT_EQ((*ours)["land_sea_mask_of_zeros"], true);
  EXPECT_FALSE((*ours)["variables"]["aro_t"].contains("weight"));
  between["settings"]["file_format"] = "dataset";
  const auto arrays = translate_titan(between, "file.json");
  EXPECT_EQ((*arrays)["subgrid"], Json::array());
  EXPECT_EQ((*arrays)["settings"]["file_format"], "npy");
  EXPECT_EQ((*arrays)["settings"]["subdataset"], "file_PAAROME_1S100_1-2-3-4");
  EXPECT_EQ((*arrays)["settings"]["rows_from"], "north");
  between["grid"]["subgrid"] = between["grid"]["subdomain"];
  between["grid"].erase("subdomain");
  EXPECT_DOUBLE_EQ((*translate_titan(between, "f"))["variables"]["aro_t"]["weight"],
                   1 + 500.0 / 90);
}

TEST(TitanLayout, SlipsAreRefused) {
  const auto expect_refusal = [](const Json& change, const std::string& part) {
    Json changed = Json::parse(seed_layout);
    changed.merge_patch(change);
    const std::string refusal = configuration_error([&] { translate_titan(changed, "file.json"); });
    EXPECT_NE(refusal.find(part), std::string::npos) << refusal;
  };
  expect_refusal({{"grid", {{"border_siz", 3}}}}, "'grid.border_siz'");
  expect_refusal({{"params", {{"arp_t", {{"kind", "outputs"}}}}}},
                 "file.json: 'params.arp_t.kind' must be 'input' (a forcing)");
  expect_refusal({{"settings", {{"step_duration", nullptr}}}},
                 "'settings.step_duration' is missing");
  expect_refusal({{"periods", {{"test", {{"obs_step", 3600}}}}}},
                 "'periods.test.obs_step' is another than that of the other periods");
  expect_refusal({{"params", {{"arp_t", {{"levels", nullptr}}}}}},
                 "'params.arp_t.levels' is missing");
  expect_refusal({{"params", {{"arp_t", {{"kind", 3}}}}}}, "file.json: a value is of another kind");
}

TEST_F(TitanTest, TreesThatAreNone) {
  unsetenv("PY4CAST_TITAN_PATH");
  EXPECT_NE(configuration_error([] { TitanSource source(TitanSettings{}); })
                .find("dataset.settings.root: the folder of the titan tree is not given, neither "
                      "there nor in the environment variable PY4CAST_TITAN_PATH"),
            std::string::npos);
  expect_says(sentence_of([&] { TitanSource source(settings()); }), "/grib: cannot be listed");
  std::filesystem::create_directories(folder_ / "grib" / "other");
  expect_says(sentence_of([&] { TitanSource source(settings()); }), "no folder there is called as");
  hour(0);
  write("grib/2023-01-01_00h00/a.txt", "");
  expect_says(sentence_of([&] { TitanSource source(settings()); }),
              "there is neither conf_PAAROME_1S100.grib nor a GRIB file of an hour on that grid");
}

}  // namespace
}  // namespace py4cast
