#include "data/netcdf/tensor_file.h"

#include <algorithm>
#include <map>
#include <vector>

#include "data/netcdf/netcdf_file.h"
#include "data/netcdf/netcdf_writer.h"

namespace py4cast {

void write_netcdf_tensors(const std::string& path, const TensorMap& tensors,
                          const std::string& title) {
  NetcdfWriter writer(path);
  writer.attribute(NetcdfWriter::global, "title", title);
  std::map<size_t, int> dimensions;  // by size
  for (const auto& [name, tensor] : tensors) {
    const std::vector<size_t> sizes(tensor.shape().begin(), tensor.shape().end());
    std::vector<int> ids;
    for (size_t size : sizes) {
      if (!dimensions.contains(size))
        dimensions[size] = writer.dimension("size_" + std::to_string(size), size);
      ids.push_back(dimensions[size]);
    }
    const std::vector<size_t> start(sizes.size(), 0);
    if (tensor.type() == DataType::i32)
      writer.write(writer.variable(name, NetcdfWriter::Type::int32, ids), start, sizes,
                   tensor.data<int32_t>());
    else
      writer.write(writer.variable(name, NetcdfWriter::Type::float32, ids), start, sizes,
                   tensor.data<float>());
  }
  writer.finish();
}

TensorMap read_netcdf_tensors(const std::string& path) {
  NetcdfPool pool;
  TensorMap tensors;
  for (const CfVariable& variable : pool.describe(path).variables) {
    if (!variable.is_numeric()) continue;
    const std::vector<double> values = pool.read(path, variable);  // no more than the file can hold
    const std::vector<int64_t> sizes(variable.shape.begin(), variable.shape.end());
    Tensor tensor = host_tensor(Shape(sizes), DataType::f64);
    std::ranges::copy(values, tensor.data<double>());
    tensors[variable.name] = tensor;
  }
  return tensors;
}

}  // namespace py4cast
