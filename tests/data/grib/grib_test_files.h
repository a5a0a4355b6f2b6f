// Small GRIB files for the tests, written by ecCodes from its own samples.
#pragma once

#include <eccodes.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "data/grib/grib_source.h"
#include "engine/error.h"

namespace py4cast {

// One message. Of a grid of latitudes and longitudes if nothing else is set: 2 m temperature on 3 x 4
// points, 50 N 1 W to 48 N 2 E, steps of 1 degree, of 2019-03-01 00:00.
class GribTestMessage {
 public:
  explicit GribTestMessage(const char* sample = "regular_ll_sfc_grib2")
      : handle_(codes_grib_handle_new_from_samples(nullptr, sample)) {
    set("dataDate", 20190301).set("dataTime", 0);
    if (std::string(sample).starts_with("regular_ll")) region(3, 4, 50, -1, 48, 2);
    if (std::string(sample).find("_sfc_") != std::string::npos) set("shortName", "2t");
  }
  ~GribTestMessage() { codes_handle_delete(handle_); }
  GribTestMessage(const GribTestMessage&) = delete;
  GribTestMessage& operator=(const GribTestMessage&) = delete;

  template <typename T>
  requires std::is_arithmetic_v<T> GribTestMessage& set(const char* key, T value) {
    if constexpr (std::is_integral_v<T>)
      return check(codes_set_long(handle_, key, value), key);
    else
      return check(codes_set_double(handle_, key, value), key);
  }
  GribTestMessage& set(const char* key, const std::string& value) {
    size_t length = value.size();
    return check(codes_set_string(handle_, key, value.c_str(), &length), key);
  }
  GribTestMessage& region(int64_t rows, int64_t columns, double first_latitude,
                          double first_longitude, double last_latitude, double last_longitude) {
    set("Ni", columns).set("Nj", rows);
    set("latitudeOfFirstGridPointInDegrees", first_latitude);
    set("longitudeOfFirstGridPointInDegrees", first_longitude);
    set("latitudeOfLastGridPointInDegrees", last_latitude);
    set("longitudeOfLastGridPointInDegrees", last_longitude);
    const auto step = [](double a, double b, int64_t n) {
      return n > 1 ? std::abs(b - a) / static_cast<double>(n - 1) : 1.0;
    };
    set("iDirectionIncrementInDegrees", step(first_longitude, last_longitude, columns));
    return set("jDirectionIncrementInDegrees", step(first_latitude, last_latitude, rows));
  }
  // In the order of the message; NaN through a bitmap.
  GribTestMessage& values(std::vector<double> values, int bits = 16) {
    set("bitsPerValue", bits);
    for (double& value : values) {
      if (!std::isnan(value)) continue;
      set("bitmapPresent", 1).set("missingValue", 1e30);
      value = 1e30;
    }
    return check(codes_set_double_array(handle_, "values", values.data(), values.size()), "values");
  }
  // 0, 1, 2, ... in the order of the message, plus a number.
  GribTestMessage& counting(int64_t points, double first = 0) {
    std::vector<double> numbers;
    for (int64_t i = 0; i < points; ++i) numbers.push_back(first + static_cast<double>(i));
    return values(numbers);
  }
  std::string bytes() const {
    const void* data = nullptr;
    size_t length = 0;
    codes_get_message(handle_, &data, &length);
    return {static_cast<const char*>(data), length};
  }

 private:
  GribTestMessage& check(int status, const char* key) {
    EXPECT_EQ(status, CODES_SUCCESS) << key << ": " << codes_get_error_message(status);
    return *this;
  }

  codes_handle* handle_;
};

// What is said when data are refused.
template <typename Action>
std::string sentence_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    return error.what();
  }
  return "accepted";
}

// A fresh folder for one test.
class GribFolder : public ::testing::Test {
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
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  static std::vector<float> field(FieldSource& source, const FieldRequest& request) {
    const Region region = {0, source.grid().rows, 0, source.grid().columns};
    std::vector<float> values(static_cast<size_t>(region.rows() * region.columns()));
    source.read(request, region, values.data());
    return values;
  }
  static float first_value(FieldSource& source, const FieldRequest& request) {
    return field(source, request).front();
  }
  static std::vector<std::string> names(const FieldSource& source) {
    std::vector<std::string> result;
    for (const VariableInfo& info : source.variables()) result.push_back(info.name);
    return result;
  }
  // What is said of a file that is refused.
  std::string refusal(const std::string& bytes) const {
    const std::string file = write("refused.grib", bytes);
    return sentence_of([&] { GribSource({file}); });
  }
  static void expect_says(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks\n" << part;
  }
  template <typename T>
  static void expect_list(const std::vector<T>& values,
                          const std::type_identity_t<std::vector<T>>& expected) {
    EXPECT_EQ(values, expected);
  }

  std::filesystem::path folder_;
};

}  // namespace py4cast
