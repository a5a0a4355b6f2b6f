// Small netCDF files for the tests.
#pragma once

#include <gtest/gtest.h>
#include <netcdf.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"

namespace py4cast {

// A fresh folder for one test.
class NetcdfFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              (std::string("py4cast_") + info->test_suite_name() + "_" + info->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  size_t files_in_folder() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++count;
    return count;
  }
  std::filesystem::path folder_;
};

// Builds a file straight with netCDF-C; it is complete when the object dies.
class TestFile {
 public:
  using Texts = std::map<std::string, std::string>;

  explicit TestFile(const std::string& path, int mode = NC_NETCDF4) {
    check(nc_create(path.c_str(), mode | NC_CLOBBER, &file_));
  }
  ~TestFile() {
    nc_enddef(file_);
    for (const auto& [variable, values] : values_)
      check(nc_put_var_double(file_, variable, values.data()));
    check(nc_close(file_));
  }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;

  TestFile& dimension(const std::string& name, size_t length) {
    check(nc_def_dim(file_, name.c_str(), length, &dimensions_[name]));
    return *this;
  }
  TestFile& variable(const std::string& name, int type, const std::vector<std::string>& dimensions,
                     const Texts& attributes, std::vector<double> values) {
    std::vector<int> ids;
    for (const std::string& dimension : dimensions) ids.push_back(dimensions_.at(dimension));
    int id = 0;
    check(nc_def_var(file_, name.c_str(), type, static_cast<int>(ids.size()), ids.data(), &id));
    for (const auto& [key, text] : attributes)
      check(nc_put_att_text(file_, id, key.c_str(), text.size(), text.data()));
    if (!values.empty()) values_.push_back({id, std::move(values)});
    return *this;
  }
  // A numeric attribute of the variable made last.
  TestFile& number(const std::string& name, int type, const std::vector<double>& values) {
    int id = 0;
    check(nc_inq_nvars(file_, &id));
    check(nc_put_att_double(file_, id - 1, name.c_str(), type, values.size(), values.data()));
    return *this;
  }
  // A dimension and its coordinate variable.
  TestFile& axis(const std::string& name, const Texts& attributes,
                 const std::vector<double>& values) {
    return dimension(name, values.size()).variable(name, NC_DOUBLE, {name}, attributes, values);
  }
  // Two latitudes from north to south, three longitudes.
  TestFile& grid() {
    return axis("latitude", {{"units", "degrees_north"}}, {50, 49})
        .axis("longitude", {{"units", "degrees_east"}}, {1, 2, 3});
  }
  TestFile& time(const std::vector<double>& hours,
                 const std::string& units = "hours since 2000-01-01") {
    return axis("time", {{"units", units}}, hours);
  }
  int id() const { return file_; }

 private:
  static void check(int status) { ASSERT_EQ(status, NC_NOERR) << nc_strerror(status); }

  int file_ = 0;
  std::map<std::string, int> dimensions_;
  std::vector<std::pair<int, std::vector<double>>> values_;
};

// first, first + 1, ...
inline std::vector<double> count_from(double first, size_t n) {
  std::vector<double> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = first + static_cast<double>(i);
  return values;
}

// The message of the Error that the function throws; empty if it throws none.
template <typename Function>
std::string error_of(Function function, ErrorKind kind = ErrorKind::data) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "";
}

inline void expect_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
}

}  // namespace py4cast
