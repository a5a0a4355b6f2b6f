// Writing what CF describes, whatever the format.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace py4cast {

// What a format must be able to write: data/netcdf/netcdf_writer.h, data/zarr/zarr_writer.h.
// Error(input_output): a folder that is missing or not writable, a full disk; names the file.
class CfWriter {
 public:
  virtual ~CfWriter() = default;

  // Returns the dimension's id.
  virtual int dimension(const std::string& name, size_t length) = 0;
  // Returns the variable's id. `chunk`: values along each dimension that are compressed together (empty: the
  // format's choice).
  enum class Type { int8, int16, int32, int64, float32, float64 };
  virtual int variable(const std::string& name, Type type, const std::vector<int>& dimensions,
                       const std::vector<size_t>& chunk = {}) = 0;
  static constexpr int global = -1;  // as a variable: the file itself
  // Empty texts are left out.
  virtual void attribute(int variable, const std::string& name, const std::string& text) = 0;
  // Number attributes have the given type.
  virtual void attribute(int variable, const std::string& name, double value, Type type) = 0;
  virtual void attribute(int variable, const std::string& name,
                         const std::vector<double>& values) = 0;  // float64

  virtual void write(int variable, const std::vector<size_t>& start,
                     const std::vector<size_t>& count, const float* values) = 0;
  virtual void write(int variable, const std::vector<size_t>& start,
                     const std::vector<size_t>& count, const double* values) = 0;

  // The file gets its name, under which it appears whole. Without it nothing stays behind.
  virtual void finish() = 0;
};

}  // namespace py4cast
