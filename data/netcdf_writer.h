// Writes netCDF-4 files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace py4cast {

// Writes to "<path>.partial" beside the wanted file; finish() gives it its name. Without finish()
// (an exception, say) nothing stays behind. Error(input_output): a folder that is missing or not
// writable, a full disk; names the file.
class NetcdfWriter {
 public:
  explicit NetcdfWriter(const std::string& path);
  ~NetcdfWriter();
  NetcdfWriter(const NetcdfWriter&) = delete;
  NetcdfWriter& operator=(const NetcdfWriter&) = delete;

  // Returns the dimension's id. Length 0: unlimited.
  int dimension(const std::string& name, size_t length);
  // Returns the variable's id. Stored types; deflate level 1 for variables with two dimensions and
  // more, chunks of `chunk` values along each dimension (empty: netCDF's choice).
  enum class Type { int8, int16, int32, int64, float32, float64 };
  int variable(const std::string& name, Type type, const std::vector<int>& dimensions,
               const std::vector<size_t>& chunk = {});
  static constexpr int global = -1;  // as a variable: the file itself
  // Empty texts are left out.
  void attribute(int variable, const std::string& name, const std::string& text);
  // Number attributes have the given type.
  void attribute(int variable, const std::string& name, double value, Type type);

  void write(int variable, const std::vector<size_t>& start, const std::vector<size_t>& count,
             const float* values);
  void write(int variable, const std::vector<size_t>& start, const std::vector<size_t>& count,
             const double* values);
  void write(int variable, const std::vector<size_t>& start, const std::vector<size_t>& count,
             const int16_t* values);

  // Closes the file and gives it its name.
  void finish();

 private:
  void check(int status, const std::string& what);
  void discard();

  std::string path_, partial_;
  int file_ = -1;
  bool open_ = false;
};

}  // namespace py4cast
