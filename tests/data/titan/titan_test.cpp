// A small tree: AROME on 6 x 8 and 4 x 5 points of the same area, ARPEGE on a larger one.
#include <cmath>

#include "data/titan/npy_file.h"
#include "data/titan/titan_dataset.h"
#include "data/titan/titan_source.h"
#include "tests/data/grib/grib_test_files.h"

namespace py4cast {
namespace {

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

TEST_F(TitanTest, TreesThatAreNone) {
  TitanSettings none;
  none.root.clear();
  try {
    TitanSource source(none);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::configuration);
    expect_says(error.what(), "PY4CAST_TITAN_PATH");
  }
  expect_says(sentence_of([&] { TitanSource(settings()); }), "/grib: cannot be listed");
  std::filesystem::create_directories(folder_ / "grib" / "other");
  expect_says(sentence_of([&] { TitanSource(settings()); }), "no folder there is called as");
  hour(0);
  write("grib/2023-01-01_00h00/a.txt", "");
  expect_says(sentence_of([&] { TitanSource(settings()); }),
              "there is neither conf_PAAROME_1S100.grib nor a GRIB file of an hour on that grid");
}

}  // namespace
}  // namespace py4cast
