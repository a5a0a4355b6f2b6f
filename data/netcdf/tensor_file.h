// Tensors by name as a netCDF file: graphs, for example.
#pragma once

#include <string>

#include "engine/tensor_map.h"

namespace py4cast {

// i32 and f32 tensors in host memory, each a variable of its name. Dimensions are named by their
// size ("size_512"), and `title` is an attribute of the file. The file appears whole or not at all.
// Error(input_output): see data/netcdf/netcdf_writer.h.
void write_netcdf_tensors(const std::string& path, const TensorMap& tensors,
                          const std::string& title);

// All numeric variables of the root group, as f64. Error(data): missing, foreign or truncated file.
TensorMap read_netcdf_tensors(const std::string& path);

}  // namespace py4cast
