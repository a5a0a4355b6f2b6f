// How modules get their parameters. A module is a class with parameters and other modules as
// members; its constructor takes a Builder, its call operator a Context and tensors.
#pragma once

#include <string>
#include <string_view>

#include "engine/parameters.h"

namespace py4cast {

// A slab to register in, and the path of the module: names are PyTorch's, joined with dots.
class Builder {
 public:
  explicit Builder(ParameterSlab& slab, std::string path = {})
      : slab_(slab), path_(std::move(path)) {}

  Builder child(std::string_view name) const { return Builder(slab_, joined(name)); }
  const std::string& path() const { return path_; }

  const Parameter& parameter(std::string_view name, const Shape& file_shape, std::vector<int> order,
                             Initialisation initialisation) const {
    return slab_.add({joined(name), file_shape, std::move(order), initialisation});
  }
  const Parameter& buffer(std::string_view name, const Shape& shape, double value,
                          DataType type = DataType::f32, bool optional = false) const {
    return slab_.add({joined(name), shape, {}, {value, 0}, false, type, optional});
  }
  // A tensor in host memory that is moved to the device with the parameters, and is neither trained
  // nor in files.
  const Constant& constant(std::string_view name, const Tensor& value) const {
    return slab_.add_constant(joined(name), value);
  }

  // Files of others may hold something of this name; it is not read, only looked at.
  void unread(std::string_view name, ParameterSlab::Fault fault = {}) const {
    slab_.add_unread(joined(name), std::move(fault));
  }

 private:
  std::string joined(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  ParameterSlab& slab_;
  std::string path_;
};

}  // namespace py4cast
