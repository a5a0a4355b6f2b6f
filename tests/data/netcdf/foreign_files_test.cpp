// What is named where netCDF files are wanted.
#include <gtest/gtest.h>

#include <fstream>

#include "data/netcdf/netcdf_file.h"
#include "tests/data/netcdf/test_files.h"

namespace py4cast {
namespace {

class ForeignFiles : public NetcdfFolder {};

TEST_F(ForeignFiles, ThatAreCompressedSayByWhat) {
  for (const auto& [begin, program] :
       {std::pair("\x1f\x8b\b", "gzip"), std::pair("BZh9", "bzip2"), std::pair("\3757zXZ", "xz"),
        std::pair("\x28\xb5\x2f\xfd", "zstd")}) {
    std::ofstream(path("packed.nc")) << begin << " and numbers";
    expect_contains(error_of([&] { NetcdfPool().describe(path("packed.nc")); }),
                    {"packed.nc: this is compressed by " + std::string(program) + "; unpack it"});
  }
}

// HDF5 would find the first file in it, behind a head of 512 bytes.
TEST_F(ForeignFiles, ArchivesAreNotTakenForTheirFirstFile) {
  TestFile(path("a.nc")).dimension("x", 1).variable("t", NC_INT, {"x"}, {}, {1});
  std::string head(512, '\0');
  head.replace(0, 4, "a.nc").replace(257, 5, "ustar");
  std::ofstream(path("all.nc")) << head << std::ifstream(path("a.nc")).rdbuf();
  EXPECT_EQ(error_of([&] { NetcdfPool().describe(path("all.nc")); }),
            path("all.nc") + ": this is a tar archive; unpack it and give the files in it");
}

TEST_F(ForeignFiles, AFolderIsToldHowItsFilesAreNamed) {
  const std::string folder = path("folder");
  const auto hint = [&] { return error_of([&] { NetcdfPool().describe(folder); }); };
  std::filesystem::create_directory(folder);
  expect_contains(hint(), {"is a folder, not a file; there is no netCDF file in it"});
  TestFile(folder + "/a.nc").dimension("x", 1).variable("t", NC_INT, {"x"}, {}, {1});
  expect_contains(hint(), {"; '" + folder + "/*.nc' names the files in it"});
  TestFile(folder + "/wrfout_d01_2019-03-01_00:00:00")
      .dimension("x", 1)
      .variable("t", NC_INT, {"x"}, {}, {1});
  expect_contains(hint(), {"; '" + folder + "/*' names the files in it"});
  const std::string stores = path("stores");
  std::filesystem::create_directories(stores + "/a.zarr");
  std::ofstream(stores + "/a.zarr/.zgroup") << "{}";
  expect_contains(error_of([&] { NetcdfPool().describe(stores); }),
                  {"; '" + stores + "/*' names the Zarr stores in it"});
}

}  // namespace
}  // namespace py4cast
