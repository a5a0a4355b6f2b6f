// Writing netCDF files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "data/cf/cf_writer.h"

namespace py4cast {

// Writes netCDF files that appear whole or not at all: to "<path>.partial" beside the wanted file,
// which finish() gives its name. Nothing takes the place of a device or a pipe. Without finish() (an exception, say) nothing stays behind.
class NetcdfWriter : public CfWriter {
 public:
  enum class Kind {
    // netCDF-4, fields deflated. Built in memory and written at the end: when a write of HDF5
    // itself fails, it keeps the file open for ever and crashes at the program's end.
    whole,
    // netCDF-3 with 64-bit offsets, for series that do not fit in memory: written as it comes.
    // Dimensions, variables and attributes before the first data; no 64-bit integers.
    streamed,
  };
  explicit NetcdfWriter(const std::string& path, Kind kind = Kind::whole);
  ~NetcdfWriter() override;
  NetcdfWriter(const NetcdfWriter&) = delete;
  NetcdfWriter& operator=(const NetcdfWriter&) = delete;

  // Length 0: unlimited.
  int dimension(const std::string& name, size_t length) override;
  int variable(const std::string& name, Type type, const std::vector<int>& dimensions,
               const std::vector<size_t>& chunk = {}) override;
  void attribute(int variable, const std::string& name, const std::string& text) override;
  void attribute(int variable, const std::string& name, double value, Type type) override;
  void attribute(int variable, const std::string& name, const std::vector<double>& values) override;

  void write(int variable, const std::vector<size_t>& start, const std::vector<size_t>& count,
             const float* values) override;
  void write(int variable, const std::vector<size_t>& start, const std::vector<size_t>& count,
             const double* values) override;
  void write(int variable, const std::vector<size_t>& start, const std::vector<size_t>& count,
             const int16_t* values);
  void write(int variable, const std::vector<size_t>& start, const std::vector<size_t>& count,
             const int32_t* values);

  void finish() override;

 private:
  void check(int status);
  void discard();
  void start_data();
  void write_image();

  const std::string path_, partial_;
  const Kind kind_;
  int descriptor_ = -1, file_ = -1;
  bool open_ = false, defined_ = false;
};

}  // namespace py4cast
