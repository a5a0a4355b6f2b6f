// Tensors by name: what a batch consists of, what a network takes and gives.
#pragma once

#include <map>
#include <string>

#include "engine/tensor.h"

namespace py4cast {

using TensorMap = std::map<std::string, Tensor>;

// Error(shape): there is none of that name; names the nearest.
const Tensor& tensor_of(const TensorMap& tensors, const std::string& name);

}  // namespace py4cast
