// What the tests of Zarr stores share.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "data/zarr/zarr_stores.h"
#include "tests/data/netcdf/test_files.h"
#include "tests/places.h"

namespace py4cast {

// Stores that tests/reference/make_zarr_fixtures.py wrote, and copies of them that a test may spoil.
class ZarrFolder : public NetcdfFolder {
 protected:
  static std::string stored(const std::string& name) {
    return repository() + "/tests/data/zarr/stores/" + name;
  }
  std::string copy_of(const std::string& name) {
    std::filesystem::remove_all(path(name));
    std::filesystem::copy(stored(name), path(name), std::filesystem::copy_options::recursive);
    return path(name);
  }
  // A store with one of the arrays.
  std::string copy_of_array(const std::string& name, const std::string& array) {
    std::filesystem::remove_all(path(name));
    std::filesystem::create_directories(path(name));
    for (const auto& entry : std::filesystem::directory_iterator(stored(name)))
      if (entry.is_regular_file() || entry.path().filename() == array)
        std::filesystem::copy(entry.path(), path(name) + "/" + entry.path().filename().string(),
                              std::filesystem::copy_options::recursive);
    return path(name);
  }
  static std::string text_of(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
  }
  static void write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  // Each place of `before` in a file becomes `after`; there is one.
  static void replace(const std::string& file, const std::string& before,
                      const std::string& after) {
    std::string text = text_of(file);
    size_t at = text.find(before);
    ASSERT_NE(at, std::string::npos) << before << " in " << file;
    for (; at != std::string::npos; at = text.find(before, at + after.size()))
      text.replace(at, before.size(), after);
    write(file, text);
  }
  static std::vector<double> read(CfFiles& stores, const std::string& store,
                                  const std::string& variable) {
    const CfMetadata metadata = stores.describe(store);
    const CfVariable* v = metadata.find(variable);
    return v ? stores.read(store, *v) : std::vector<double>();
  }
  static std::vector<double> read(const std::string& store, const std::string& variable) {
    ZarrStores stores;
    return read(stores, store, variable);
  }
};

}  // namespace py4cast
