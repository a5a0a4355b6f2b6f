// NumPy's .npy files.
// Source: the format's description, numpy.lib.format, versions 1.0 to 3.0.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace py4cast {

struct NpyArray {
  std::vector<int64_t> shape;
  std::vector<float> values;  // the last index runs fastest
};

// Floats and integers of up to 8 bytes of either byte order, in C's or Fortran's order. Error(data): no such
// file, another type, a header that is damaged or larger than 10 000 bytes (as NumPy refuses it), a file of another length than its
// shape needs.
NpyArray read_npy(const std::string& path);

}  // namespace py4cast
