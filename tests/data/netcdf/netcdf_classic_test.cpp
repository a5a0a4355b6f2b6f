// Headers of netCDF-3 files that the library would not survive, byte by byte.
#include <cstdint>

#include "data/netcdf/netcdf_file.h"
#include "engine/files.h"
#include "tests/data/netcdf/test_files.h"

namespace py4cast {
namespace {

struct Dimension {
  std::string name;
  uint64_t length;
};

// A file with one dimension list and one variable along all of them; 64 bytes of data.
struct ClassicFile {
  int version = 1;
  uint64_t records = 0;
  std::vector<Dimension> dimensions = {{"x", 2}};
  std::string variable = "t", attribute = "units";
  uint64_t rank = 1, type = 6, data_bytes = 64;

  std::string bytes() const {
    std::string text = "CDF" + std::string(1, static_cast<char>(version)) + count(records);
    text += number(10, 4) + count(dimensions.size());
    for (const Dimension& d : dimensions) text += name(d.name) + count(d.length);
    text += number(0, 4) + count(0);  // attributes of the file
    text += number(11, 4) + count(1) + name(variable) + count(rank);
    for (uint64_t d = 0; d < rank; ++d) text += count(d % dimensions.size());
    text += number(12, 4) + count(1) + name(attribute) + number(2, 4) + count(1) +
            std::string("K\0\0\0", 4);
    text += number(type, 4) + count(0);
    const size_t begin = text.size() + (version == 1 ? 4 : 8);
    return text + number(begin, version == 1 ? 4 : 8) + std::string(data_bytes, '\0');
  }
  static std::string number(uint64_t value, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
    return text;
  }
  std::string count(uint64_t value) const { return number(value, version == 5 ? 8 : 4); }
  std::string name(const std::string& text) const {
    return count(text.size()) + text + std::string((4 - text.size() % 4) % 4, '\0');
  }
};

class NetcdfClassic : public NetcdfFolder {
 protected:
  std::string refusal_of(const std::string& bytes) {
    write_file(path("a.nc"), bytes);
    return error_of([&] {
      NetcdfPool pool;
      pool.describe(path("a.nc"));
    });
  }
  std::string refusal(const ClassicFile& file) { return refusal_of(file.bytes()); }
};

TEST_F(NetcdfClassic, SoundFilesOfAllVersionsPass) {
  for (int version : {1, 2, 5}) EXPECT_EQ(refusal({.version = version}), "") << version;
}

TEST_F(NetcdfClassic, EveryTruncationIsNoticed) {
  const std::string whole = ClassicFile{.data_bytes = 16}.bytes();
  for (size_t size = 4; size < whole.size(); ++size)
    EXPECT_NE(refusal_of(whole.substr(0, size)), "") << size;
}

TEST_F(NetcdfClassic, NamesAndRanksFitTheLibrary) {
  const std::string name(300, 'n');
  expect_contains(refusal({.dimensions = {{name, 2}}}), {"a name has 300 bytes, not 1 to 256"});
  expect_contains(refusal({.variable = name}), {"a name has 300 bytes"});
  expect_contains(refusal({.attribute = name}), {"a name has 300 bytes"});
  expect_contains(refusal({.variable = "\xff"}), {"a name is not UTF-8"});
  expect_contains(refusal({.dimensions = {{"x", 1}}, .rank = 1100}),
                  {"variable 't' has 1100 dimensions, more than 1024"});
  EXPECT_EQ(refusal({.variable = std::string(256, 'n')}), "");
}

TEST_F(NetcdfClassic, LengthsStayInsideTheFile) {
  // A name of nearly 2^64 bytes would seek backwards for ever.
  const std::string header = "CDF\x05" + ClassicFile::number(0, 8) + ClassicFile::number(10, 4) +
                             ClassicFile::number(1, 8);
  expect_contains(refusal_of(header + ClassicFile::number(UINT64_MAX - 11, 8)),
                  {"truncated in its header"});
  expect_contains(refusal_of("CDF\x05" + ClassicFile::number(0, 8) + ClassicFile::number(10, 4) +
                             ClassicFile::number(uint64_t{1} << 61, 8)),
                  {"truncated in its header"});
}

TEST_F(NetcdfClassic, TypesAndSizesArePossible) {
  expect_contains(refusal({.version = 5, .type = 12}), {"there is no type 12"});
  expect_contains(refusal({.version = 1, .type = 7}), {"there is no type 7"});
  expect_contains(refusal({.type = 0}), {"there is no type 0"});
  expect_contains(refusal({.version = 5, .dimensions = {{"x", uint64_t{1} << 63}}}),
                  {"dimension 'x' has the length 9223372036854775808"});
  expect_contains(refusal({.version = 5,
                           .dimensions = {{"x", uint64_t{1} << 62}, {"y", uint64_t{1} << 62}},
                           .rank = 2}),
                  {"variable 't' has more bytes than a file can have"});
  expect_contains(refusal({.version = 5, .dimensions = {{"x", uint64_t{1} << 32}}}),
                  {"truncated", "34359738"});
}

TEST_F(NetcdfClassic, RecordsAreCounted) {
  const std::vector<Dimension> times = {{"time", 0}, {"x", 2}};
  EXPECT_EQ(refusal({.records = 4, .dimensions = times, .rank = 2}), "");
  expect_contains(refusal({.records = 5, .dimensions = times, .rank = 2}),
                  {"the file is truncated"});
  expect_contains(refusal({.records = UINT32_MAX, .dimensions = times, .rank = 2}),
                  {"did not finish it"});
  expect_contains(refusal({.version = 5, .records = UINT64_MAX, .dimensions = times, .rank = 2}),
                  {"did not finish it"});
  for (const uint64_t records : {(uint64_t{1} << 62) + 1, (uint64_t{1} << 60) + 1})
    expect_contains(refusal({.version = 5, .records = records, .dimensions = times, .rank = 2}),
                    {"more bytes than a file can have"});
}

}  // namespace
}  // namespace py4cast
