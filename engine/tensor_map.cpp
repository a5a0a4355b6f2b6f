#include "engine/tensor_map.h"

#include <vector>

#include "engine/error.h"

namespace py4cast {

const Tensor& tensor_of(const TensorMap& tensors, const std::string& name) {
  if (const auto found = tensors.find(name); found != tensors.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, tensor] : tensors) names.push_back(known);
  if (names.empty())
    throw Error(ErrorKind::shape, "there is no tensor '", name, "': there are none at all");
  throw Error(ErrorKind::shape, "there is no tensor '", name, "'; the nearest is '",
              nearest_name(name, names), "'");
}

}  // namespace py4cast
