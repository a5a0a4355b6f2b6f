#include "data/weather/dataset_kind.h"

#include <fstream>

#include "data/netcdf/netcdf_dataset.h"
#include "data/weather/data_files.h"
#include "tests/data/netcdf/test_files.h"

namespace py4cast {
namespace {

class DatasetKindTest : public NetcdfFolder {
 protected:
  DatasetKindTest() {
    kinds.add({.name = "dummy"});  // reads no files
    kinds.add(netcdf_dataset());
    kinds.add(file_kind(
        "letters",
        [](const std::string& path) {
          std::string word;
          std::ifstream(path) >> word;
          return word == "LETTERS";
        },
        [](const std::vector<std::string>& files, const std::vector<std::string>&,
           MemoryLedger*) -> std::unique_ptr<FieldSource> {
          throw Error(ErrorKind::data, "opened ", files.size());
        }));
  }
  void SetUp() override {
    NetcdfFolder::SetUp();
    std::ofstream(path("letters.nc")) << "LETTERS abc";
    TestFile(path("classic.dat"), 0).dimension("x", 1);
    TestFile(path("four.dat")).dimension("x", 1);
  }
  std::string kind_of(const std::vector<std::string>& names) {
    std::vector<std::string> files;
    for (const std::string& name : names) files.push_back(path(name));
    return kind_of_files(kinds, files).name;
  }
  Registry<DatasetKind> kinds = {"dataset.name", "data set"};
};

TEST_F(DatasetKindTest, FilesAreKnownByTheirContentWhateverTheirName) {
  EXPECT_EQ(kind_of({"letters.nc"}), "letters");
  EXPECT_EQ(kind_of({"classic.dat"}), "netcdf");
  EXPECT_EQ(kind_of({"four.dat", "classic.dat"}), "netcdf");
  EXPECT_EQ(kind_of({"*.dat"}), "netcdf");
  expect_contains(error_of([&] { kind_of({"nothing.nc"}); }), {"nothing.nc", "no such file"});
}

TEST_F(DatasetKindTest, Hdf5MayBeginBehindABlockOfTheUsers) {
  std::ifstream file(path("four.dat"), std::ios::binary);
  std::ofstream(path("behind.dat"), std::ios::binary) << std::string(1024, ' ') << file.rdbuf();
  EXPECT_TRUE(netcdf_dataset().recognises(path("behind.dat")));
}

TEST_F(DatasetKindTest, WhatNoKindKnowsIsLeftToTheFirstThatReadsFiles) {
  std::ofstream(path("page.nc")) << "<!DOCTYPE html>";
  EXPECT_EQ(kind_of({"page.nc"}), "netcdf");
  EXPECT_EQ(kind_of({"."}), "netcdf");
  expect_contains(
      error_of([&] { kinds.find("netcdf").open_source({path("page.nc")}, {}, nullptr); }),
      {"page.nc", "web page"});
}

TEST_F(DatasetKindTest, FilesOfAnotherKindAreNamedWithTheKindThatReadsThem) {
  const auto refusal = [&](const std::string& kind, const std::string& name) {
    return error_of([&] { check_kind_of_files(kinds, kinds.find(kind), {path(name)}); });
  };
  expect_contains(refusal("netcdf", "letters.nc"),
                  {"letters.nc", "this is letters, not netcdf", "dataset.name letters reads it"});
  expect_contains(refusal("letters", "four.dat"), {"four.dat", "dataset.name netcdf reads it"});
  EXPECT_EQ(refusal("netcdf", "four.dat"), "");
  EXPECT_EQ(refusal("dummy", "four.dat"), "");
  expect_contains(error_of([&] { kind_of({"four.dat", "letters.nc"}); }), {"letters.nc"});
}

TEST_F(DatasetKindTest, IndexesBesideFilesAreLeftOut) {
  for (const char* name : {"four.dat.5b7b6.idx", "classic.dat.idx", "own.idx"})
    std::ofstream(path(name)) << "index";
  EXPECT_EQ(expand_patterns({path("four*"), path("classic*")}),
            (std::vector<std::string>{path("four.dat"), path("classic.dat")}));
  EXPECT_EQ(expand_patterns({path("*.idx"), path("four.dat")}),
            (std::vector<std::string>{path("own.idx"), path("four.dat")}));
  EXPECT_EQ(expand_patterns({path("classic.dat.idx")}).size(), 1u) << "alone it is named";
}

TEST_F(DatasetKindTest, RemoteStoresAreNotRead) {
  for (const std::string address :
       {"gs://weatherbench2/era5.zarr", "s3://era5-pds/2020.nc", "https://example.org/*.nc"})
    expect_contains(error_of([&] { kind_of_files(kinds, {address}); }),
                    {address + ": remote stores are not read; download it first"});
}

TEST_F(DatasetKindTest, AKindOfFilesNeedsFiles) {
  const DatasetKind& kind = kinds.find("letters");
  expect_contains(error_of([&] { kind.open({}, nullptr, {}); }, ErrorKind::configuration),
                  {"dataset.files", "no file is given"});
  DatasetSettings settings;
  settings.files = {path("letters.nc")};
  EXPECT_EQ(error_of([&] { kind.open(settings, nullptr, {}); }), "opened 1");
}

}  // namespace
}  // namespace py4cast
