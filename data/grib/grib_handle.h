// One GRIB message as ecCodes sees it.
#pragma once

#include <eccodes.h>

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace py4cast {

// Handles are of one thread each; several threads may have one at the same time, except where ecCodes
// was built without threads (then the second waits). Errors are Error(data) and say nothing of the
// place of the message: the caller adds it.
class GribHandle {
 public:
  // The bytes must outlive the handle, and change where they lie when keys are set.
  explicit GribHandle(std::string_view message);
  // One of ecCodes' own samples ("regular_ll_sfc_grib2"), to be filled. Error: it is not installed.
  struct Sample {
    const char* name;
  };
  explicit GribHandle(Sample sample);
  ~GribHandle();
  GribHandle(const GribHandle&) = delete;
  GribHandle& operator=(const GribHandle&) = delete;

  std::string text(const char* key) const;            // empty: the message has no such key
  std::optional<double> find(const char* key) const;  // nothing: it has none, or it is missing
  double number(const char* key) const;               // Error: it has none
  int64_t integer(const char* key) const;             // Error: it has none
  bool flag(const char* key) const { return find(key).value_or(0) != 0; }
  void set(const char* key, const std::string& value);
  void set(const char* key, double value);
  void set_integer(const char* key, int64_t value);
  void set_numbers(const char* key, const std::vector<double>& values);
  // All numbers of a key. Error: they cannot be decoded.
  std::vector<double> numbers(const char* key) const;
  std::string message() const;  // its bytes

 private:
  explicit GribHandle(std::unique_lock<std::mutex> alone) : alone_(std::move(alone)) {}
  void check(int status, const char* key) const;

  std::unique_lock<std::mutex> alone_;
  codes_handle* handle_ = nullptr;
};

}  // namespace py4cast
