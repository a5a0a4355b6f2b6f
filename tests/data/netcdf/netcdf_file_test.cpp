#include "data/netcdf/netcdf_file.h"

#include <fcntl.h>
#include <hdf5.h>
#include <malloc.h>
#include <netcdf.h>
#include <netcdf_filter.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <thread>

#include "engine/memory.h"
#include "kernels/fields/decode_fields.h"
#include "tests/data/netcdf/test_files.h"

namespace py4cast {
namespace {

class NetcdfFile : public NetcdfFolder {
 protected:
  std::vector<double> read(const std::string& name, const std::string& variable) {
    NetcdfPool pool;
    const CfMetadata metadata = pool.describe(path(name));
    return pool.read(path(name), *metadata.find(variable));
  }
  void shorten(const std::string& name, size_t bytes) {
    std::filesystem::resize_file(path(name), std::filesystem::file_size(path(name)) - bytes);
  }
};

TEST_F(NetcdfFile, DescribesDimensionsVariablesAndAttributes) {
  TestFile(path("a.nc"))
      .grid()
      .variable("t", NC_SHORT, {"latitude", "longitude"}, {{"units", "K"}}, count_from(0, 6))
      .number("levels", NC_INT, {1, 2, 3});
  NetcdfPool pool;
  const CfMetadata metadata = pool.describe(path("a.nc"));
  EXPECT_EQ(metadata.dimensions.at("longitude"), 3u);
  const CfVariable* t = metadata.find("t");
  ASSERT_NE(t, nullptr);
  EXPECT_EQ(t->shape, (std::vector<size_t>{2, 3}));
  EXPECT_EQ(t->dimensions[1], "longitude");
  EXPECT_EQ(t->text("units"), "K");
  EXPECT_EQ(t->text("nothing"), "");
  EXPECT_EQ(t->attributes.at("levels").numbers, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(metadata.find("u"), nullptr);
}

TEST_F(NetcdfFile, UnpacksEveryType) {
  for (int type : {NC_BYTE, NC_SHORT, NC_INT, NC_INT64, NC_FLOAT, NC_DOUBLE, NC_UBYTE, NC_USHORT}) {
    TestFile(path("a.nc"))
        .dimension("x", 3)
        .variable("t", type, {"x"}, {}, {0, 10, 120})
        .number("scale_factor", NC_DOUBLE, {0.5})
        .number("add_offset", NC_DOUBLE, {273.15});
    EXPECT_EQ(read("a.nc", "t"), (std::vector<double>{273.15, 278.15, 333.15})) << type;
  }
}

TEST_F(NetcdfFile, MissingValuesBecomeNan) {
  TestFile(path("a.nc"))
      .dimension("x", 6)
      .variable("packed", NC_SHORT, {"x"}, {}, {-99, 1, -88, -50, 60, -77})
      .number("_FillValue", NC_SHORT, {-99})
      .number("missing_value", NC_SHORT, {-88, -77})
      .number("valid_range", NC_SHORT, {-40, 50})
      .number("scale_factor", NC_FLOAT, {2})
      .variable("plain", NC_FLOAT, {"x"}, {}, {1, 9.96920996838687e+36, 3, -1, 1e20, 6})
      .number("valid_min", NC_FLOAT, {0})
      .number("missing_value", NC_DOUBLE, {1e20})
      .variable("unwritten", NC_INT, {"x"}, {}, {})
      .variable("bytes", NC_BYTE, {"x"}, {}, {-127, 1, 2, 3, 4, 5})
      .variable("physical", NC_SHORT, {"x"}, {}, {1, 2, 3, 4, 5, 6})
      .number("scale_factor", NC_FLOAT, {10})
      .number("valid_max", NC_FLOAT, {35});
  const auto missing = [&](const std::string& name) {
    std::string marks;
    for (double value : read("a.nc", name)) marks += std::isnan(value) ? 'x' : '.';
    return marks;
  };
  EXPECT_EQ(missing("packed"), "x.xxxx");
  EXPECT_EQ(read("a.nc", "packed")[1], 2);
  EXPECT_EQ(missing("plain"), ".x.xx.");
  EXPECT_EQ(missing("unwritten"), "xxxxxx");
  EXPECT_EQ(missing("bytes"), "......");
  EXPECT_EQ(missing("physical"), "...xxx");
}

TEST_F(NetcdfFile, UnsignedNumbersInSignedTypes) {
  TestFile(path("a.nc"), 0)
      .dimension("x", 3)
      .variable("t", NC_BYTE, {"x"}, {{"_Unsigned", "true"}}, {-1, -2, 100})
      .number("_FillValue", NC_BYTE, {-1})
      .number("scale_factor", NC_FLOAT, {0.5});
  const std::vector<double> values = read("a.nc", "t");
  EXPECT_TRUE(std::isnan(values[0]));
  EXPECT_EQ(values[1], 127);
  EXPECT_EQ(values[2], 50);
}

TEST_F(NetcdfFile, SignedNumbersInUnsignedTypes) {
  TestFile(path("a.nc"))
      .dimension("x", 5)
      .variable("t", NC_UBYTE, {"x"}, {{"_Unsigned", "false"}}, {0, 53, 127, 202, 128})
      .number("_FillValue", NC_UBYTE, {128});
  const std::vector<double> values = read("a.nc", "t");
  EXPECT_EQ(std::vector<double>(values.begin(), values.end() - 1),
            (std::vector<double>{0, 53, 127, -54}));
  EXPECT_TRUE(std::isnan(values[4]));
}

TEST_F(NetcdfFile, BlocksAreReadAsTheyAreStoredOrUnpacked) {
  TestFile(path("a.nc"))
      .dimension("y", 4)
      .dimension("x", 5)
      .variable("t", NC_FLOAT, {"y", "x"}, {}, count_from(0.25, 20));
  NetcdfPool pool;
  const CfVariable t = *pool.describe(path("a.nc")).find("t");
  std::vector<float> floats(4);
  std::vector<double> doubles(4);
  pool.read_stored(path("a.nc"), t, {1, 3}, {2, 2}, floats.data());
  pool.read(path("a.nc"), t, {1, 3}, {2, 2}, doubles.data());
  EXPECT_EQ(floats, (std::vector<float>{8.25f, 9.25f, 13.25f, 14.25f}));
  EXPECT_EQ(doubles, (std::vector<double>{8.25, 9.25, 13.25, 14.25}));
}

// Stored numbers and their packing give the unpacked values rounded to f32, whatever the type.
TEST_F(NetcdfFile, StoredNumbersComeWithTheirPacking) {
  struct Case {
    int type;
    bool other_sign;
    NumberType expected;
  };
  for (const auto& [type, other_sign, expected] :
       {Case{NC_BYTE, false, NumberType::i8}, Case{NC_BYTE, true, NumberType::u8},
        Case{NC_UBYTE, false, NumberType::u8}, Case{NC_UBYTE, true, NumberType::i8},
        Case{NC_USHORT, true, NumberType::i16}, Case{NC_UINT, true, NumberType::i32},
        Case{NC_SHORT, false, NumberType::i16}, Case{NC_SHORT, true, NumberType::u16},
        Case{NC_USHORT, false, NumberType::u16}, Case{NC_INT, false, NumberType::i32},
        Case{NC_INT, true, NumberType::u32}, Case{NC_UINT, false, NumberType::u32},
        Case{NC_FLOAT, false, NumberType::f32}, Case{NC_INT64, false, NumberType::f32},
        Case{NC_DOUBLE, false, NumberType::f32}}) {
    const bool signs = type != NC_UBYTE && type != NC_USHORT && type != NC_UINT;
    TestFile::Texts texts;
    if (other_sign) texts["_Unsigned"] = signs ? "true" : "false";
    TestFile(path("a.nc"))
        .dimension("x", 7)
        .variable("t", type, {"x"}, texts,
                  {0, 7, signs ? -3.0 : 3.0, 120, 99, 98, signs ? -100.0 : 100.0})
        .number("_FillValue", type, {99})
        .number("missing_value", type, {98})
        .number("valid_max", type, {118})
        .number("scale_factor", NC_DOUBLE, {0.0123})
        .number("add_offset", NC_DOUBLE, {273.15});
    NetcdfPool pool;
    const CfVariable t = *pool.describe(path("a.nc")).find("t");
    const Packing packing = t.packing();
    EXPECT_EQ(packing.type, expected) << type;
    std::vector<float> stored(7), values(7);
    pool.read_stored(path("a.nc"), t, {0}, {7}, stored.data());
    unpack(CpuLevel::baseline, packing, stored.data(), 7, values.data());
    const std::vector<double> exact = read("a.nc", "t");
    EXPECT_GE(std::ranges::count_if(exact, [](double x) { return std::isnan(x); }), 3) << type;
    for (size_t i = 0; i < 7; ++i) {
      EXPECT_EQ(std::isnan(values[i]), std::isnan(exact[i])) << type << ": " << i;
      if (std::isnan(exact[i])) continue;
      EXPECT_EQ(values[i], static_cast<float>(exact[i])) << type;
    }
  }
}

TEST_F(NetcdfFile, ManyKindsOfMissingValuesAreUnpackedAtOnce) {
  TestFile(path("a.nc"))
      .dimension("x", 7)
      .variable("t", NC_SHORT, {"x"}, {}, count_from(1, 7))
      .number("missing_value", NC_SHORT, {1, 2, 3, 4, 5})
      .number("scale_factor", NC_FLOAT, {0.5});
  NetcdfPool pool;
  const CfVariable t = *pool.describe(path("a.nc")).find("t");
  EXPECT_EQ(t.packing().type, NumberType::f32);
  EXPECT_EQ(t.packing().scale, 1);
  std::vector<float> values(7);
  pool.read_stored(path("a.nc"), t, {0}, {7}, values.data());
  for (size_t i = 0; i < 5; ++i) EXPECT_TRUE(std::isnan(values[i]));
  EXPECT_EQ(values[5], 3);
  EXPECT_EQ(values[6], 3.5f);
}

TEST_F(NetcdfFile, ThePoolIsBoundedAndDoesNotReopen) {
  for (int i = 0; i < 5; ++i)
    TestFile(path(std::to_string(i))).dimension("x", 1).variable("t", NC_INT, {"x"}, {}, {1.0 * i});
  MemoryLedger ledger;
  NetcdfPool pool(3, &ledger);
  CfVariable t;
  for (int i = 0; i < 5; ++i) {
    t = *pool.describe(path(std::to_string(i))).find("t");
    EXPECT_LE(pool.open_files(), 3u);
  }
  EXPECT_EQ(pool.opens(), 5u);
  for (int round = 0; round < 100; ++round)
    for (int i = 2; i < 5; ++i) EXPECT_EQ(pool.read(path(std::to_string(i)), t)[0], i);
  EXPECT_EQ(pool.opens(), 5u);
  EXPECT_EQ(pool.read(path("0"), t)[0], 0);  // closes 2, used longest ago
  EXPECT_EQ(pool.opens(), 6u);
  EXPECT_EQ(pool.read(path("3"), t)[0], 3);
  EXPECT_EQ(pool.opens(), 6u);
  EXPECT_EQ(pool.open_files(), 3u);
  EXPECT_EQ(ledger.live(Resource::file), 3);
}

TEST_F(NetcdfFile, OpeningAndClosingLeavesNothingInHdf5) {
  TestFile(path("a.nc"))
      .grid()
      .variable("t", NC_FLOAT, {"latitude", "longitude"}, {}, count_from(0, 6));
  const auto open_and_close = [&](int times) {
    for (int i = 0; i < times; ++i) NetcdfPool().describe(path("a.nc"));
  };
  open_and_close(100);
  const size_t heap_before = mallinfo2().uordblks;
  const hid_t first = H5Pcreate(H5P_FILE_CREATE);
  open_and_close(400);
  const hid_t last = H5Pcreate(H5P_FILE_CREATE);
  int left_behind = 0;
  for (hid_t id = first + 1; id < last; ++id) left_behind += H5Iis_valid(id) > 0;
  EXPECT_EQ(left_behind, 0);
  H5Pclose(first);
  H5Pclose(last);
  const size_t heap_after = mallinfo2().uordblks;
  EXPECT_LT(heap_after, heap_before + 400 * 64) << "bytes per open and close";
}

// netCDF looks for attributes that files need not have; HDF5 would print each of them.
TEST_F(NetcdfFile, AThreadThatOpensAFilePrintsNothing) {
  TestFile(path("a.nc"))
      .grid()
      .variable("t", NC_FLOAT, {"latitude", "longitude"}, {}, count_from(0, 6));
  testing::internal::CaptureStderr();
  std::thread([&] { EXPECT_EQ(read("a.nc", "t").size(), 6u); }).join();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(NetcdfFile, ManyThreadsMayRead) {
  TestFile(path("a.nc"))
      .dimension("y", 64)
      .dimension("x", 100)
      .variable("t", NC_INT, {"y", "x"}, {}, count_from(0, 6400));
  NetcdfPool pool;
  const CfVariable t = *pool.describe(path("a.nc")).find("t");
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (size_t k = 0; k < 4; ++k)
    threads.emplace_back([&, k] {
      std::vector<int32_t> row(100);
      for (size_t y = k; y < 64; y += 4) {
        pool.read_stored(path("a.nc"), t, {y, 0}, {1, 100}, row.data());
        for (size_t x = 0; x < 100; ++x) wrong[k] += row[x] != static_cast<int32_t>(y * 100 + x);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST_F(NetcdfFile, RefusesWhatIsNoFileOfItsKind) {
  NetcdfPool pool;
  const auto refusal = [&](const std::string& name) {
    return error_of([&] { pool.describe(path(name)); });
  };
  expect_contains(refusal("none.nc"), {path("none.nc"), "no such file"});
  std::filesystem::create_directory(path("folder"));
  expect_contains(refusal("folder"), {"is a folder"});
  std::ofstream(path("empty.nc")).flush();
  expect_contains(refusal("empty.nc"), {"empty"});
  std::ofstream(path("text.nc")) << "no numbers here, only words and words and words";
  expect_contains(refusal("text.nc"), {path("text.nc"), "not a netCDF file"});
  std::ofstream(path("grib.nc")) << "GRIB and numbers";
  expect_contains(refusal("grib.nc"), {"GRIB, not netCDF"});
  std::ofstream(path("zip.nc")) << "PK\x03\x04 and files";
  expect_contains(refusal("zip.nc"), {"zip archive"});
  EXPECT_EQ(pool.open_files(), 0u);
}

TEST_F(NetcdfFile, ALockedFileIsNotCalledDamaged) {
  TestFile(path("a.nc")).dimension("x", 1).variable("t", NC_INT, {"x"}, {}, {1});
  const int file = ::open(path("a.nc").c_str(), O_RDWR);
  ASSERT_EQ(::flock(file, LOCK_EX), 0);
  expect_contains(error_of([&] { NetcdfPool().describe(path("a.nc")); }), {"a.nc", "is locked"});
  ::close(file);
  NetcdfPool().describe(path("a.nc"));
}

// A filter that was there when the file was written and is not any more.
TEST_F(NetcdfFile, AMissingFilterIsNotCalledDamage) {
  constexpr H5Z_filter_t number = 300;
  const H5Z_class2_t filter = {
      H5Z_CLASS_T_VERS,
      number,
      1,
      1,
      "same",
      nullptr,
      nullptr,
      [](unsigned, size_t, const unsigned*, size_t bytes, size_t*, void**) { return bytes; }};
  ASSERT_GE(H5Zregister(&filter), 0);
  {
    TestFile file(path("a.nc"));
    file.dimension("x", 100).variable("t", NC_INT, {"x"}, {}, count_from(0, 100));
    ASSERT_EQ(nc_def_var_filter(file.id(), 0, number, 0, nullptr), NC_NOERR);
  }
  EXPECT_EQ(read("a.nc", "t"), count_from(0, 100));
  ASSERT_GE(H5Zunregister(number), 0);
  expect_contains(error_of([&] { read("a.nc", "t"); }),
                  {"variable 't' cannot be read", "filter 300", "HDF5_PLUGIN_PATH"});
  expect_contains(NetcdfPool().describe(path("a.nc")).find("t")->packing_problem(), {"filter 300"});
}

// The file behind a name may be replaced while others push it out of the pool.
TEST_F(NetcdfFile, AReplacedFileIsNoticed) {
  const auto replace = [&] { std::filesystem::rename(path("new.nc"), path("a.nc")); };
  const auto write = [&](int type, size_t columns, double scale) {
    TestFile(path("new.nc"))
        .dimension("y", 2)
        .dimension("x", columns)
        .variable("t", type, {"y", "x"}, {}, count_from(0, 2 * columns))
        .number("_FillValue", type, {NAN})
        .number("scale_factor", NC_DOUBLE, {scale});
    replace();
  };
  TestFile(path("other.nc")).dimension("x", 1).variable("t", NC_INT, {"x"}, {}, {1});
  NetcdfPool pool(1);
  write(NC_FLOAT, 3, 1);
  const CfVariable t = *pool.describe(path("a.nc")).find("t");
  const auto read_again = [&] {
    pool.describe(path("other.nc"));
    std::vector<float> values(6);
    pool.read_stored(path("a.nc"), t, {0, 0}, {2, 3}, values.data());
  };
  EXPECT_EQ(error_of(read_again), "");
  write(NC_DOUBLE, 3, 1);
  expect_contains(error_of(read_again),
                  {"a.nc", "the file was replaced", "'t'", "of f32", "of f64"});
  write(NC_FLOAT, 2, 1);
  expect_contains(error_of(read_again), {"was y 2 x x 3", "is y 2 x x 2"});
  write(NC_FLOAT, 3, 2);
  expect_contains(error_of(read_again), {"'t' has another scale_factor"});
  TestFile(path("new.nc")).dimension("x", 1);
  replace();
  expect_contains(error_of(read_again), {"has no variable 't'"});
}

// An open file: HDF5 would give zeros. One in its place is another file, and the open one is whole.
TEST_F(NetcdfFile, AFileThatIsCutIsNoticed) {
  constexpr size_t count = 100000;
  for (const char* name : {"a.nc", "b.nc"})
    TestFile(path(name))
        .dimension("x", count)
        .variable("t", NC_DOUBLE, {"x"}, {}, std::vector<double>(count, 7));
  NetcdfPool pool(2);
  const CfVariable t = *pool.describe(path("a.nc")).find("t");
  pool.describe(path("b.nc"));
  std::filesystem::resize_file(path("a.nc"), 50000);
  expect_contains(error_of([&] { pool.read(path("a.nc"), t); }),
                  {"a.nc", "the file was cut from ", " to 50000 bytes while it was read"});
  std::filesystem::remove(path("b.nc"));
  TestFile(path("b.nc")).dimension("x", 1);
  EXPECT_EQ(pool.read(path("b.nc"), t).back(), 7);
}

TEST_F(NetcdfFile, SizesAreComparedWithTheFileBeforeAnythingIsAllocated) {
  TestFile(path("a.nc")).dimension("x", size_t{1} << 31).variable("t", NC_DOUBLE, {"x"}, {}, {});
  expect_contains(error_of([&] { read("a.nc", "t"); }),
                  {"variable 't' has 2147483648 values, but the file only"});
}

// By hand: stored = (value - 100) / -0.5, so values 10 ... 90 are stored as 180 ... 20.
TEST_F(NetcdfFile, ANegativeScaleTurnsTheLimitsAround) {
  TestFile(path("a.nc"))
      .dimension("x", 5)
      .variable("t", NC_SHORT, {"x"}, {}, {10, 20, 100, 180, 190})
      .number("scale_factor", NC_DOUBLE, {-0.5})
      .number("add_offset", NC_DOUBLE, {100})
      .number("valid_min", NC_DOUBLE, {10})
      .number("valid_max", NC_DOUBLE, {90});
  const std::vector<double> values = read("a.nc", "t");
  EXPECT_TRUE(std::isnan(values[0]) && std::isnan(values[4]));
  EXPECT_EQ((std::vector<double>{values[1], values[2], values[3]}),
            (std::vector<double>{90, 50, 10}));
}

TEST_F(NetcdfFile, PackingAttributesAreNumbers) {
  for (const char* name : {"scale_factor", "add_offset", "missing_value", "valid_min"}) {
    TestFile(path("a.nc")).dimension("x", 1).variable("t", NC_SHORT, {"x"}, {{name, "280"}}, {1});
    expect_contains(error_of([&] { read("a.nc", "t"); }),
                    {"a.nc", "'t' cannot be read", name, "is the text '280'"});
  }
  for (const double scale : {0.0, std::numeric_limits<double>::infinity()}) {
    TestFile(path("a.nc"))
        .dimension("x", 1)
        .variable("t", NC_SHORT, {"x"}, {}, {1})
        .number("scale_factor", NC_DOUBLE, {scale});
    expect_contains(error_of([&] { read("a.nc", "t"); }), {"'scale_factor' is"});
  }
}

TEST_F(NetcdfFile, RefusesTruncatedFiles) {
  NetcdfPool pool;
  TestFile(path("four.nc"))
      .dimension("x", 5000)
      .variable("t", NC_INT, {"x"}, {}, count_from(0, 5000));
  shorten("four.nc", 8000);
  expect_contains(error_of([&] { pool.describe(path("four.nc")); }), {"four.nc", "truncated"});
  // The header of netCDF-3 is whole; only its data end early.
  for (int mode : {0, NC_64BIT_OFFSET, NC_64BIT_DATA}) {
    TestFile(path("three.nc"), mode)
        .dimension("time", NC_UNLIMITED)
        .dimension("x", 3)
        .variable("fixed", NC_INT, {"x"}, {{"units", "m"}}, {1, 2, 3});
    {
      int file = 0, id = 0, dimensions[2] = {0, 1};
      nc_open(path("three.nc").c_str(), NC_WRITE, &file);
      nc_redef(file);
      nc_def_var(file, "a", NC_SHORT, 2, dimensions, &id);
      nc_def_var(file, "b", NC_DOUBLE, 2, dimensions, &id);
      nc_enddef(file);
      const size_t start[2] = {0, 0}, count[2] = {7, 3};
      const std::vector<double> values = count_from(0, 21);
      nc_put_vara_double(file, id - 1, start, count, values.data());
      nc_put_vara_double(file, id, start, count, values.data());
      nc_close(file);
    }
    EXPECT_EQ(read("three.nc", "b"), count_from(0, 21)) << mode;
    shorten("three.nc", 1);
    expect_contains(error_of([&] { NetcdfPool().describe(path("three.nc")); }),
                    {"three.nc", "truncated", "bytes"});
  }
}

TEST_F(NetcdfFile, DamagedDataBehindAReadableHeaderAreAnError) {
  {
    TestFile file(path("a.nc"));
    file.dimension("x", 20000).variable("t", NC_INT, {"x"}, {}, {});
    ASSERT_EQ(nc_def_var_deflate(file.id(), 0, 0, 1, 5), NC_NOERR);
    std::vector<double> values(20000);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<double>(i * i * 7919 % 100003);
    ASSERT_EQ(nc_enddef(file.id()), NC_NOERR);
    ASSERT_EQ(nc_put_var_double(file.id(), 0, values.data()), NC_NOERR);
  }
  {
    std::fstream file(path("a.nc"), std::ios::in | std::ios::out | std::ios::binary);
    const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path("a.nc")));
    file.seekp(size / 2);
    file << std::string(static_cast<size_t>(size / 4), '\7');
  }
  NetcdfPool pool;
  const CfVariable t = *pool.describe(path("a.nc")).find("t");
  expect_contains(error_of([&] { pool.read(path("a.nc"), t); }),
                  {"a.nc", "variable 't' cannot be read", "damaged"});
}

TEST_F(NetcdfFile, TextIsNotNumeric) {
  TestFile(path("a.nc")).dimension("x", 2).variable("t", NC_CHAR, {"x"}, {}, {});
  expect_contains(error_of([&] { read("a.nc", "t"); }), {"'t' is not numeric"});
}

}  // namespace
}  // namespace py4cast
