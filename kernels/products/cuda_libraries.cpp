#if PY4CAST_CUDA
#include "kernels/products/cuda_libraries.h"

#include <algorithm>

#include "engine/cuda.h"

namespace py4cast {

std::vector<std::string> CudaLibraries::choices() const {
  const std::lock_guard lock(choices_mutex_);
  return choices_;
}

void CudaLibraries::note(const std::string& choice) {
  const std::lock_guard lock(choices_mutex_);
  if (std::find(choices_.begin(), choices_.end(), choice) == choices_.end())
    choices_.push_back(choice);
}

CudaLibraries* cuda_libraries(const Context& context) {
  if (context.device.kind != DeviceKind::cuda || !context.libraries) return nullptr;
  const std::lock_guard lock(context.libraries->mutex);
  auto& made = context.libraries->libraries;
  if (!made) {
    use_device(context.device);  // handles belong to the device that is current
    made = std::make_unique<CudaLibraries>();
  }
  return static_cast<CudaLibraries*>(made.get());
}

}  // namespace py4cast
#endif
